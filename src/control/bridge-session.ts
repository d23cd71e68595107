// Keeps one bridge hooked: a connection that is made again whenever it ends, a pass that puts hook and meter in place and
// looks again, and once a second a look at what the meter has counted. Who deletes the hook gets it back at once.

import type { Problem, ProblemCode } from '../config/problem.ts';
import type { RegisterBit } from '../config/settings.ts';
import type { PoolCounters } from '../flow/sampler.ts';
import type { MeterConfig, PacketInView } from '../node-openflow/index.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Endpoint, TlsFiles } from '../runtime/endpoint.ts';
import { ConnectionKeeper, type KeeperStatus } from '../runtime/keeper.ts';
import type { Logger } from '../runtime/log.ts';
import { BridgeConnection } from './bridge-connection.ts';
import { type HookOptions, hookRefresh, isForeignMeter, planHook } from './hook.ts';
import { Reconciler, type ReconcilerStatus } from './reconciler.ts';

export interface BridgeSessionOptions {
  readonly bridge: string;
  readonly endpoint: Endpoint;
  readonly tls: TlsFiles | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly mark: RegisterBit;
  /** What to do on a bridge without meters: no hook, or one that sends every packet. */
  readonly unmetered: 'refuse' | 'allow';
  /** Called for each packet-in of ours; the view is only good until the call returns. */
  readonly onPacketIn: (packetIn: PacketInView) => void;
  /** What the hook's meter has counted: about once a second, and nothing right after it was made. */
  readonly onPool: (pool: PoolCounters) => void;
}

/** absent: not wanted, or gone with the connection; waiting: not there yet; in place: as it should be; failed: see `reconciler`. */
export type HookState = 'absent' | 'waiting' | 'in place' | 'failed';

export interface BridgeSessionStatus {
  readonly hook: HookState;
  readonly connection: KeeperStatus;
  readonly reconciler: ReconcilerStatus;
  /** The OpenFlow version in use, such as "OpenFlow 1.4". */
  readonly protocol: string | undefined;
  /** Packet-ins a second that the meter lets pass; undefined without a meter. */
  readonly meterRate: number | undefined;
  /** How often hook or meter were gone or changed by somebody else and were put back. */
  readonly hookRepairs: number;
}

/** Milliseconds between two looks at the meter. */
export const POLL_MS = 1000;
/** Looks after which the hook's dead-man switch is wound up again: thrice in its time. */
const POLLS_PER_REFRESH = 10;
/** Failed attempts to connect after which a bridge counts as unreachable; a restart of vswitchd takes fewer. */
const UNREACHABLE_AFTER = 5;
/** How long taking the hook out may take at the end. */
const REMOVAL_MS_MAX = 1500;

const EMPTY_POOL: PoolCounters = { packets: 0n, octets: 0n, dropped: 0n };

/** A reason that keeps the hook out and that an operator can mend. */
class HookRefused extends Error {
  readonly code: ProblemCode;
  readonly remedy: string;

  constructor(code: ProblemCode, message: string, remedy: string) {
    super(message);
    this.name = 'HookRefused';
    this.code = code;
    this.remedy = remedy;
  }
}

export class BridgeSession {
  readonly #options: BridgeSessionOptions;
  readonly #keeper: ConnectionKeeper<BridgeConnection>;
  readonly #reconciler: Reconciler;
  #hook: HookOptions | undefined;
  #state: HookState = 'absent';
  #problem: Problem | undefined;
  #pollTimer: Timer | undefined;
  #pollCount = 0;
  #hookRepairs = 0;
  /** The options by which the hook was last put in place on the present connection. */
  #applied: HookOptions | undefined;
  #signalUp: () => void = () => {};
  readonly #cameUp = new Promise<void>((resolve) => {
    this.#signalUp = resolve;
  });

  constructor(options: BridgeSessionOptions) {
    const { bridge, clock, log, mark } = options;
    this.#options = options;
    this.#reconciler = new Reconciler({
      clock,
      pass: () => this.#pass(),
      onFailure: (error) => this.#fail(error),
    });
    this.#keeper = new ConnectionKeeper<BridgeConnection>({
      name: `bridge ${bridge}`,
      endpoints: [options.endpoint],
      clock,
      log,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      open: (stream) =>
        BridgeConnection.open(stream, {
          bridge,
          mark,
          log,
          onPacketIn: options.onPacketIn,
          onTouched: () => this.#reconciler.mark(),
        }),
      onUp: () => {
        this.#reconciler.mark();
        this.#armPoll();
        this.#signalUp();
      },
      onDown: () => {
        this.#pollTimer?.cancel();
        this.#applied = undefined;
        this.#state = this.#hook === undefined ? 'absent' : 'waiting';
      },
    });
  }

  start(): void {
    this.#keeper.start();
  }

  /** What the hook should do from now on; undefined takes it out. */
  setHook(hook: HookOptions | undefined): void {
    if (isSameHook(hook, this.#hook)) {
      return;
    }
    this.#hook = hook;
    this.#state = this.#state === 'absent' && hook !== undefined ? 'waiting' : this.#state;
    this.#reconciler.mark();
  }

  /** Takes the hook out, as long as the bridge is there to be told, and closes the connection. */
  async stop(): Promise<void> {
    this.setHook(undefined);
    const session = this.#keeper.session;
    if (session !== undefined) {
      const isOver = session.ended.then(() => undefined);
      await this.#within(REMOVAL_MS_MAX, Promise.race([this.#reconciler.settled(), isOver]));
    }
    this.#reconciler.stop();
    this.#pollTimer?.cancel();
    await this.#keeper.stop();
  }

  /** Waits until the present wish is fulfilled; rejects with the reason when that takes longer than `timeoutMs`. */
  async settle(timeoutMs: number): Promise<void> {
    const isSettled = await this.#within(
      timeoutMs,
      this.#cameUp.then(() => this.#reconciler.settled()),
    );
    if (!isSettled) {
      const reason =
        this.#reconciler.status().lastError ?? this.#keeper.status().lastError ?? 'no answer in time';
      throw new Error(`Bridge ${this.#options.bridge}: ${reason}`);
    }
  }

  missing(): string | undefined {
    if (this.#hook === undefined || this.#state === 'in place') {
      return undefined;
    }
    const { lastError } = this.#reconciler.status();
    const reason = this.#keeper.session === undefined ? this.#keeper.status().lastError : lastError;
    return `Bridge ${this.#options.bridge} is not hooked${reason === undefined ? '' : `: ${reason}`}.`;
  }

  problems(): readonly Problem[] {
    const { bridge } = this.#options;
    const { failureCount, endpoint, lastError } = this.#keeper.status();
    if (this.#keeper.session !== undefined || failureCount < UNREACHABLE_AFTER) {
      return this.#problem === undefined ? [] : [this.#problem];
    }
    const unreachable: Problem = {
      code: 'bridge-unreachable',
      severity: 'error',
      where: `Bridge ${bridge}`,
      message: `Its OpenFlow socket ${endpoint} cannot be reached: ${lastError ?? 'no reason known'}.`,
      remedy: 'See that ovs-vswitchd runs and that OVS_RUNDIR or --openflow names its sockets.',
    };
    return [unreachable];
  }

  status(): BridgeSessionStatus {
    const session = this.#keeper.session;
    return {
      hook: this.#state,
      connection: this.#keeper.status(),
      reconciler: this.#reconciler.status(),
      protocol: session?.protocol,
      meterRate: session?.place.meterId === undefined ? undefined : this.#hook?.maxSampleRate,
      hookRepairs: this.#hookRepairs,
    };
  }

  /** Looks, sends what differs, and looks again. */
  async #pass(): Promise<void> {
    const connection = this.#keeper.session;
    if (connection === undefined) {
      return;
    }
    const hook = this.#hook;
    const observed = await connection.observe();
    if (hook !== undefined) {
      this.#refuseWhatCannotBe(connection, observed.meter);
    }
    const steps = planHook(observed, connection.place, hook);
    if (steps.length > 0 && hook !== undefined && hook === this.#applied) {
      this.#hookRepairs += 1;
      const what = steps.map((step) => step.what).join(' and ');
      this.#options.log
        .limited('repair')
        .warn(`bridge ${this.#options.bridge}: somebody changed the hook; we ${what} again`);
    }
    for (const step of steps) {
      await connection.apply(step.what, step.messages);
      if (step.isMeterNew) {
        this.#options.onPool(EMPTY_POOL);
      }
    }
    if (steps.length > 0) {
      const [left] = planHook(await connection.observe(), connection.place, hook);
      if (left !== undefined) {
        throw new Error(`Bridge ${this.#options.bridge} did not ${left.what}, though it did not refuse to.`);
      }
    }
    if (this.#keeper.session === connection) {
      this.#succeed(hook);
    }
  }

  /** Throws when the hook must not be put in: it would flood us, or take a user's meter away. */
  #refuseWhatCannotBe(connection: BridgeConnection, meter: MeterConfig | undefined): void {
    const { bridge, unmetered } = this.#options;
    const { meterId } = connection.place;
    if (meterId === undefined && unmetered === 'refuse') {
      throw new HookRefused(
        'no-meters',
        `There are no OpenFlow meters over ${connection.protocol}, so nothing would bound the packets sent to us.`,
        `Allow OpenFlow 1.3 or later with "ovs-vsctl set bridge ${bridge} protocols=OpenFlow10,OpenFlow13,OpenFlow14,` +
          'OpenFlow15", or run with --unmetered=allow.',
      );
    }
    if (meter !== undefined && isForeignMeter(meter)) {
      throw new HookRefused(
        'meter-in-use',
        `The meter ${meterId} is somebody else's, and the hook needs that id.`,
        `Move the meter to another id, or see it with "ovs-ofctl -O OpenFlow13 dump-meters ${bridge}".`,
      );
    }
  }

  #succeed(hook: HookOptions | undefined): void {
    if (hook !== undefined && this.#applied === undefined) {
      this.#options.log.info(`bridge ${this.#options.bridge}: hook in place`);
    }
    this.#applied = hook;
    this.#problem = undefined;
    this.#state = hook === undefined ? 'absent' : 'in place';
  }

  #fail(error: Error): void {
    const { bridge, log } = this.#options;
    this.#state = 'failed';
    this.#problem = {
      code: error instanceof HookRefused ? error.code : 'hook-refused',
      severity: 'error',
      where: `Bridge ${bridge}`,
      message: error.message,
      remedy:
        error instanceof HookRefused
          ? error.remedy
          : 'It is tried again by itself; see the log of ovs-vswitchd.',
    };
    log.limited('hook').warn(`bridge ${bridge}: ${error.message}`);
  }

  #armPoll(): void {
    this.#pollTimer?.cancel();
    this.#pollTimer = this.#options.clock.setTimer(() => void this.#poll(), POLL_MS);
  }

  /** Reads the meter, winds up the dead-man switch when it is time, and looks at the hook where nobody tells us of it. */
  async #poll(): Promise<void> {
    const connection = this.#keeper.session;
    const hook = this.#applied;
    try {
      if (connection !== undefined && hook !== undefined && this.#reconciler.status().state === 'idle') {
        await this.#look(connection, hook);
      }
    } catch (error) {
      // A connection that ended meanwhile has told the keeper already; anything else shows in the next pass.
      this.#options.log.debug(
        `bridge ${this.#options.bridge}: ${error instanceof Error ? error.message : String(error)}`,
      );
      this.#reconciler.mark();
    }
    if (this.#keeper.session === connection && connection !== undefined) {
      this.#armPoll();
    }
  }

  async #look(connection: BridgeConnection, hook: HookOptions): Promise<void> {
    const pool = await connection.pool();
    if (pool !== undefined) {
      this.#options.onPool(pool);
    }
    this.#pollCount += 1;
    const isMeterGone = pool === undefined && connection.place.meterId !== undefined;
    if (isMeterGone || !connection.hasMonitor) {
      this.#reconciler.mark();
    } else if (this.#pollCount % POLLS_PER_REFRESH === 0) {
      await connection.apply('refresh the hook', [hookRefresh(connection.place, hook)]);
    }
  }

  /** Whether the promise was fulfilled within the time; rejects when it rejects. */
  async #within(timeoutMs: number, promise: Promise<unknown>): Promise<boolean> {
    let timer: Timer | undefined;
    const timeout = new Promise<false>((resolve) => {
      timer = this.#options.clock.setTimer(() => resolve(false), timeoutMs);
    });
    const isInTime = await Promise.race([promise.then(() => true), timeout]);
    timer?.cancel();
    return isInTime;
  }
}

function isSameHook(a: HookOptions | undefined, b: HookOptions | undefined): boolean {
  return (
    a?.maxSampleRate === b?.maxSampleRate &&
    a?.observationDomainId === b?.observationDomainId &&
    a?.observationPointId === b?.observationPointId
  );
}
