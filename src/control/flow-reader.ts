// Reads users' flows into the translator, over the main connection only: all of them at first, and then each change from its
// flow monitor. Where it has none, all flows are read again when a monitor in OpenFlow 1.0 reports a change or, without that,
// each second, but never for more than a tenth of the time.

import type { FlowMonitorEvent } from '../node-openflow/index.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import type { FlowTranslator } from './flow-translator.ts';
import { isInHookSlot } from './hook.ts';

export interface FlowReaderOptions {
  readonly clock: Clock;
  readonly translator: FlowTranslator;
  /** Called when a flow can be rewritten, or flows have to be read again. */
  readonly onRead: () => void;
}

/** Without a flow monitor, all flows are read this often, and more rarely where that takes long. */
export const DUMP_INTERVAL_MS = 1000;
/** Pause between two dumps of all flows, in times of how long the last one took: a tenth of the switch's time at most. */
const DUMP_PAUSE_FACTOR = 9;

export class FlowReader {
  readonly #options: FlowReaderOptions;
  /** Whether flows may have changed in a way that only a dump shows. */
  #isUnread = true;
  #nextDumpMs = 0;
  #dumpTimer: Timer | undefined;
  /** Events that arrive while the reply with all flows does: they are newer than it. */
  #early: FlowMonitorEvent[] | undefined;

  constructor(options: FlowReaderOptions) {
    this.#options = options;
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
    const isRelevant =
      event.event === 'resumed' ||
      event.event === 'removed' ||
      ('instructions' in event && this.#options.translator.isUntranslated(event));
    if (isWatching && isRelevant) {
      this.requestDump();
    }
  }

  /** Has all flows read again, as soon as the pause after the last dump allows. */
  requestDump(): void {
    this.#isUnread = true;
    const waitMs = this.#nextDumpMs - this.#nowMs();
    if (waitMs <= 0) {
      this.#options.onRead();
    } else {
      this.#dumpTimer ??= this.#options.clock.setTimer(() => {
        this.#dumpTimer = undefined;
        this.#options.onRead();
      }, waitMs);
    }
  }

  /** What was read is not valid any more, such as after the end of a connection. */
  invalidate(): void {
    this.#isUnread = true;
  }

  stop(): void {
    this.#dumpTimer?.cancel();
    this.#dumpTimer = undefined;
  }

  /** Whether all flows have to be read: no monitor has reported each change since they were. */
  mustRead(connection: BridgeConnection): boolean {
    return !connection.isWatchingFlows || (!connection.hasMonitor && this.#isUnread);
  }

  /** Reads all flows, and has later changes reported where the connection has a monitor. */
  async read(connection: BridgeConnection): Promise<void> {
    const startMs = this.#nowMs();
    this.#isUnread = false;
    try {
      if (connection.isWatchingFlows) {
        const flows = await connection.dumpFlows();
        const others = flows.filter((flow) => !isInHookSlot(flow, connection.slot.mark));
        this.#options.translator.observeAll(others);
      } else {
        await this.#startWatching(connection);
      }
    } catch (error) {
      this.#isUnread = true;
      throw error;
    }
    const endMs = this.#nowMs();
    this.#nextDumpMs = endMs + (endMs - startMs) * DUMP_PAUSE_FACTOR;
  }

  async #startWatching(connection: BridgeConnection): Promise<void> {
    const { translator } = this.#options;
    const early: FlowMonitorEvent[] = [];
    translator.forget();
    this.#early = early;
    try {
      const initial = await connection.watchFlows();
      for (const event of [...initial, ...early]) {
        if (!('match' in event && isInHookSlot(event, connection.slot.mark))) {
          translator.observe(event);
        }
      }
    } finally {
      this.#early = undefined;
    }
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMicros() / 1000;
  }
}
