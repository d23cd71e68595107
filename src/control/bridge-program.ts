// What we have programmed into one bridge: meters, the hook, and our actions behind users' `sample` actions. `apply` makes
// it as wished: it looks, sends what differs in the order that the dependencies want, and looks again.

import { describeProblem, type Problem, type ProblemCode } from '../config/problem.ts';
import type { RegisterBit } from '../config/settings.ts';
import type { PoolCounters } from '../flow/sampler.ts';
import type { FlowMonitorEvent } from '../node-openflow/index.ts';
import type { Logger } from '../runtime/log.ts';
import type { BridgeConnection, ObservedSwitch } from './bridge-connection.ts';
import { FlowTranslator } from './flow-translator.ts';
import { GroupSession, type GroupSessionOptions } from './group-session.ts';
import { type HookOptions, hookRefresh, isAtHookPlace, planHook } from './hook.ts';
import { isForeignMeter, planMeter, planMeterRemoval, type SwitchStep } from './meter.ts';
import { isSameSets } from './translation.ts';

/** What a bridge is to have of ours. */
export interface BridgeWish {
  /** Packet-ins a second that each of our meters lets pass at most. */
  readonly maxSampleRate: number;
  /** Undefined: the bridge is not sampled as a whole. */
  readonly hook: HookOptions | undefined;
  /** The collector sets whose `sample` actions are to reach us. */
  readonly collectorSets: ReadonlySet<number>;
}

/** The wish of a bridge that is to be as if we had never been. */
export const NOTHING_WISHED: BridgeWish = { maxSampleRate: 0, hook: undefined, collectorSets: new Set() };

/** Whether a bridge is to have nothing of ours. */
export function isNothing(wish: BridgeWish): boolean {
  return wish.hook === undefined && wish.collectorSets.size === 0;
}

/** Whether both ask for the same. */
export function isSameWish(a: BridgeWish, b: BridgeWish | undefined): boolean {
  return (
    b !== undefined &&
    a.maxSampleRate === b.maxSampleRate &&
    a.hook?.observationDomainId === b.hook?.observationDomainId &&
    a.hook?.observationPointId === b.hook?.observationPointId &&
    isSameSets(a.collectorSets, b.collectorSets)
  );
}

export interface BridgeProgramOptions extends GroupSessionOptions {
  readonly bridge: string;
  readonly log: Logger;
  readonly mark: RegisterBit;
  /** What to do on a bridge without meters: nothing, or send every packet. */
  readonly unmetered: 'refuse' | 'allow';
  /** Whether flows are searched for our actions although no collector set is wished for: after an unclean end. */
  readonly sweeps: boolean;
  /** What the hook's meter has counted: about once a second, and nothing right after it was made. */
  readonly onPool: (pool: PoolCounters) => void;
  /** The same for the meter of the translated `sample` actions. */
  readonly onSamplePool: (pool: PoolCounters) => void;
}

/** Looks after which the hook's dead-man switch is wound up again: thrice in its time. */
const LOOKS_PER_REFRESH = 10;
const EMPTY_POOL: PoolCounters = { packets: 0n, octets: 0n, dropped: 0n };

/** A reason that keeps us out of a bridge and that an operator can mend. */
export class ProgramRefused extends Error {
  readonly code: ProblemCode;
  readonly remedy: string;

  constructor(code: ProblemCode, message: string, remedy: string) {
    super(message);
    this.name = 'ProgramRefused';
    this.code = code;
    this.remedy = remedy;
  }
}

export class BridgeProgram {
  readonly translator: FlowTranslator;
  readonly groups: GroupSession;
  readonly #options: BridgeProgramOptions;
  /** The wish that was last fulfilled on the present connection. */
  #applied: BridgeWish | undefined;
  #sweeps: boolean;
  #repairs = 0;
  #lookCount = 0;
  /** Changes told while the answer with all flows is on its way: they are newer than it. */
  #early: FlowMonitorEvent[] | undefined;

  constructor(options: BridgeProgramOptions) {
    this.#options = options;
    this.#sweeps = options.sweeps;
    this.translator = new FlowTranslator({ bridge: options.bridge });
    this.groups = new GroupSession(options);
  }

  /** How often hook or meters were gone or changed by somebody else and were put back. */
  get repairs(): number {
    return this.#repairs;
  }

  /** The wish that is fulfilled, on the present connection. */
  get applied(): BridgeWish | undefined {
    return this.#applied;
  }

  problems(): readonly Problem[] {
    return [...this.translator.problems(), ...this.groups.problems()];
  }

  /** A new connection tells everything anew. */
  forget(): void {
    this.#applied = undefined;
    this.translator.forget();
    this.groups.isStale = true;
  }

  /** Has flows searched for our actions at the next pass: a packet-in of an action that nobody wished for has come. */
  sweep(): void {
    this.#sweeps = true;
  }

  /** Takes in what flow monitors tell; true when a pass is due. */
  observeFlows(connection: BridgeConnection | undefined, events: readonly FlowMonitorEvent[]): boolean {
    let isPassDue = false;
    for (const event of events) {
      if ('match' in event && isAtHookPlace(event, this.#options.mark)) {
        isPassDue = true;
      } else if (this.#early !== undefined) {
        this.#early.push(event);
      } else if (connection?.isWatchingFlows === true) {
        isPassDue = this.translator.observe(event) || isPassDue;
      }
    }
    return isPassDue;
  }

  /** Meters before the flows that use them, for those would run unmetered; and meters that are not used after them. */
  async apply(connection: BridgeConnection, wish: BridgeWish): Promise<void> {
    const observed = await connection.observe();
    this.#refuseWhatCannotBe(connection, observed, wish);
    const steps = planProgram(connection, observed, wish);
    this.#noteRepair(steps, wish);
    for (const step of steps) {
      await this.#send(connection, step);
    }
    await this.#translate(connection, wish);
    for (const step of planCleaning(connection, observed, wish)) {
      await this.#send(connection, step);
    }
    if (steps.length > 0) {
      const [left] = planProgram(connection, await connection.observe(), wish);
      if (left !== undefined) {
        throw new Error(`Bridge ${this.#options.bridge} did not ${left.what}, though it did not refuse to.`);
      }
    }
    this.#applied = wish;
  }

  /** The look of each second: reads the meters and winds up the dead-man switch. True when a pass is due. */
  async look(connection: BridgeConnection, wish: BridgeWish): Promise<boolean> {
    this.#lookCount += 1;
    let isPassDue = !connection.hasMonitor;
    if (wish.hook !== undefined) {
      const pool = await connection.pool(connection.meters.hook);
      if (pool !== undefined) {
        this.#options.onPool(pool);
      }
      isPassDue ||= pool === undefined && connection.meters.hook !== undefined;
      if (!isPassDue && this.#lookCount % LOOKS_PER_REFRESH === 0) {
        await connection.apply('refresh the hook', [hookRefresh(connection.place, wish.hook)]);
      }
    }
    if (wish.collectorSets.size > 0) {
      const pool = await connection.pool(connection.meters.sample);
      if (pool !== undefined) {
        this.#options.onSamplePool(pool);
      }
      isPassDue ||= pool === undefined && connection.meters.sample !== undefined;
    }
    return isPassDue;
  }

  async #send(connection: BridgeConnection, step: SwitchStep): Promise<void> {
    await connection.apply(step.what, step.messages);
    if (step.newMeterId !== undefined) {
      const isHookMeter = step.newMeterId === connection.meters.hook;
      (isHookMeter ? this.#options.onPool : this.#options.onSamplePool)(EMPTY_POOL);
    }
  }

  /** Users' flows and groups. A bridge for which no set was ever wished is not asked for its flows, which may be many. */
  async #translate(connection: BridgeConnection, wish: BridgeWish): Promise<void> {
    if (wish.collectorSets.size === 0 && !connection.isWatchingFlows && !this.#sweeps) {
      return;
    }
    const options = { collectorSets: wish.collectorSets, meterId: connection.meters.sample };
    this.translator.setOptions(options);
    if (!connection.isWatchingFlows) {
      await this.#watchFlows(connection);
    } else if (!connection.hasMonitor) {
      const flows = await connection.dumpFlows();
      this.translator.observeAll(flows.filter((flow) => !isAtHookPlace(flow, this.#options.mark)));
    }
    await this.translator.run((messages) => connection.openflow.transact(messages));
    const before = this.#applied?.collectorSets;
    if (this.groups.isStale || before === undefined || !isSameSets(wish.collectorSets, before)) {
      await this.groups.run(connection.openflow, options);
    }
    this.#sweeps = false;
    this.#noteRefusals(wish);
  }

  /** A flow or group that cannot be rewritten is a problem and stops nothing else, but to leave one behind is a failure. */
  #noteRefusals(wish: BridgeWish): void {
    const [refusal] = this.problems().filter(({ code }) => code === 'translation-refused');
    if (refusal === undefined) {
      return;
    }
    if (isNothing(wish)) {
      throw new Error(`Actions of ours are left behind. ${refusal.where}: ${refusal.message}`);
    }
    this.#options.log.limited('translation').warn(describeProblem(refusal));
  }

  async #watchFlows(connection: BridgeConnection): Promise<void> {
    const early: FlowMonitorEvent[] = [];
    this.translator.forget();
    this.#early = early;
    try {
      const initial = await connection.watchFlows();
      this.#early = undefined;
      this.observeFlows(connection, initial);
      this.observeFlows(connection, early);
    } finally {
      this.#early = undefined;
    }
  }

  /** Throws when we must not go in: we would be flooded, or take a user's meter away. */
  #refuseWhatCannotBe(connection: BridgeConnection, observed: ObservedSwitch, wish: BridgeWish): void {
    const { bridge, unmetered } = this.#options;
    const { meters } = connection;
    if (isNothing(wish)) {
      return;
    }
    if (meters.hook === undefined && unmetered === 'refuse') {
      throw new ProgramRefused(
        'no-meters',
        `There are no OpenFlow meters over ${connection.protocol}, so nothing would bound the packets sent to us.`,
        `Allow OpenFlow 1.3 or later with "ovs-vsctl set bridge ${bridge} protocols=OpenFlow10,OpenFlow13,OpenFlow14,` +
          'OpenFlow15", or run with --unmetered=allow.',
      );
    }
    const foreign = [observed.hookMeter, observed.sampleMeter].find(
      (meter) => meter !== undefined && isForeignMeter(meter),
    );
    if (foreign !== undefined) {
      throw new ProgramRefused(
        'meter-in-use',
        `The meter ${foreign.meterId} is somebody else's, and we need that id.`,
        `Move the meter to another id, or see it with "ovs-ofctl -O OpenFlow13 dump-meters ${bridge}".`,
      );
    }
  }

  /** A step that the last pass had done already means that somebody has undone it. */
  #noteRepair(steps: readonly SwitchStep[], wish: BridgeWish): void {
    if (steps.length === 0 || wish !== this.#applied) {
      return;
    }
    this.#repairs += 1;
    const what = steps.map((step) => step.what).join(' and ');
    this.#options.log
      .limited('repair')
      .warn(`bridge ${this.#options.bridge}: somebody changed what is ours; we ${what} again`);
  }
}

/** What is missing or wrong, in the order in which it is to be sent. */
function planProgram(
  connection: BridgeConnection,
  observed: ObservedSwitch,
  wish: BridgeWish,
): readonly SwitchStep[] {
  const { meters, place } = connection;
  return [
    ...(wish.hook === undefined ? [] : planMeter(meters.hook, observed.hookMeter, wish.maxSampleRate)),
    ...(wish.collectorSets.size === 0
      ? []
      : planMeter(meters.sample, observed.sampleMeter, wish.maxSampleRate)),
    ...planHook(observed.hook, place, wish.hook),
  ];
}

/** Meters that nothing uses any more. */
function planCleaning(
  connection: BridgeConnection,
  observed: ObservedSwitch,
  wish: BridgeWish,
): readonly SwitchStep[] {
  const { meters } = connection;
  return [
    ...(wish.hook === undefined ? planMeterRemoval(meters.hook, observed.hookMeter) : []),
    ...(wish.collectorSets.size === 0 ? planMeterRemoval(meters.sample, observed.sampleMeter) : []),
  ];
}
