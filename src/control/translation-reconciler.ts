// Keeps the `sample` actions of one bridge's flows and groups translated: has flow-translator.ts and group-session.ts rewrite
// them, in separate reconciliations that may take seconds and do not delay the hook. Flows are read over the main connection only,
// and never written back in an OpenFlow version that does not show all of a flow.
//
//   state       meaning                                                   next states
//   ----------  --------------------------------------------------------  --------------------------------------------
//   off         no set is desired or followed, and no flow is known to    pending, reading, rewriting, failed
//               have companion actions
//   pending     no connection, or no meter for companion actions          reading, rewriting, unsafe, off, failed
//   reading     all flows are being read                                  rewriting, unsafe, off, pending, failed
//   rewriting   flows and groups are being rewritten                      translated, reading, off, pending, failed
//   translated  every flow and group that can be is as desired            reading, rewriting, off, pending, failed
//   following   flows are only read, for the probabilities of their       reading, rewriting, off, pending, failed
//               actions; none has companion actions
//   unsafe      OpenFlow 1.0 hides parts of flows: none is rewritten      reading, off, pending, failed
//   failed      the last reconciliation failed; it is retried             reading, rewriting, unsafe, off, pending

import { type Condition, describeCondition } from '../config/condition.ts';
import { appliedActions, type FlowMonitorEvent, OpenFlowConnectionError } from '../node-openflow/index.ts';
import { reasonOf } from '../runtime/sentence.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import { CHECKED_BATCH, rewriteChecked } from './checked-rewriting.ts';
import { FlowReader } from './flow-reader.ts';
import { type Rewriting, sendRewritings, type WriteBatch } from './flow-rewriting.ts';
import { FlowTranslator } from './flow-translator.ts';
import { GroupSession } from './group-session.ts';
import { HiddenTags } from './hidden-tags.ts';
import { isInHookSlot } from './hook.ts';
import { Reconciler, type ReconcilerStatus } from './reconciler.ts';
import { StaleActionSearch } from './stale-actions.ts';
import { hasOurActions, isSameSets } from './translation.ts';
import { leftInFlows, shownInPart } from './translation-conditions.ts';
import type {
  TranslationReconcilerOptions,
  TranslationState,
  TranslationStatus,
} from './translation-status.ts';

/** Companion actions remain in flows or groups that the switch refuses to restore, or that are not shown whole. */
class NotRestored extends Error {}

export class TranslationReconciler {
  readonly #options: TranslationReconcilerOptions;
  readonly #reconciler: Reconciler;
  readonly #translator: FlowTranslator;
  readonly #reader: FlowReader;
  readonly #groups: GroupSession;
  readonly #staleActions: StaleActionSearch;
  #state: TranslationState = 'off';
  #collectorSets: ReadonlySet<number> = new Set();
  #followedSets: ReadonlySet<number> = new Set();
  #connection: BridgeConnection | undefined;
  #isMeterInstalled = false;
  /** Whether flows may have companion actions, from this or another connection, that have not been removed since. */
  #mayHaveActions = false;
  /** The sets that flows were last translated for. */
  #translatedSets: ReadonlySet<number> = new Set();
  /** Flows with companion actions that cannot be restored on this connection. */
  #unrestorable = 0;
  #canRestore = true;
  /** How often the meter was added, and after which addition all flows with companion actions were last written. */
  #meterAdditions = 0;
  #writtenAfter = 0;

  constructor(options: TranslationReconcilerOptions) {
    this.#options = options;
    this.#translator = new FlowTranslator(options);
    this.#reader = new FlowReader({
      clock: options.clock,
      translator: this.#translator,
      onRead: () => this.#reconciler.trigger(),
      syncMonitor: options.syncMonitor,
    });
    this.#groups = new GroupSession(options);
    this.#staleActions = new StaleActionSearch(options);
    this.#reconciler = new Reconciler({
      clock: options.clock,
      reconcile: () => this.#reconcile(),
      onFailure: (error) => this.#fail(error),
    });
  }

  get state(): TranslationState {
    return this.#state;
  }

  /** Whether no flow has companion actions or should have any. */
  get isIdle(): boolean {
    return this.#state === 'off' || this.#state === 'following';
  }

  /** The sets for which the last reconciliation that succeeded has translated all flows. */
  get translatedSets(): ReadonlySet<number> {
    return this.#translatedSets;
  }

  /** Whether all flows of the present connection have to be followed. */
  get isWatching(): boolean {
    return this.#connection?.isWatchingFlows === true;
  }

  /** Flows that have companion actions: while nothing is desired, those that are not restored yet. It reads all flows. */
  countWithOurActions(): number {
    return this.#unrestorable + this.#translator.countWithOurActions();
  }

  /** Whether flows or groups that still have companion actions may be restored by waiting; otherwise retries do not help. */
  get canRestore(): boolean {
    return this.#state !== 'failed' || this.#canRestore;
  }

  /** Whether flows may have companion actions, in the bridge or where OVS has saved them. */
  get mayHaveActions(): boolean {
    return this.#mayHaveActions;
  }

  /** Whether no flow of the present connection has companion actions, as was read. */
  get isFree(): boolean {
    const connection = this.#connection;
    const isRead = connection?.isWatchingFlows === true || this.#staleActions.hasSearched(connection);
    return isRead && !this.#mayHaveActions;
  }

  /** Flows whose rewriting is pending. */
  get pending(): number {
    return this.#translator.pending;
  }

  conditions(): readonly Condition[] {
    const unsafe = this.#state === 'unsafe' ? [shownInPart(this.#options.bridge)] : [];
    return [...unsafe, ...this.#translator.conditions(), ...this.#groups.conditions()];
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

  /** Sets the collector sets whose flows are rewritten, and those whose flows are only read. */
  setDesired(collectorSets: ReadonlySet<number>, followedSets: ReadonlySet<number>): void {
    if (isSameSets(collectorSets, this.#collectorSets) && isSameSets(followedSets, this.#followedSets)) {
      return;
    }
    this.#collectorSets = collectorSets;
    this.#followedSets = followedSets;
    this.#mayHaveActions ||= collectorSets.size > 0;
    if (this.#state === 'off' && collectorSets.size + followedSets.size > 0) {
      this.#enter('pending');
    }
    this.#reconciler.trigger();
  }

  /** Reads all flows in the next reconciliation and removes companion actions that nothing is configured for. */
  scanForStaleActions(): void {
    this.#mayHaveActions = true;
    this.#reader.invalidate();
    this.#groups.isStale = true;
    this.#reconciler.trigger();
  }

  /** A connection is ready. `isMeterInstalled`: the meter of the companion actions may be used. */
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
      this.#enter('pending');
    }
  }

  /** The meter of the companion actions was added: older actions run unmetered until they are written again. */
  meterAdded(): void {
    this.#meterAdditions += 1;
    this.#reconciler.trigger();
  }

  /** Another client has modified a group. */
  groupsModified(): void {
    this.#groups.isStale = true;
    this.#reconciler.trigger();
  }

  /** An event of a flow monitor on the main connection. */
  observe(event: FlowMonitorEvent): void {
    this.#reader.observe(event, this.isWatching);
  }

  /** An event of a flow monitor in OpenFlow 1.0, which shows flows in part only. */
  observePartial(event: FlowMonitorEvent): void {
    this.#reader.observePartial(event, this.isWatching);
  }

  /** Reads all flows again, soon: where changes are not reported, or only that there are some. */
  requestDump(): void {
    if (this.isWatching) {
      this.#reader.requestDump();
    }
  }

  stop(): void {
    this.#reconciler.stop();
    this.#reader.stop();
  }

  async #reconcile(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) {
      return;
    }
    const collectorSets = this.#collectorSets;
    const followedSets = this.#followedSets;
    const isDesired = collectorSets.size > 0;
    const mayHaveActions = connection.isWatchingFlows || this.#mayHaveActions;
    if (!isDesired && followedSets.size === 0 && !mayHaveActions) {
      const isStale = await this.#staleActions.find(connection);
      this.#mayHaveActions ||= isStale;
      this.#options.onChange();
      if (!this.#mayHaveActions) {
        this.#enter('off');
        return;
      }
    }
    if (!connection.showsWholeFlows) {
      await this.#passUnsafe(connection);
      return;
    }
    if (isDesired && !this.#isMeterInstalled) {
      this.#enter('pending');
      return;
    }
    const options = {
      collectorSets,
      followedSets,
      meterId: connection.meters.sample,
      allowsOpenFlow10: connection.allows(1),
    };
    this.#translator.setOptions(options);
    await this.#read(connection);
    const meterAdditions = this.#meterAdditions;
    if (meterAdditions !== this.#writtenAfter) {
      this.#translator.rewriteAll();
    }
    if (isDesired || this.#translator.pending > 0) {
      this.#enterUnlessTranslated('rewriting');
    }
    if (await this.#rewrite(connection)) {
      this.#reader.requestDump();
    }
    if (this.#reader.isOutdated) {
      // Flows are read again as soon as the pace of dumps allows, which triggers the next reconciliation.
      return;
    }
    this.#writtenAfter = meterAdditions;
    if (this.#groups.isStale) {
      await this.#groups.run(connection);
    }
    if (this.#connection === connection) {
      this.#finish(collectorSets);
    }
  }

  async #read(connection: BridgeConnection): Promise<void> {
    if (this.#reader.mustRead(connection)) {
      this.#enterUnlessTranslated('reading');
      await this.#reader.read(connection);
      this.#options.onChange();
    }
  }

  /** Rewrites flows; resolves to whether all have to be read again. */
  async #rewrite({ openflow, hasMonitor }: BridgeConnection): Promise<boolean> {
    if (this.#translator.pending > 0) {
      // The events that the switch has queued arrive before the reply: without them a newer change would be overwritten.
      await openflow.request({ type: 'barrier_request' });
    }
    const isOutdated = () => this.#reader.isOutdated;
    const tags = new HiddenTags(openflow, this.#options.clock);
    if (hasMonitor) {
      const send = (batch: readonly Rewriting[]) => sendRewritings(batch, (each) => openflow.transact(each));
      return this.#translator.run((batch) => tags.guard(batch, send), { isOutdated });
    }
    await this.#options.syncMonitor();
    const write: WriteBatch = async (batch, isOvertaken) => {
      const outcome = await tags.guard(batch, (each) => rewriteChecked(openflow, each, isOvertaken));
      await this.#options.syncMonitor();
      return outcome;
    };
    return this.#translator.run(write, { isOutdated, isChecked: true, batchMax: CHECKED_BATCH });
  }

  /** A refused flow or group is a condition and stops nothing else, but one that keeps companion actions is a failure. */
  #finish(collectorSets: ReadonlySet<number>): void {
    const refusal = this.conditions().find(({ code }) => code === 'translation-refused');
    if (refusal !== undefined && collectorSets.size === 0) {
      throw new NotRestored(
        `Some companion actions could not be removed. ${refusal.where}: ${refusal.message}`,
      );
    }
    if (refusal !== undefined) {
      this.#options.log.limited('translation').error(describeCondition(refusal));
    }
    this.#mayHaveActions = collectorSets.size > 0;
    this.#translatedSets = collectorSets;
    if (isSameSets(collectorSets, this.#collectorSets)) {
      this.#enter(collectorSets.size > 0 ? 'translated' : this.#idleState);
    }
  }

  /** The state in which no flow has companion actions. */
  get #idleState(): TranslationState {
    return this.#followedSets.size > 0 ? 'following' : 'off';
  }

  /** In OpenFlow 1.0 nothing is rewritten; flows that have companion actions from another time are counted and reported. */
  async #passUnsafe(connection: BridgeConnection): Promise<void> {
    const isDesired = this.#collectorSets.size > 0;
    const mustScan = !isDesired && this.#mayHaveActions;
    if (this.#followedSets.size > 0) {
      await this.#read(connection);
    }
    if (mustScan) {
      this.#enter('reading');
    }
    const flows = mustScan ? await connection.dumpFlows() : [];
    const others = flows.filter((flow) => !isInHookSlot(flow, connection.slot.mark));
    this.#unrestorable = others.filter((flow) => hasOurActions(appliedActions(flow.instructions))).length;
    if (isDesired) {
      this.#enter('unsafe');
    } else if (this.#unrestorable > 0) {
      throw new NotRestored(leftInFlows(this.#options.bridge, this.#unrestorable));
    } else {
      this.#mayHaveActions = await this.#staleActions.find(connection);
      this.#enter(this.#idleState);
    }
  }

  #fail(error: Error): void {
    if (error instanceof OpenFlowConnectionError) {
      // The keeper reports the end of the connection and opens the next one.
      return;
    }
    this.#canRestore = !(error instanceof NotRestored);
    this.#enter('failed');
    this.#options.log.limited('translation').warn(`bridge ${this.#options.bridge}: ${reasonOf(error)}`);
  }

  #forget(): void {
    this.#translator.forget();
    this.#groups.isStale = true;
    this.#reader.forget();
    this.#unrestorable = 0;
  }

  /** Following users' changes keeps the state: only the first reading and rewriting are states of their own. */
  #enterUnlessTranslated(state: TranslationState): void {
    const isDone = this.#state === 'translated' || this.#state === 'following';
    if (!isDone || !isSameSets(this.#translatedSets, this.#collectorSets)) {
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
