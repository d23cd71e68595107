// Groups records into messages: one open message for each observation domain, because the domain stands in the message's
// header. A message leaves when it is full, when its export time has passed, or when the exporter ends a batch. Here the
// cache's monotonic times meet the wall clock, once a message, so that a step of the wall clock moves flows together
// with their message and never makes a delta absurd.

import type { FlowRecord } from '../flow/flow-record.ts';
import { MESSAGE_HEADER_SIZE, SET_HEADER_SIZE } from '../ipfix/protocol.ts';
import { RECORD_SIZE_MAX, templateWithId } from '../ipfix/record-layout.ts';
import type { Clock } from '../runtime/clock.ts';
import { OpenMessage } from './open-message.ts';
import { encodeRecord } from './record-encoder.ts';

/** Messages that are open at a time; records of one more domain send the one that was opened first. */
export const OPEN_MESSAGES_MAX = 16;

/** Packs records into messages and hands each finished message on; the message is used again afterwards. */
export class MessagePacker {
  readonly #clock: Clock;
  readonly #messageBytesMax: number;
  readonly #deliver: (message: OpenMessage) => void;
  /** Wall time minus monotonic time when the first message could have been made. */
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
        `A message has to have room for any record: ${sizeMin} bytes, not ${messageBytesMax}.`,
      );
    }
    this.#clock = clock;
    this.#messageBytesMax = messageBytesMax;
    this.#steadyOffsetMicros = steadyOffsetMicros;
    this.#deliver = deliver;
  }

  /** True while a message waits for more records. */
  get hasOpenMessages(): boolean {
    return this.#open.length > 0;
  }

  /** Adds one record; `reason` is its flowEndReason. */
  add(record: FlowRecord, reason: number): void {
    const template = templateWithId(record.templateId);
    let message = this.#messageFor(record);
    let offset = message.writer.reserveRecord(template.id, template.recordSize);
    if (offset < 0) {
      this.#finish(message);
      message = this.#begin(record.observationDomainId);
      offset = message.writer.reserveRecord(template.id, template.recordSize);
    }
    encodeRecord(message, offset, template, record, reason);
  }

  /** Sends all messages that have records. */
  finishAll(): void {
    for (let message = this.#open[0]; message !== undefined; message = this.#open[0]) {
      this.#finish(message);
    }
  }

  /**
   * The open message of the record's domain, unless the flow ended after its export time: the end delta would be
   * negative. Times are not handed from function to function here, because each would be an object on the heap then.
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
