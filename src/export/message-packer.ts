// Groups records into messages: one open message for each observation domain, because the header has the domain. A message is
// finished when it is full, when its export time has passed, or when the exporter ends a batch. The cache's monotonic times
// are converted to the wall clock here, once a message, so that a step of the wall clock moves flows together with their
// message and never falsifies a delta.

import type { FlowRecord, FlowRun } from '../flow/flow-record.ts';
import { MESSAGE_HEADER_SIZE, SET_HEADER_SIZE } from '../ipfix/protocol.ts';
import { RECORD_SIZE_MAX, type RecordTemplate, templateWithId } from '../ipfix/record-layout.ts';
import type { Clock } from '../runtime/clock.ts';
import { OpenMessage } from './open-message.ts';
import { encodeRecord } from './record-encoder.ts';

/** Open messages; a record of one more domain finishes the message that was opened first. */
export const OPEN_MESSAGES_MAX = 16;

/** Packs records into messages and delivers each finished message, which is reused afterwards. */
export class MessagePacker {
  readonly #clock: Clock;
  readonly #messageBytesMax: number;
  readonly #deliver: (message: OpenMessage) => void;
  /** Wall time minus monotonic time when the exporter was created. */
  readonly #steadyOffsetMicros: number;
  /** In the order in which they were opened. */
  readonly #open: OpenMessage[] = [];
  readonly #spare: OpenMessage[] = [];

  constructor(
    clock: Clock,
    messageBytesMax: number,
    steadyOffsetMicros: number,
    deliver: (message: OpenMessage) => void,
  ) {
    const sizeMin = MESSAGE_HEADER_SIZE + SET_HEADER_SIZE + RECORD_SIZE_MAX;
    if (messageBytesMax < sizeMin) {
      throw new RangeError(
        `message size limit of ${messageBytesMax} bytes is too small for a record; at least ${sizeMin}`,
      );
    }
    this.#clock = clock;
    this.#messageBytesMax = messageBytesMax;
    this.#steadyOffsetMicros = steadyOffsetMicros;
    this.#deliver = deliver;
  }

  /** Whether a message is open. */
  get hasOpenMessages(): boolean {
    return this.#open.length > 0;
  }

  /** Adds one record; `reason` is its flowEndReason. */
  add(record: FlowRecord, reason: number): void {
    const template = templateWithId(record.templateId);
    const message = this.#roomyMessageFor(record, template);
    const offset = message.writer.reserveRecords(template.id, template.recordSize);
    encodeRecord(message, offset, template, record, reason);
  }

  /** Adds the records of flows from the beginning of the run, which the engine encodes: as many as fit into the message. Returns how many. */
  addEncoded(run: FlowRun): number {
    const template = templateWithId(run.first.templateId);
    const { writer, exportMicros } = this.#roomyMessageFor(run.first, template);
    const { id, recordSize } = template;
    const room = writer.roomFor(id, recordSize);
    const count = run.encode(room, exportMicros, writer.exportTimeSeconds, writer.offsetOf(id));
    run.copyTo(writer.bytes, writer.reserveRecords(id, recordSize, count));
    return count;
  }

  /** Finishes all open messages. */
  finishAll(): void {
    for (let message = this.#open[0]; message !== undefined; message = this.#open[0]) {
      this.#finish(message);
    }
  }

  /** Returns the message that the record belongs to, with room for it. */
  #roomyMessageFor(record: FlowRecord, { id, recordSize }: RecordTemplate): OpenMessage {
    const message = this.#messageFor(record);
    if (message.writer.roomFor(id, recordSize) > 0) {
      return message;
    }
    this.#finish(message);
    return this.#begin(record.observationDomainId);
  }

  /**
   * Returns the open message of the record's domain, unless the flow ended after its export time: the end delta would be
   * negative. Times are not passed from function to function here, because each would be an object on the heap.
   */
  #messageFor(record: FlowRecord): OpenMessage {
    const { observationDomainId } = record;
    for (let index = this.#open.length - 1; index >= 0; index -= 1) {
      const message = this.#open[index];
      if (message === undefined || message.writer.observationDomainId !== observationDomainId) {
        continue;
      }
      if (record.endMicros <= message.exportMicros) {
        return message;
      }
      this.#finish(message);
      break;
    }
    return this.#begin(observationDomainId);
  }

  #begin(observationDomainId: number): OpenMessage {
    const oldest = this.#open[0];
    if (this.#open.length === OPEN_MESSAGES_MAX && oldest !== undefined) {
      this.#finish(oldest);
    }
    const message = this.#spare.pop() ?? new OpenMessage(this.#messageBytesMax);
    const monotonicMicros = this.#clock.monotonicMicros();
    const wallMicros = this.#clock.wallMicros();
    const exportTimeSeconds = Math.ceil(wallMicros / 1_000_000);
    message.exportMicros = monotonicMicros + (exportTimeSeconds * 1_000_000 - wallMicros);
    message.steadySeconds = Math.ceil((monotonicMicros + this.#steadyOffsetMicros) / 1_000_000);
    message.writer.begin(exportTimeSeconds, observationDomainId);
    this.#open.push(message);
    return message;
  }

  #finish(message: OpenMessage): void {
    const index = this.#open.indexOf(message);
    for (let next = index + 1; next < this.#open.length; next += 1) {
      this.#open[next - 1] = this.#open[next] as OpenMessage;
    }
    this.#open.pop();
    message.writer.finish();
    this.#deliver(message);
    this.#spare.push(message);
  }
}
