// Reconciles the hook and the two meters of one bridge: three objects, so a reconciliation takes at most 14 messages and is
// not delayed by users' flows, which translation-reconciler.ts reconciles. Once a second it polls the meters' counters, and
// three times per hard timeout it refreshes the hook's hard timeout.
//
//   state      meaning                                                         next states
//   ---------  --------------------------------------------------------------  ----------------------------
//   absent     nothing is desired, and nothing is known to be installed        pending
//   pending    desired, and not yet read back on the current connection        installed, refused, removing
//   installed  read back as desired; the probability of samples may change     pending, refused, removing
//   refused    the bridge cannot have them; a condition says why; retried        installed, pending, removing
//   removing   no longer desired, and the removal is not confirmed             absent, pending

import type { Condition } from '../config/condition.ts';
import { type FlowMonitorEvent, type FlowStats, OpenFlowConnectionError } from '../node-openflow/index.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';
import { within } from '../runtime/within.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import type { BridgeEvents } from './bridge-session-options.ts';
import { HOOK_HARD_TIMEOUT_SECONDS, hookRefresh, isSampledByDatapath, planHook } from './hook.ts';
import {
  describeBound,
  type HookDesired,
  isNothingDesired,
  isSameHook,
  isSampledAlike,
  NO_HOOK,
  needsHookMeter,
  planMeterRemovals,
  planMeters,
} from './hook-desired.ts';
import { checkRefusal, HookRefused, type UnmeteredPolicy } from './hook-refusal.ts';
import { planMeter, type SwitchStep } from './meter.ts';
import { type MeterEvents, MeterReadings } from './meter-readings.ts';
import { Reconciler, type ReconcilerStatus } from './reconciler.ts';

/** See the head of the file. */
export type HookState = 'absent' | 'pending' | 'installed' | 'refused' | 'removing';

export interface HookReconcilerOptions extends MeterEvents {
  readonly bridge: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly unmetered: UnmeteredPolicy;
  /** Called when the meter of the actions after `sample` actions was added. */
  readonly onSampleMeterAdded: () => void;
  /** See `BridgeEvents.onHook`. */
  readonly onHook: BridgeEvents['onHook'];
  /** Called when the state or what is installed has changed. */
  readonly onChange: () => void;
}

/** Milliseconds between two polls of the meters. */
export const POLL_MS = 1000;
/** Milliseconds after which the hook's hard timeout is refreshed: a third of it. */
const REFRESH_MS = (HOOK_HARD_TIMEOUT_SECONDS * 1000) / 3;
/** Milliseconds that the switch may take for a reconciliation or a poll; then the connection is closed and reopened. */
const ANSWER_MS_MAX = 10_000;
/** OFPRR_HARD_TIMEOUT (OpenFlow 1.4.1, section 7.4.4). */
const REMOVED_BY_HARD_TIMEOUT = 1;

export class HookReconciler {
  readonly #options: HookReconcilerOptions;
  readonly #reconciler: Reconciler;
  readonly #readings: MeterReadings;
  #state: HookState = 'absent';
  #desired: HookDesired = NO_HOOK;
  #connection: BridgeConnection | undefined;
  /** What was read back on the current connection. */
  #installed: HookDesired | undefined;
  /** The hook of the last reconciliation, on whatever connection. */
  #lastHook: HookDesired['hook'];
  #condition: Condition | undefined;
  #pollTimer: Timer | undefined;
  #refreshedMs = 0;
  #hasTimedOut = false;
  #repairs = 0;

  constructor(options: HookReconcilerOptions) {
    this.#options = options;
    this.#readings = new MeterReadings(options);
    this.#reconciler = new Reconciler({
      clock: options.clock,
      reconcile: () => this.#reconcile(),
      onFailure: (error) => this.#fail(error),
    });
  }

  get state(): HookState {
    return this.#state;
  }

  /** Whether the desired state was read back on the current connection. */
  get isSettled(): boolean {
    return this.#installed !== undefined && isSameHook(this.#installed, this.#desired);
  }

  /** Whether the bridge is sampled as desired; the probability of samples of the datapath may still be about to change. */
  get isHooked(): boolean {
    const isAlike = this.#installed !== undefined && isSampledAlike(this.#installed, this.#desired);
    return isAlike && this.#state === 'installed';
  }

  /** Whether the actions after `sample` actions may be added: their meter is installed, or the bridge has no meters. */
  get hasSampleMeter(): boolean {
    return this.#installed?.hasSampleMeter === true;
  }

  /** Times that a missing or modified hook or meter was reinstalled. */
  get repairs(): number {
    return this.#repairs;
  }

  get condition(): Condition | undefined {
    return this.#condition;
  }

  reconciler(): ReconcilerStatus {
    return this.#reconciler.status();
  }

  /** Sets the desired state. */
  setDesired(desired: HookDesired): void {
    if (isSameHook(desired, this.#desired)) {
      return;
    }
    const isAlike = this.#state === 'installed' && isSampledAlike(desired, this.#desired);
    this.#desired = desired;
    if (isAlike) {
      // The hook stays installed while its probability changes.
    } else if (!isNothingDesired(desired)) {
      this.#enter(this.#state === 'refused' ? 'refused' : 'pending');
    } else if (this.#state !== 'absent') {
      this.#enter('removing');
    }
    this.#reconciler.trigger();
  }

  /** A connection is ready: the actual state is read again. */
  connected(connection: BridgeConnection): void {
    this.#connection = connection;
    this.#installed = undefined;
    this.#reconciler.trigger();
    this.#armPoll();
  }

  /** The connection has ended. */
  disconnected(): void {
    this.#connection = undefined;
    this.#installed = undefined;
    this.#pollTimer?.cancel();
    this.#readings.disconnected();
    this.#options.onHook('disconnected');
    if (this.#state === 'installed') {
      this.#enter('pending');
    }
    this.#options.onChange();
  }

  /** Another client has modified the meter with this id: the actual state is read again. */
  meterModified(meterId: number): void {
    if (this.#connection !== undefined) {
      this.#readings.modified(this.#connection, meterId);
    }
    this.#reconciler.trigger();
  }

  /** Reads the actual state again, which is unknown until then. */
  resync(): void {
    this.#installed = undefined;
    this.#reconciler.trigger();
  }

  /** A flow monitor reports a change in the hook's slot. */
  observe(event: FlowMonitorEvent): void {
    if (event.event === 'removed') {
      this.#hasTimedOut = event.reason === REMOVED_BY_HARD_TIMEOUT;
    }
    // A monitor on another connection reports the daemon's own modifications as well. On the main one each report counts, also
    // before the hook is read back: proofs (hook-proof.ts) that follow do not show it any more.
    const isOnMain = this.#connection?.hasMonitor === true;
    const isLoss = isOnMain || (event.event === 'removed' && this.#installed?.hook !== undefined);
    if (isLoss && this.#desired.hook !== undefined) {
      this.#options.onHook('missing');
    }
    this.#reconciler.trigger();
  }

  /** Stops reconciling and polling. */
  stop(): void {
    this.#reconciler.stop();
    this.#pollTimer?.cancel();
  }

  async #reconcile(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) {
      return;
    }
    const desired = this.#desired;
    await this.#bounded(connection, this.#apply(connection, desired));
    if (this.#connection !== connection) {
      return;
    }
    const isFirst = this.#installed?.hook === undefined && desired.hook !== undefined;
    this.#installed = desired;
    this.#lastHook = desired.hook;
    this.#condition = undefined;
    if (desired.hook !== undefined) {
      this.#options.onHook('installed');
    }
    if (isSameHook(desired, this.#desired)) {
      this.#enter(isNothingDesired(desired) ? 'absent' : 'installed');
    }
    if (isFirst) {
      const { bridge, log } = this.#options;
      const bound = describeBound(connection, desired);
      log.info(`bridge ${bridge}: hook installed (${connection.protocol}, ${bound})`);
    }
    this.#options.onChange();
  }

  /** Adds meters before the hook, which would be unmetered without them, and removes unused meters after it. */
  async #apply(connection: BridgeConnection, desired: HookDesired): Promise<void> {
    const observed = await connection.observe();
    checkRefusal(this.#options, connection, observed, desired);
    const { meters, slot } = connection;
    const before = planMeters(connection, observed, desired);
    const added = before.flatMap(({ meterChange }) =>
      meterChange?.event === 'meterAdded' ? meterChange.meterId : [],
    );
    const isHookMeterNew = added.some((meterId) => meterId === meters.hook);
    // OVS looks up the meter of an action when the flow is written: a hook older than its meter would be unmetered.
    const isHookOutdated = isHookMeterNew && needsHookMeter(desired) && !isSampledByDatapath(observed.hook);
    const hook = planHook(isHookOutdated ? undefined : observed.hook, slot, desired.hook);
    if (desired.hook !== undefined && hook.length > 0 && !this.#isLastHook(connection, observed.hook)) {
      this.#options.onHook('missing');
    }
    this.#noteRepair([...before, ...hook], desired);
    await this.#readings.changing(connection, before);
    await this.#send(connection, before);
    await this.#send(connection, [...hook, ...planMeterRemovals(connection, observed, desired)]);
    if (before.length + hook.length > 0) {
      await this.#readBack(connection, desired);
    }
    if (hook.length > 0) {
      this.#refreshedMs = this.#nowMs();
    }
    await this.#readings.begin(connection, desired);
    if (added.some((meterId) => meterId === meters.sample)) {
      this.#options.onSampleMeterAdded();
    }
  }

  /** Sends all messages of the steps and one barrier. */
  async #send(connection: BridgeConnection, steps: readonly SwitchStep[]): Promise<void> {
    if (steps.length > 0) {
      const what = steps.map((step) => step.what).join(' and ');
      await connection.apply(
        what,
        steps.flatMap((step) => step.messages),
      );
    }
  }

  /** Reads the hook and its meter back, because a switch may accept a message without effect. */
  async #readBack(connection: BridgeConnection, desired: HookDesired): Promise<void> {
    const { slot, meters } = connection;
    const hook = await connection.observeHook();
    const isMetered = needsHookMeter(desired);
    const hookMeter = isMetered ? await connection.observeMeter(meters.hook) : undefined;
    const [left] = [
      ...(!isMetered ? [] : planMeter(meters.hook, hookMeter, desired.maxSampleRate)),
      ...planHook(hook, slot, desired.hook),
    ];
    if (left !== undefined) {
      throw new Error(
        `Bridge ${this.#options.bridge} accepted the request to ${left.what} but did not do it`,
      );
    }
  }

  /** Records a repair: a repeated step means that another client has undone it, or that the hook timed out. */
  #noteRepair(steps: readonly SwitchStep[], desired: HookDesired): void {
    const isOverdue = this.#nowMs() - this.#refreshedMs >= HOOK_HARD_TIMEOUT_SECONDS * 1000;
    const hasTimedOut = desired.hook !== undefined && (this.#hasTimedOut || isOverdue);
    this.#hasTimedOut = false;
    if (steps.length === 0 || this.#installed === undefined || !isSameHook(desired, this.#installed)) {
      return;
    }
    this.#repairs += 1;
    const { bridge, log } = this.#options;
    const what = steps.map((step) => step.what).join(' and ');
    log
      .limited('repair')
      .warn(
        hasTimedOut
          ? `bridge ${bridge}: the hook's hard timeout expired before it was refreshed; reinstalled (${what})`
          : `bridge ${bridge}: another client modified the hook or its meters; reinstalled (${what})`,
      );
  }

  #fail(error: Error): void {
    const { bridge, log } = this.#options;
    if (error instanceof OpenFlowConnectionError) {
      // The keeper reports the end of the connection and opens the next one.
      return;
    }
    if (!isNothingDesired(this.#desired)) {
      this.#enter('refused');
    }
    this.#condition =
      error instanceof HookRefused
        ? error.condition
        : {
            code: 'hook-refused',
            severity: 'error',
            where: `Bridge ${bridge}`,
            message: `${reasonOf(error)}.`,
            action: 'It is retried; the log of ovs-vswitchd may say more.',
          };
    log.limited('hook').error(`bridge ${bridge}: ${reasonOf(error)}`);
    this.#options.onChange();
  }

  #armPoll(): void {
    this.#pollTimer?.cancel();
    this.#pollTimer = this.#options.clock.setTimer(() => void this.#poll(), POLL_MS);
  }

  async #poll(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) {
      return;
    }
    try {
      const installed = this.#installed;
      if (installed !== undefined && this.#reconciler.status().state === 'idle') {
        await this.#bounded(connection, this.#read(connection, installed));
      }
    } catch (error) {
      // The keeper reports the end of the connection; any other failure recurs in the next reconciliation.
      this.#options.log.debug(`bridge ${this.#options.bridge}: ${reasonOf(error)}`);
      this.#reconciler.trigger();
    }
    if (this.#connection === connection) {
      this.#armPoll();
    }
  }

  /** Reads the meters, refreshes the hard timeout when due, and reads the hook where no monitor reports it. */
  async #read(connection: BridgeConnection, installed: HookDesired): Promise<void> {
    const { slot } = connection;
    const hasMeters = await this.#readings.poll(connection, installed);
    const isHookWrong =
      !connection.hasMonitor && !this.#isHookRight(connection, await connection.observeHook());
    if (!hasMeters || isHookWrong) {
      this.#reconciler.trigger();
    } else if (installed.hook !== undefined && this.#nowMs() - this.#refreshedMs >= REFRESH_MS) {
      await connection.apply('refresh the hard timeout of the hook', [hookRefresh(slot, installed.hook)]);
      this.#refreshedMs = this.#nowMs();
    }
    if (needsHookMeter(installed) && this.#reconciler.status().state === 'idle') {
      this.#options.onHook('installed');
    }
  }

  /** Whether the flow in the slot is the hook of the last reconciliation, which samples until it is replaced. */
  #isLastHook({ slot }: BridgeConnection, hook: FlowStats | undefined): boolean {
    return this.#lastHook !== undefined && planHook(hook, slot, this.#lastHook).length === 0;
  }

  #isHookRight(connection: BridgeConnection, hook: FlowStats | undefined): boolean {
    return planHook(hook, connection.slot, this.#desired.hook).length === 0;
  }

  /** Limits the time of `work`: a switch may answer echo requests but no others. */
  async #bounded(connection: BridgeConnection, work: Promise<void>): Promise<void> {
    const { bridge, clock } = this.#options;
    const late = `bridge ${bridge} has not answered for ${ANSWER_MS_MAX} ms`;
    try {
      await within(clock, ANSWER_MS_MAX, late, work);
    } catch (error) {
      if (error instanceof Error && error.message === late) {
        connection.close(error);
      }
      throw error;
    }
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMicros() / 1000;
  }

  #enter(state: HookState): void {
    this.#state = state;
  }
}
