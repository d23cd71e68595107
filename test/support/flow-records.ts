// A collector for tests that decodes messages by the strict reader: records by element name, and a failure for any error of
// the reader.

import { MessageReader } from '../../src/ipfix/message-reader.ts';
import type { DecodedMessage, FieldValue } from '../../src/ipfix/reader-types.ts';
import { UdpSink } from './udp-sink.ts';
import { waitFor } from './wait.ts';

/** One data record with the header of its message. */
export interface FlowRecord {
  readonly templateId: number;
  readonly observationDomainId: number;
  readonly exportTimeSeconds: number;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

/** The collector. */
export class FlowRecordSink {
  readonly #sink: UdpSink;
  readonly #reader = new MessageReader();
  readonly #messages: DecodedMessage[] = [];
  #session = 'first';
  #readCount = 0;

  private constructor(sink: UdpSink) {
    this.#sink = sink;
  }

  static async open(
    options: { readonly host?: string; readonly port?: number } = {},
  ): Promise<FlowRecordSink> {
    return new FlowRecordSink(await UdpSink.open(options));
  }

  get port(): number {
    return this.#sink.port;
  }

  get target(): string {
    return this.#sink.target;
  }

  /** The messages so far; throws if the reader reported an error. */
  get messages(): readonly DecodedMessage[] {
    for (const datagram of this.#sink.datagrams.slice(this.#readCount)) {
      // Two sockets are two transport sessions (RFC 7011, section 2), each with templates and sequence numbers of its own.
      const session = `${this.#session}, ${this.#sink.sources[this.#readCount]}`;
      this.#readCount += 1;
      const message = this.#reader.read(session, datagram);
      if (message.problems.length > 0) {
        throw new Error(message.problems.map((problem) => `${problem.code}: ${problem.message}`).join('\n'));
      }
      this.#messages.push(message);
    }
    return this.#messages;
  }

  get records(): readonly FlowRecord[] {
    return this.messages.flatMap((message) =>
      message.records.map((record) => ({
        templateId: record.template.id,
        observationDomainId: message.observationDomainId,
        exportTimeSeconds: message.exportTimeSeconds,
        fields: Object.fromEntries(
          record.template.fields.map((field, index) => [field.name, record.values[index] ?? '']),
        ),
      })),
    );
  }

  /** Waits for that many records; fails if there are more. */
  async waitForRecords(count: number, timeoutMs = 5000): Promise<readonly FlowRecord[]> {
    await waitFor(() => this.records.length >= count, { what: `${count} records have arrived`, timeoutMs });
    if (this.records.length > count) {
      throw new Error(`${this.records.length} records have arrived instead of ${count}`);
    }
    return this.records;
  }

  /** Waits until the packets of all records add up to the count; fails if they exceed it. */
  async waitForPackets(count: number, timeoutMs = 5000): Promise<readonly FlowRecord[]> {
    await waitFor(() => this.packetCount >= count, {
      what: `records of ${count} packets have arrived`,
      timeoutMs,
    });
    if (this.packetCount > count) {
      throw new Error(`the records count ${this.packetCount} packets instead of ${count}`);
    }
    return this.records;
  }

  /** Packets of all flow records; options records have none. */
  get packetCount(): number {
    return this.records.reduce((sum, { fields }) => sum + Number(fields['packetDeltaCount'] ?? 0), 0);
  }

  /** Expects messages of a restarted exporter. */
  expectNewSession(): void {
    this.#session = `after ${this.messages.length} messages`;
  }

  /** Clears the messages, but keeps templates and sequence numbers. */
  clear(): void {
    void this.messages;
    this.#messages.length = 0;
  }

  close(): Promise<void> {
    return this.#sink.close();
  }
}
