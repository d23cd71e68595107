// Keeps the `sample` actions of one bridge's flows and groups translated: has flow-translator.ts and group-session.ts rewrite
// them, in passes of their own that may take seconds and do not delay the hook. Flows are read over the main connection only,
// and never written back in an OpenFlow version that does not show all of a flow.
//
//   state       meaning                                                              next states
//   ----------  -------------------------------------------------------------------  -------------------------------
//   off         no set is desired, and no flow is known to have our actions          waiting
//   waiting     desired, without a connection or without the meter of our actions    reading, off
//   reading     all flows are being read                                             rewriting, failed
//   rewriting   flows and groups are being rewritten                                 translated, off, failed
//   translated  every flow and group that can be is as desired                       reading, rewriting, waiting
//   unsafe      OpenFlow 1.0 hides parts of flows, so that none is rewritten         off, waiting
//   failed      the last pass failed; it is retried                                  reading, rewriting, waiting

import { describeProblem, type Problem } from '../config/problem.ts';
import { appliedActions, type FlowMonitorEvent, OpenFlowConnectionError } from '../node-openflow/index.ts';
import type { Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import { FlowTranslator, type FlowTranslatorStatus } from './flow-translator.ts';
import { GroupSession, type GroupSessionOptions } from './group-session.ts';
import { isInHookSlot } from './hook.ts';
import { Reconciler, type ReconcilerStatus } from './reconciler.ts';
import { hasOurActions, isSameSets } from './translation.ts';
import { leftInFlows, shownInPart } from './translation-problems.ts';

/** See the head of the file. */
export type TranslationState =
  | 'off'
  | 'waiting'
  | 'reading'
  | 'rewriting'
  | 'translated'
  | 'unsafe'
  | 'failed';

export interface TranslationReconcilerOptions extends GroupSessionOptions {
  readonly log: Logger;
  /** Called when the state has changed. */
  readonly onChange: () => void;
}

export interface TranslationStatus extends FlowTranslatorStatus {
  readonly state: TranslationState;
  /** Flows that wait to be rewritten. */
  readonly pending: number;
  /** Groups with our action behind a `sample` of the set, by collector set id. */
  readonly groupsBySet: ReadonlyMap<number, number>;
  readonly groupRewrites: number;
}

/** Our actions remain in flows or groups that the switch does not let us restore, or that are not shown whole. */
class LeftBehind extends Error {}

/** Without a flow monitor, all flows are read this often, and more rarely where that takes long. */
export const DUMP_INTERVAL_MS = 1000;
/** Pause between two dumps of all flows, in times of how long the last one took: a tenth of the switch's time at most. */
const DUMP_PAUSE_FACTOR = 9;

export class TranslationReconciler {
  readonly #options: TranslationReconcilerOptions;
  readonly #reconciler: Reconciler;
  readonly #translator: FlowTranslator;
  readonly #groups: GroupSession;
  #state: TranslationState = 'off';
  #collectorSets: ReadonlySet<number> = new Set();
  #connection: BridgeConnection | undefined;
  #isMeterInstalled = false;
  /** Whether flows may have changed in a way that only a dump shows. */
  #isUnread = true;
  #nextDumpMs = 0;
  #dumpTimer: Timer | undefined;
  /** Whether flows may have actions of ours, from this or another connection, that have not been removed since. */
  #mayHaveActions = false;
  /** The sets that groups were last translated for, and flows. */
  #groupSets: ReadonlySet<number> | undefined;
  #translatedSets: ReadonlySet<number> = new Set();
  /** Events that arrive while the reply with all flows does: they are newer than it. */
  #early: FlowMonitorEvent[] | undefined;
  /** Flows with our actions that cannot be restored on this connection. */
  #unrestorable = 0;
  #canRestore = true;

  constructor(options: TranslationReconcilerOptions) {
    this.#options = options;
    this.#translator = new FlowTranslator({ bridge: options.bridge });
    this.#groups = new GroupSession(options);
    this.#reconciler = new Reconciler({
      clock: options.clock,
      pass: () => this.#pass(),
      onFailure: (error) => this.#fail(error),
    });
  }

  get state(): TranslationState {
    return this.#state;
  }

  /** The sets for which the last pass that succeeded has translated all flows. */
  get translatedSets(): ReadonlySet<number> {
    return this.#translatedSets;
  }

  /** Whether all flows of the present connection have to be followed. */
  get isWatching(): boolean {
    return this.#connection?.isWatchingFlows === true;
  }

  /** Flows that have our actions: while nothing is desired, those that are not restored yet. It looks at all flows. */
  countWithOurActions(): number {
    return this.#unrestorable + this.#translator.countWithOurActions();
  }

  /** Whether flows or groups that still have our actions may be restored by waiting; otherwise retries do not help. */
  get canRestore(): boolean {
    return this.#state !== 'failed' || this.#canRestore;
  }

  /** Flows whose rewriting is pending. */
  get pending(): number {
    return this.#translator.pending;
  }

  problems(): readonly Problem[] {
    const unsafe = this.#state === 'unsafe' ? [shownInPart(this.#options.bridge)] : [];
    return [...unsafe, ...this.#translator.problems(), ...this.#groups.problems()];
  }

  status(): TranslationStatus {
    return {
      state: this.#state,
      pending: this.#translator.pending,
      ...this.#translator.status(),
      groupsBySet: this.#groups.groupsBySet,
      groupRewrites: this.#groups.rewrites,
    };
  }

  reconciler(): ReconcilerStatus {
    return this.#reconciler.status();
  }

  /** Sets the collector sets whose `sample` actions should reach the daemon. */
  setDesired(collectorSets: ReadonlySet<number>): void {
    if (isSameSets(collectorSets, this.#collectorSets)) {
      return;
    }
    this.#collectorSets = collectorSets;
    this.#mayHaveActions ||= collectorSets.size > 0;
    if (this.#state === 'off' && collectorSets.size > 0) {
      this.#enter('waiting');
    }
    this.#reconciler.trigger();
  }

  /** Reads all flows in the next pass and removes actions of ours that nothing is configured for. */
  scanForStaleActions(): void {
    this.#mayHaveActions = true;
    this.#isUnread = true;
    this.#groups.isStale = true;
    this.#reconciler.trigger();
  }

  /** A connection is ready. `isMeterInstalled`: the meter of our actions may be used. */
  connected(connection: BridgeConnection, isMeterInstalled: boolean): void {
    if (this.#connection === connection && this.#isMeterInstalled === isMeterInstalled) {
      return;
    }
    const isNew = this.#connection !== connection;
    if (isNew) {
      this.#forget();
      this.#connection = connection;
    }
    this.#isMeterInstalled = isMeterInstalled;
    if (isMeterInstalled || isNew) {
      this.#reconciler.trigger();
    }
  }

  /** The connection has ended. */
  disconnected(): void {
    this.#connection = undefined;
    this.#isMeterInstalled = false;
    this.#forget();
    if (this.#state !== 'off') {
      this.#enter('waiting');
    }
  }

  /** Another client has modified a group. */
  groupsModified(): void {
    this.#groups.isStale = true;
    this.#reconciler.trigger();
  }

  /** An event of a flow monitor on the main connection. */
  observe(event: FlowMonitorEvent): void {
    if (this.#early !== undefined) {
      this.#early.push(event);
    } else if (this.isWatching && this.#translator.observe(event)) {
      this.#reconciler.trigger();
    }
  }

  /** An event of a flow monitor in OpenFlow 1.0, which shows flows in part only: it decides whether they are read again. */
  observePartial(event: FlowMonitorEvent): void {
    const isRelevant =
      event.event === 'resumed' ||
      event.event === 'removed' ||
      ('instructions' in event && this.#translator.isUntranslated(event));
    if (isRelevant) {
      this.requestDump();
    }
  }

  /** Reads all flows again, soon: where changes are not reported, or only that there are some. */
  requestDump(): void {
    if (!this.isWatching) {
      return;
    }
    this.#isUnread = true;
    const waitMs = this.#nextDumpMs - this.#nowMs();
    if (waitMs <= 0) {
      this.#reconciler.trigger();
    } else {
      this.#dumpTimer ??= this.#options.clock.setTimer(() => {
        this.#dumpTimer = undefined;
        this.#reconciler.trigger();
      }, waitMs);
    }
  }

  settled(): Promise<void> {
    return this.#reconciler.settled();
  }

  stop(): void {
    this.#reconciler.stop();
    this.#dumpTimer?.cancel();
  }

  async #pass(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) {
      return;
    }
    const collectorSets = this.#collectorSets;
    const isDesired = collectorSets.size > 0;
    if (!isDesired && !connection.isWatchingFlows && !this.#mayHaveActions) {
      this.#enter('off');
      return;
    }
    if (!connection.showsWholeFlows) {
      await this.#passUnsafe(connection);
      return;
    }
    if (isDesired && !this.#isMeterInstalled) {
      this.#enter('waiting');
      return;
    }
    const options = { collectorSets, meterId: connection.meters.sample };
    this.#translator.setOptions(options);
    await this.#read(connection);
    if (isDesired || this.#translator.pending > 0) {
      this.#enterUnlessTranslated('rewriting');
    }
    if (this.#translator.pending > 0) {
      // The events that the switch has queued arrive before the reply: without them a newer change would be overwritten.
      await connection.openflow.request({ type: 'barrier_request' });
    }
    await this.#translator.run((messages) => connection.openflow.transact(messages));
    if (
      this.#groups.isStale ||
      this.#groupSets === undefined ||
      !isSameSets(collectorSets, this.#groupSets)
    ) {
      await this.#groups.run(connection, options);
      this.#groupSets = collectorSets;
    }
    if (this.#connection === connection) {
      this.#finish(collectorSets);
    }
  }

  /** A refused flow or group is a problem and stops nothing else, but one that keeps our actions is a failure. */
  #finish(collectorSets: ReadonlySet<number>): void {
    const refusal = this.problems().find(({ code }) => code === 'translation-refused');
    if (refusal !== undefined && collectorSets.size === 0) {
      throw new LeftBehind(`Actions of ours are left behind. ${refusal.where}: ${refusal.message}`);
    }
    if (refusal !== undefined) {
      this.#options.log.limited('translation').warn(describeProblem(refusal));
    }
    this.#mayHaveActions = collectorSets.size > 0;
    this.#translatedSets = collectorSets;
    if (isSameSets(collectorSets, this.#collectorSets)) {
      this.#enter(collectorSets.size > 0 ? 'translated' : 'off');
    }
  }

  /** Reads all flows, if there is no monitor that has reported each change since they were last read. */
  async #read(connection: BridgeConnection): Promise<void> {
    if (connection.isWatchingFlows && (connection.hasMonitor || !this.#isUnread)) {
      return;
    }
    this.#enterUnlessTranslated('reading');
    const startMs = this.#nowMs();
    this.#isUnread = false;
    try {
      if (connection.isWatchingFlows) {
        const flows = await connection.dumpFlows();
        this.#translator.observeAll(flows.filter((flow) => !isInHookSlot(flow, connection.slot.mark)));
      } else {
        await this.#startWatching(connection);
      }
    } catch (error) {
      this.#isUnread = true;
      throw error;
    }
    const tookMs = this.#nowMs() - startMs;
    this.#nextDumpMs = this.#nowMs() + tookMs * DUMP_PAUSE_FACTOR;
  }

  async #startWatching(connection: BridgeConnection): Promise<void> {
    const early: FlowMonitorEvent[] = [];
    this.#translator.forget();
    this.#early = early;
    try {
      const initial = await connection.watchFlows();
      for (const event of [...initial, ...early]) {
        if (!('match' in event && isInHookSlot(event, connection.slot.mark))) {
          this.#translator.observe(event);
        }
      }
    } finally {
      this.#early = undefined;
    }
    this.#options.onChange();
  }

  /** In OpenFlow 1.0 nothing is rewritten; flows that have our actions from another time are counted and reported. */
  async #passUnsafe(connection: BridgeConnection): Promise<void> {
    const isDesired = this.#collectorSets.size > 0;
    const flows = isDesired || !this.#mayHaveActions ? [] : await connection.dumpFlows();
    const others = flows.filter((flow) => !isInHookSlot(flow, connection.slot.mark));
    this.#unrestorable = others.filter((flow) => hasOurActions(appliedActions(flow.instructions))).length;
    if (isDesired) {
      this.#enter('unsafe');
    } else if (this.#unrestorable > 0) {
      throw new LeftBehind(leftInFlows(this.#options.bridge, this.#unrestorable));
    } else {
      this.#mayHaveActions = false;
      this.#enter('off');
    }
  }

  #fail(error: Error): void {
    if (error instanceof OpenFlowConnectionError) {
      // The keeper reports the end of the connection and opens the next one.
      return;
    }
    this.#canRestore = !(error instanceof LeftBehind);
    this.#enter('failed');
    this.#options.log.limited('translation').warn(`bridge ${this.#options.bridge}: ${reasonOf(error)}`);
  }

  #forget(): void {
    this.#translator.forget();
    this.#groups.isStale = true;
    this.#groupSets = undefined;
    this.#isUnread = true;
    this.#unrestorable = 0;
    this.#dumpTimer?.cancel();
    this.#dumpTimer = undefined;
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMicros() / 1000;
  }

  /** Following users' changes keeps the state: only the first reading and rewriting are states of their own. */
  #enterUnlessTranslated(state: TranslationState): void {
    if (this.#state !== 'translated' || !isSameSets(this.#translatedSets, this.#collectorSets)) {
      this.#enter(state);
    }
  }

  #enter(state: TranslationState): void {
    if (state !== this.#state) {
      this.#state = state;
      this.#options.onChange();
    }
  }
}
