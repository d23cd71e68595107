// Reads users' flows into the translator, over the main connection only: all of them at first, and then each change from its
// flow monitor. Where it has none, all flows are read again when a monitor in OpenFlow 1.0 reports a change or, without that,
// each second, at the pace of dump-pacer.ts.

import type { FlowMonitorEvent } from '../node-openflow/index.ts';
import type { Clock } from '../runtime/clock.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import { DumpPacer } from './dump-pacer.ts';
import type { FlowTranslator } from './flow-translator.ts';
import { type FlowIdentity, isInHookSlot } from './hook.ts';

export interface FlowReaderOptions {
  readonly clock: Clock;
  readonly translator: FlowTranslator;
  /** Called when a flow can be rewritten, or flows have to be read again. */
  readonly onRead: () => void;
  /** Resolves when all events of the flow monitor in OpenFlow 1.0 have been received, if there is one. */
  readonly syncMonitor: () => Promise<void>;
}

/** Without a flow monitor, all flows are read this often, and more rarely where that takes long. */
export const DUMP_INTERVAL_MS = 1000;

/** Flows that are read at once: some 20 ms. */
const PORTION = 1000;

/** Changed flows that are held back one by one between two dumps; beyond, all are held back. */
const HELD_BACK_MAX = 10_000;

export class FlowReader {
  readonly #options: FlowReaderOptions;
  readonly #dumps: DumpPacer;
  /** Whether a change of some flow that was not found was reported since all flows were last read. */
  #hasReportedChange = false;
  /** The flows whose change was reported since the last dump began: what it shows of them may be older. */
  #changed: FlowIdentity[] = [];
  /** Whether the monitor in OpenFlow 1.0 is paused; it resumes, or ends and starts again, and a dump is requested then. */
  #isMonitorPaused = false;
  /** Events that arrive while the reply with all flows does: they are newer than it. */
  #early: FlowMonitorEvent[] | undefined;

  constructor(options: FlowReaderOptions) {
    this.#options = options;
    this.#dumps = new DumpPacer({ clock: options.clock, onDue: options.onRead });
  }

  /** An event of a flow monitor on the main connection; `isWatching`: it reports all flows. */
  observe(event: FlowMonitorEvent, isWatching: boolean): void {
    if (this.#early !== undefined) {
      this.#early.push(event);
    } else if (isWatching && this.#options.translator.observe(event)) {
      this.#options.onRead();
    }
  }

  /** An event of a flow monitor in OpenFlow 1.0: it only decides whether flows are read again. */
  observePartial(event: FlowMonitorEvent, isWatching: boolean): void {
    const { translator } = this.#options;
    if (!isWatching) {
      return;
    }
    if (event.event === 'paused') {
      this.#isMonitorPaused = true;
    } else if (event.event === 'resumed') {
      this.requestDump();
    }
    // What has changed in a pause is reported at its end, and read then.
    if (!('match' in event) || this.#isMonitorPaused || translator.expects(event)) {
      return;
    }
    const isRemoved = event.event === 'removed';
    if (isRemoved && !hasVlan(event)) {
      translator.forgetFlow(event);
    } else if (isRemoved || translator.isNews(event)) {
      this.#holdBack(event);
      this.requestDump();
    }
  }

  /**
   * What was read of a flow is older than the change: it is not written any more until the flow was read again. OpenFlow 1.0
   * shows VLAN tags in another form, so that such a flow is not found, and all are held back.
   */
  #holdBack(flow: FlowIdentity): void {
    if (!hasVlan(flow) && this.#changed.length < HELD_BACK_MAX) {
      this.#options.translator.forgetFlow(flow);
      this.#changed.push(flow);
    } else if (!this.#options.translator.isWriting) {
      // While flows are written, each write shows whether what was read was older.
      this.#hasReportedChange = true;
    }
  }

  /** Has all flows read again, as soon as the pause after the last dump allows. */
  requestDump(): void {
    this.#isMonitorPaused = false;
    this.#dumps.request();
  }

  /** Flows may have changed: the next reconciliation reads them. */
  invalidate(): void {
    this.#dumps.outdate();
  }

  /** A connection has ended: flows are read again over the next one. */
  forget(): void {
    this.#hasReportedChange = false;
    this.#dumps.forget();
  }

  stop(): void {
    this.#dumps.stop();
  }

  /** Whether what was read is known to be older than a change: writing it back would undo that change. */
  get isOutdated(): boolean {
    return this.#hasReportedChange;
  }

  /** Whether all flows have to be read: no monitor has reported each change since they were. */
  mustRead(connection: BridgeConnection): boolean {
    return !connection.isWatchingFlows || (!connection.hasMonitor && this.#dumps.isUnread);
  }

  /** Reads all flows, and has later changes reported where the connection has a monitor. */
  async read(connection: BridgeConnection): Promise<void> {
    // Changes that were reported before the dump are in it.
    await this.#options.syncMonitor();
    this.#hasReportedChange = false;
    this.#changed = [];
    await this.#dumps.read(async () => {
      if (connection.isWatchingFlows) {
        const flows = await connection.dumpFlows();
        const others = flows.filter((flow) => !isInHookSlot(flow, connection.slot.mark));
        this.#options.translator.observeAll(others);
      } else {
        await this.#startWatching(connection);
      }
      for (const flow of this.#changed) {
        this.#options.translator.forgetFlow(flow);
      }
    });
  }

  /** Reads events in portions, so that the daemon does other things in between. */
  async #observeAll(events: readonly FlowMonitorEvent[], connection: BridgeConnection): Promise<void> {
    const { translator } = this.#options;
    for (const [index, event] of events.entries()) {
      if (index % PORTION === PORTION - 1) {
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      if (!('match' in event && isInHookSlot(event, connection.slot.mark))) {
        translator.observe(event);
      }
    }
  }

  async #startWatching(connection: BridgeConnection): Promise<void> {
    const { translator } = this.#options;
    const early: FlowMonitorEvent[] = [];
    translator.forget();
    this.#early = early;
    try {
      const initial = await connection.watchFlows();
      await this.#observeAll(initial, connection);
      // More may arrive while these are read.
      while (early.length > 0) {
        await this.#observeAll(early.splice(0), connection);
      }
    } finally {
      this.#early = undefined;
    }
  }
}

/** OpenFlow 1.0 shows VLAN tags in another form, so that the flow is not found among those that were read. */
function hasVlan({ match }: FlowIdentity): boolean {
  return match.some(({ field }) => field === 'vlan_tci' || field.startsWith('vlan_'));
}
