// The session of one bridge: a connection that is reopened whenever it ends, and two reconcilers: hook-reconciler.ts (the hook
// and two meters) and translation-reconciler.ts (users' flows and groups). They are independent except for the meter of the
// translated actions, which is installed before the first action and removed after the last.

import type { Duplex } from 'node:stream';
import type { Condition } from '../config/condition.ts';
import type { FlowMonitorEvent } from '../node-openflow/index.ts';
import type { Timer } from '../runtime/clock.ts';
import { counted } from '../runtime/counted.ts';
import { ConnectionKeeper } from '../runtime/keeper.ts';
import type { ReadMemory } from '../runtime/read-memory.ts';
import { settlesWithin } from '../runtime/within.ts';
import { BridgeConnection } from './bridge-connection.ts';
import { type BridgeDesired, isNothing, isSameDesired, NOTHING_DESIRED } from './bridge-desired.ts';
import type { BridgeSessionOptions } from './bridge-session-options.ts';
import type { BridgeSessionStatus } from './bridge-session-status.ts';
import { DUMP_INTERVAL_MS } from './flow-reader.ts';
import { isInHookSlot } from './hook.ts';
import { HookReconciler } from './hook-reconciler.ts';
import { because, leftInBridge, leftUnreached } from './leftovers.ts';
import { MonitorKeeper } from './monitor-keeper.ts';
import { waitForRemoval } from './removal.ts';
import { formatSwitchVersion } from './switch-version.ts';
import { isSameSets } from './translation.ts';
import { rewritingIsSlow } from './translation-conditions.ts';
import { TranslationReconciler } from './translation-reconciler.ts';
import { unreachableCondition } from './unreachable.ts';

/** Size of the receive buffer of a bridge in bytes: some hundred packet-ins. */
export const READ_MEMORY_BYTES = 65_536;
/** Milliseconds after which a running translation of users' flows is reported as a condition. */
const TRANSLATION_SLOW_MS = 2000;
export class BridgeSession {
  readonly #options: BridgeSessionOptions;
  readonly #keeper: ConnectionKeeper<BridgeConnection>;
  readonly #monitor: MonitorKeeper;
  readonly #hook: HookReconciler;
  readonly #translation: TranslationReconciler;
  readonly #waiters = new Set<() => void>();
  #desired: BridgeDesired = NOTHING_DESIRED;
  /** That of the last desired state that was not empty: a meter that is still in use keeps its rate. */
  #maxSampleRate = 0;
  /** Whether the bridge may have something of the daemon. */
  #hasLeftovers = false;
  #dumpTimer: Timer | undefined;
  #translationTimer: Timer | undefined;
  #isTranslationSlow = false;

  constructor(options: BridgeSessionOptions) {
    const { bridge, clock, log, dial } = options;
    this.#options = options;
    const { endpoint, tls, mark, unmetered, onPool, onLedgerEvent, onHook } = options;
    const onChange = () => this.#follow();
    const { isLeading } = options;
    const dialled = { bridge, endpoint, tls, clock, isLeading, ...(dial === undefined ? {} : { dial }) };
    this.#hook = new HookReconciler({
      bridge,
      clock,
      log,
      unmetered,
      onPool,
      onLedgerEvent,
      onHook,
      onSampleMeterAdded: () => this.#translation.meterAdded(),
      onChange,
    });
    this.#translation = new TranslationReconciler({
      ...dialled,
      log,
      probabilities: options.probabilities,
      onChange,
      syncMonitor: () => this.#monitor.sync(),
    });
    this.#monitor = new MonitorKeeper({
      ...dialled,
      log,
      mark,
      onUp: () => this.#translation.requestDump(),
      onFlowEvents: (events) => this.#receiveFlowEvents(events, false),
    });
    this.#keeper = new ConnectionKeeper<BridgeConnection>({
      name: `bridge ${bridge}`,
      endpoints: [options.endpoint],
      clock,
      log,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      ...(dial === undefined ? {} : { dial }),
      readMemoryBytes: READ_MEMORY_BYTES,
      open: (stream, readMemory) => this.#open(stream, readMemory),
      onUp: (connection) => this.#connected(connection),
      onDown: () => this.#disconnected(),
    });
  }

  start(): void {
    this.#keeper.start();
  }

  /** Sets the desired state of the bridge. */
  setDesired(desired: BridgeDesired): void {
    if (isSameDesired(desired, this.#desired)) {
      return;
    }
    this.#desired = desired;
    if (!isNothing(desired)) {
      this.#maxSampleRate = desired.maxSampleRate;
    }
    this.#hasLeftovers ||= this.#keeper.session !== undefined && !isNothing(desired);
    this.#translation.setDesired(desired.collectorSets, desired.followedSets);
    this.#follow();
  }

  /** Reads all flows and removes stale actions, for which nothing is configured. */
  scanForStaleActions(): void {
    this.#hasLeftovers = true;
    this.#translation.scanForStaleActions();
  }

  /** Ends a backoff, and reads the actual state of the switch again. */
  resync(): void {
    this.#keeper.endPause();
    this.#hook.resync();
    this.scanForStaleActions();
  }

  /** Whether the hook is installed and users' flows are being rewritten. */
  get isRewriting(): boolean {
    const { state } = this.#translation;
    return this.#hook.isSettled && (state === 'reading' || state === 'rewriting');
  }

  /** Removes everything, reconnecting if necessary, and closes; resolves to a sentence about what is left after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<string | undefined> {
    if (!this.#options.isLeading()) {
      await this.abandon();
      return `Bridge ${this.#options.bridge} is left as it is, because the database does not confirm that this daemon is the active one; run "ovs-ipfix release".`;
    }
    this.setDesired(NOTHING_DESIRED);
    this.#keeper.endPause();
    const left = this.#hasLeftovers ? await this.#removed(timeoutMs) : undefined;
    await this.#options.onRemoved();
    await this.abandon();
    return left;
  }

  /** Closes the connection and leaves everything in the bridge, where another daemon uses it now. */
  async abandon(): Promise<void> {
    this.#hook.stop();
    this.#translation.stop();
    this.#dumpTimer?.cancel();
    this.#translationTimer?.cancel();
    await Promise.all([this.#monitor.stop(), this.#keeper.stop()]);
  }

  /** Resolves when nothing of the daemon is in the bridge; rejects with the reason after `timeoutMs`. */
  async cleaned(timeoutMs: number): Promise<void> {
    const left = await this.#removed(timeoutMs);
    if (left !== undefined) {
      throw new Error(left);
    }
  }

  /** Returns a sentence about what is not installed yet; undefined when everything is. */
  missing(): string | undefined {
    const where = `Bridge ${this.#options.bridge}`;
    const { collectorSets, followedSets } = this.#desired;
    const isReadOnly = isNothing(this.#desired);
    if (isReadOnly && followedSets.size === 0) {
      return undefined;
    }
    if (this.#keeper.session === undefined) {
      return `${where} is not ${isReadOnly ? 'connected' : 'hooked'}${because(this.#keeper.lastError)}.`;
    }
    if (isReadOnly) {
      return this.#missingTranslation(where);
    }
    if (!this.#hook.isHooked) {
      return `${where} is not hooked${because(this.#hook.condition?.message)}.`;
    }
    return collectorSets.size + followedSets.size === 0 ? undefined : this.#missingTranslation(where);
  }

  #missingTranslation(where: string): string | undefined {
    const { state, pending } = this.#translation;
    const isDone = state === 'translated' || state === 'following';
    if (isDone && isSameSets(this.#translation.translatedSets, this.#desired.collectorSets)) {
      return undefined;
    }
    const [condition] = this.#translation.conditions();
    const detail =
      state === 'failed' || state === 'unsafe'
        ? (condition?.message ?? this.#translation.reconciler().lastError)
        : pending === 0
          ? 'flows are being read'
          : `${counted(pending, 'flow is', 'flows are')} still to be rewritten`;
    return `${where}: the daemon does not get all of its "sample" actions yet${because(detail)}.`;
  }

  conditions(): readonly Condition[] {
    const { bridge } = this.#options;
    const isUp = this.#keeper.session !== undefined;
    const unreachable = isUp ? undefined : unreachableCondition(bridge, this.#keeper.status());
    if (unreachable !== undefined) {
      return [unreachable];
    }
    const { condition } = this.#hook;
    return [
      ...(condition === undefined ? [] : [condition]),
      ...this.#translation.conditions(),
      ...this.#slow(),
    ];
  }

  #slow(): readonly Condition[] {
    const { state, pending } = this.#translation;
    if (!this.#isTranslationSlow || (state !== 'reading' && state !== 'rewriting')) {
      return [];
    }
    return [rewritingIsSlow(this.#options.bridge, pending)];
  }

  status(): BridgeSessionStatus {
    const connection = this.#keeper.session;
    const version = connection?.switchVersion;
    return {
      hook: this.#hook.state,
      connection: this.#keeper.status(),
      protocol: connection?.protocol,
      switchVersion: version && formatSwitchVersion(version),
      flowMonitor: connection && this.#flowMonitor(connection),
      meterRate: connection?.meters.hook === undefined ? undefined : this.#desired.maxSampleRate,
      hookRepairs: this.#hook.repairs,
      hookReconciler: this.#hook.reconciler(),
      translation: this.#translation.status(),
      translationReconciler: this.#translation.reconciler(),
    };
  }

  #flowMonitor(connection: BridgeConnection): 'main' | 'OpenFlow 1.0' | 'none' {
    if (connection.hasMonitor) {
      return 'main';
    }
    return this.#monitor.isUp ? 'OpenFlow 1.0' : 'none';
  }

  #open(stream: Duplex, readMemory: ReadMemory | undefined): Promise<BridgeConnection> {
    const { bridge, mark, log, isLeading, onPacketIn } = this.#options;
    return BridgeConnection.open(stream, {
      ...(readMemory === undefined ? {} : { source: readMemory }),
      bridge,
      mark,
      log,
      isLeading,
      onPacketIn,
      onMeterModified: (meterId) => this.#hook.meterModified(meterId),
      onGroupModified: () => this.#translation.groupsModified(),
      onFlowEvents: (events) => this.#receiveFlowEvents(events, true),
    });
  }

  #connected(connection: BridgeConnection): void {
    this.#hasLeftovers ||= !isNothing(this.#desired);
    this.#isTranslationSlow = false;
    this.#translationTimer = this.#options.clock.setTimer(() => {
      this.#isTranslationSlow = true;
      this.#follow();
    }, TRANSLATION_SLOW_MS);
    if (!connection.hasMonitor) {
      this.#monitor.start(connection);
      this.#armDump(connection);
    }
    this.#options.onConnection(connection);
    this.#hook.connected(connection);
    this.#follow();
  }

  #disconnected(): void {
    this.#dumpTimer?.cancel();
    this.#translationTimer?.cancel();
    void this.#monitor.stop();
    this.#translation.disconnected();
    this.#hook.disconnected();
    this.#options.onConnection(undefined);
    this.#follow();
  }

  /** Reads all flows again each second where no monitor reports changes of flows. */
  #armDump(connection: BridgeConnection): void {
    this.#dumpTimer = this.#options.clock.setTimer(() => {
      if (!this.#monitor.isUp) {
        this.#translation.requestDump();
      }
      if (this.#keeper.session === connection) {
        this.#armDump(connection);
      }
    }, DUMP_INTERVAL_MS);
  }

  #receiveFlowEvents(events: readonly FlowMonitorEvent[], isWhole: boolean): void {
    for (const event of events) {
      if ('match' in event && isInHookSlot(event, this.#options.mark)) {
        this.#hook.observe(event);
      } else if (isWhole) {
        this.#translation.observe(event);
      } else {
        this.#translation.observePartial(event);
      }
    }
  }

  /** Orders the two reconcilers: the meter is installed before the translated actions and removed after the last of them. */
  #follow(): void {
    const { hook, keepsHookMeter, collectorSets } = this.#desired;
    const isMeterInUse =
      this.#hook.hasSampleMeter && this.#translation.isWatching && !this.#translation.isIdle;
    const hasSampleMeter = collectorSets.size > 0 || isMeterInUse;
    this.#hook.setDesired({
      hook,
      keepsHookMeter,
      hasSampleMeter,
      keepsSampleMeter: !hasSampleMeter && !this.#translation.isFree,
      maxSampleRate: this.#maxSampleRate,
    });
    const connection = this.#keeper.session;
    if (connection !== undefined) {
      this.#translation.connected(connection, this.#hook.hasSampleMeter);
      if (this.#translation.isWatching) {
        this.#monitor.watchFlows();
      }
      if (this.#isClean()) {
        this.#hasLeftovers = false;
      }
    }
    for (const wake of this.#waiters) {
      wake();
    }
    this.#options.onChange();
  }

  #isClean(): boolean {
    const isConnected = this.#keeper.session !== undefined;
    const isHookRemoved = this.#hook.isSettled && this.#hook.state === 'absent';
    return isConnected && isHookRemoved && this.#translation.state === 'off' && this.#translation.isFree;
  }

  /** Waits until nothing of the daemon is in the bridge; after `timeoutMs`, resolves to a sentence about what is left. */
  #removed(timeoutMs: number): Promise<string | undefined> {
    const { bridge, clock, log, endpoint, isBridgeGone, isSwitchStopped, isRestoringFlows } = this.#options;
    const isLocal = () => this.#keeper.session === undefined && endpoint.kind === 'unix';
    return waitForRemoval({
      bridge,
      clock,
      log,
      timeoutMs,
      mayReturn: this.#translation.mayHaveActions,
      isRestoring: isRestoringFlows,
      isClean: () => this.#isClean(),
      isGone: () => isLocal() && isBridgeGone(),
      isStopped: () => isLocal() && isSwitchStopped(),
      // The meter of the translated actions stays as long as a flow has them, so it does not mean that waiting helps.
      isStuck: () => this.#hook.isSettled && !this.#translation.canRestore,
      onRestored: () => this.resync(),
      changed: (ms) => this.#changed(ms),
      describeLeft: () => this.#describeLeft(),
    });
  }

  async #changed(timeoutMs: number): Promise<void> {
    let wake = () => {};
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#waiters.add(wake);
    await settlesWithin(this.#options.clock, timeoutMs, woken);
    this.#waiters.delete(wake);
  }

  #describeLeft(): string {
    const { bridge } = this.#options;
    if (this.#keeper.session === undefined) {
      return leftUnreached(bridge, this.#keeper.status().lastError);
    }
    return leftInBridge(bridge, {
      translationFailure:
        this.#translation.state === 'failed' ? this.#translation.reconciler().lastError : undefined,
      hasHook: this.#hook.state !== 'absent',
      hookFailure: this.#hook.condition?.message,
      flowCount: this.#translation.countWithOurActions(),
    });
  }
}
