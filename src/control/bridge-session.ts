// Keeps one bridge as it is wished: a connection that is made again whenever it ends, a pass whenever something may differ,
// and once a second a look at what the meters have counted. Who deletes the hook or replaces a flow gets it back at once.

import type { Duplex } from 'node:stream';
import type { Problem } from '../config/problem.ts';
import type { PacketInView } from '../node-openflow/index.ts';
import { OpenFlowConnectionError, type OpenFlowVersion } from '../node-openflow/index.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Endpoint, TlsFiles } from '../runtime/endpoint.ts';
import { ConnectionKeeper, type KeeperStatus } from '../runtime/keeper.ts';
import type { Logger } from '../runtime/log.ts';
import type { ReadMemory } from '../runtime/read-memory.ts';
import { clause, reasonOf } from '../runtime/sentence.ts';
import { BridgeConnection } from './bridge-connection.ts';
import {
  BridgeProgram,
  type BridgeProgramOptions,
  type BridgeWish,
  isNothing,
  isSameWish,
  NOTHING_WISHED,
  ProgramRefused,
} from './bridge-program.ts';
import type { FlowTranslatorStatus } from './flow-translator.ts';
import { Reconciler, type ReconcilerStatus } from './reconciler.ts';

export interface BridgeSessionOptions extends BridgeProgramOptions {
  readonly endpoint: Endpoint;
  readonly tls: TlsFiles | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called for each packet-in of ours; the view is only good until the call returns. */
  readonly onPacketIn: (packetIn: PacketInView) => void;
}

/** absent: not wanted, or gone with the connection; waiting: not there yet; in place: as it should be; failed: see `reconciler`. */
export type HookState = 'absent' | 'waiting' | 'in place' | 'failed';

export interface BridgeSessionStatus {
  /** Of everything that is wished, the hook and the translated actions. */
  readonly hook: HookState;
  readonly connection: KeeperStatus;
  readonly reconciler: ReconcilerStatus;
  /** The OpenFlow version in use, such as "OpenFlow 1.4". */
  readonly protocol: string | undefined;
  /** Packet-ins a second that each of our meters lets pass; undefined without meters. */
  readonly meterRate: number | undefined;
  /** How often hook or meters were gone or changed by somebody else and were put back. */
  readonly hookRepairs: number;
  readonly translation: FlowTranslatorStatus;
  /** Groups with our action behind a `sample` of the set, by collector set id. */
  readonly groupsBySet: ReadonlyMap<number, number>;
  readonly groupRewrites: number;
}

/** Milliseconds between two looks at the meters. */
export const POLL_MS = 1000;
/** Failed attempts to connect after which a bridge counts as unreachable; a restart of vswitchd takes fewer. */
const UNREACHABLE_AFTER = 5;
/** How long taking everything out may take at the end. */
const REMOVAL_MS_MAX = 3500;
/** OpenFlow 1.0, 1.3 and 1.4: what is rewritten in these looks as its writer wrote it. 1.5 only where there is no other. */
const VERSIONS: readonly OpenFlowVersion[] = [1, 4, 5];
export const ALL_VERSIONS: readonly OpenFlowVersion[] = [1, 4, 5, 6];

/** Bytes that are read from a bridge at once at most: some hundred packet-ins. */
export const READ_MEMORY_BYTES = 65_536;

export class BridgeSession {
  readonly #options: BridgeSessionOptions;
  readonly #keeper: ConnectionKeeper<BridgeConnection>;
  readonly #reconciler: Reconciler;
  readonly #program: BridgeProgram;
  #versions = VERSIONS;
  #wish: BridgeWish = NOTHING_WISHED;
  #state: HookState = 'absent';
  #problem: Problem | undefined;
  #pollTimer: Timer | undefined;
  #signalUp: () => void = () => {};
  readonly #cameUp = new Promise<void>((resolve) => {
    this.#signalUp = resolve;
  });

  constructor(options: BridgeSessionOptions) {
    const { bridge, clock, log } = options;
    this.#options = options;
    this.#program = new BridgeProgram(options);
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
      readMemoryBytes: READ_MEMORY_BYTES,
      open: (stream, readMemory) => this.#open(stream, readMemory),
      onUp: () => {
        this.#program.forget();
        this.#reconciler.mark();
        this.#armPoll();
        this.#signalUp();
      },
      onDown: () => {
        this.#pollTimer?.cancel();
        this.#program.forget();
        this.#state = isNothing(this.#wish) ? 'absent' : 'waiting';
      },
    });
  }

  start(): void {
    this.#keeper.start();
  }

  /** What the bridge should have of ours from now on. */
  setWish(wish: BridgeWish): void {
    if (isSameWish(wish, this.#wish)) {
      return;
    }
    this.#wish = wish;
    this.#state = this.#state === 'absent' && !isNothing(wish) ? 'waiting' : this.#state;
    this.#reconciler.mark();
  }

  /** Has flows searched for actions of ours that nobody wished for. */
  sweep(): void {
    this.#program.sweep();
    this.#reconciler.mark();
  }

  /** Connects at once if a pause is under way, and looks through everything that the switch has of ours. */
  lookAgain(): void {
    this.#keeper.endPause();
    this.sweep();
  }

  /** Takes everything out, as long as the bridge is there to be told, and closes the connection. */
  async stop(): Promise<void> {
    this.setWish(NOTHING_WISHED);
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
      throw new Error(`Bridge ${this.#options.bridge}: ${clause(reason)}.`);
    }
  }

  missing(): string | undefined {
    const isFulfilled = this.#state === 'in place' && isSameWish(this.#wish, this.#program.applied);
    if (isNothing(this.#wish) || isFulfilled) {
      return undefined;
    }
    const { lastError } = this.#reconciler.status();
    const reason = this.#keeper.session === undefined ? this.#keeper.status().lastError : lastError;
    return `Bridge ${this.#options.bridge} is not hooked${reason === undefined ? '' : `: ${clause(reason)}`}.`;
  }

  problems(): readonly Problem[] {
    const { failureCount } = this.#keeper.status();
    if (this.#keeper.session !== undefined || failureCount < UNREACHABLE_AFTER) {
      const own = this.#problem === undefined ? [] : [this.#problem];
      return [...own, ...this.#program.problems()];
    }
    return [this.#unreachable()];
  }

  #unreachable(): Problem {
    const { bridge } = this.#options;
    const { endpoint, lastError, lastErrorCode } = this.#keeper.status();
    const reason = clause(lastError ?? 'no reason known');
    const isVersion = lastErrorCode === 'OPENFLOW_VERSION';
    return {
      code: 'bridge-unreachable',
      severity: 'error',
      where: `Bridge ${bridge}`,
      message: isVersion
        ? `We cannot talk to it over its OpenFlow socket ${endpoint}: ${reason}.`
        : `Its OpenFlow socket ${endpoint} cannot be reached: ${reason}.`,
      remedy: isVersion
        ? `Allow one of our versions beside those in its column protocols, with "ovs-vsctl add Bridge ${bridge} protocols OpenFlow14".`
        : 'See that ovs-vswitchd runs and that OVS_RUNDIR or --openflow names its sockets.',
    };
  }

  status(): BridgeSessionStatus {
    const session = this.#keeper.session;
    const { translator, groups, repairs } = this.#program;
    return {
      hook: this.#state,
      connection: this.#keeper.status(),
      reconciler: this.#reconciler.status(),
      protocol: session?.protocol,
      meterRate: session?.meters.hook === undefined ? undefined : this.#wish.maxSampleRate,
      hookRepairs: repairs,
      translation: translator.status(),
      groupsBySet: groups.groupsBySet,
      groupRewrites: groups.rewrites,
    };
  }

  async #open(stream: Duplex, readMemory: ReadMemory | undefined): Promise<BridgeConnection> {
    const { bridge, mark, log, onPacketIn } = this.#options;
    try {
      return await BridgeConnection.open(stream, {
        ...(readMemory === undefined ? {} : { source: readMemory }),
        bridge,
        mark,
        log,
        versions: this.#versions,
        onPacketIn,
        onTouched: (what) => {
          this.#program.groups.isStale ||= what === 'group';
          this.#reconciler.mark();
        },
        onFlowEvents: (events) => {
          if (this.#program.observeFlows(this.#keeper.session, events)) {
            this.#reconciler.mark();
          }
        },
      });
    } catch (error) {
      if (error instanceof OpenFlowConnectionError && error.code === 'OPENFLOW_VERSION') {
        this.#versions = ALL_VERSIONS;
      }
      throw error;
    }
  }

  async #pass(): Promise<void> {
    const connection = this.#keeper.session;
    if (connection === undefined) {
      return;
    }
    const wish = this.#wish;
    const isFirst = this.#program.applied === undefined;
    await this.#program.apply(connection, wish);
    if (this.#keeper.session !== connection) {
      return;
    }
    if (isFirst && !isNothing(wish)) {
      this.#options.log.info(`bridge ${this.#options.bridge}: hook in place`);
    }
    this.#problem = undefined;
    this.#state = isNothing(wish) ? 'absent' : 'in place';
  }

  #fail(error: Error): void {
    const { bridge, log } = this.#options;
    const isRefused = error instanceof ProgramRefused;
    this.#state = 'failed';
    this.#problem = {
      code: isRefused ? error.code : 'hook-refused',
      severity: 'error',
      where: `Bridge ${bridge}`,
      message: `${reasonOf(error)}.`,
      remedy: isRefused ? error.remedy : 'It is tried again by itself; see the log of ovs-vswitchd.',
    };
    log.limited('hook').warn(`bridge ${bridge}: ${error.message}`);
  }

  #armPoll(): void {
    this.#pollTimer?.cancel();
    this.#pollTimer = this.#options.clock.setTimer(() => void this.#poll(), POLL_MS);
  }

  async #poll(): Promise<void> {
    const connection = this.#keeper.session;
    const wish = this.#program.applied;
    try {
      const isQuiet = this.#reconciler.status().state === 'idle';
      if (
        connection !== undefined &&
        wish !== undefined &&
        isQuiet &&
        (await this.#program.look(connection, wish))
      ) {
        this.#reconciler.mark();
      }
    } catch (error) {
      // A connection that ended meanwhile has told the keeper already; anything else shows in the next pass.
      this.#options.log.debug(`bridge ${this.#options.bridge}: ${reasonOf(error)}`);
      this.#reconciler.mark();
    }
    if (this.#keeper.session === connection && connection !== undefined) {
      this.#armPoll();
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
