// The flows of a cache that expire: each is counted, and its record goes to the sender. Where the engine encodes records itself, many
// go in one call.

import type { FlowEndReason, FlowRecord, FlowRun, FlowVisitor } from '../flow/flow-record.ts';
import { countRecords, type ReasonCounts } from './exporter-status.ts';
import type { RecordSender } from './record-sender.ts';

/** See the head of the file. */
export class ExpiredFlows implements FlowVisitor {
  readonly records: ReasonCounts = { activeTimeout: 0, forcedEnd: 0, lackOfResources: 0 };
  /** Flows at the old end of the cache that started in another layout. */
  outdatedCount = 0;
  readonly #sender: RecordSender;

  constructor(sender: RecordSender) {
    this.#sender = sender;
  }

  flow(record: FlowRecord, reason: FlowEndReason): void {
    this.#count(reason, 1);
    this.#sender.add(record, reason);
  }

  flowRun(run: FlowRun): number {
    const { reason } = run;
    const count = this.#sender.addEncoded(run);
    this.#count(reason, count);
    return count;
  }

  #count(reason: FlowEndReason, count: number): void {
    countRecords(this.records, reason, count);
    this.outdatedCount = Math.max(0, this.outdatedCount - count);
  }
}
