// The demo's collector: the sockets and the reader of `ovs-ipfix collect`; prints a table and counts by kind.

import { MessageReader } from '../../ipfix/message-reader.ts';
import type { DecodedMessage, DecodedRecord } from '../../ipfix/reader-types.ts';
import { recordText, TABLE_HEAD } from '../../report/record-text.ts';
import { safeText } from '../../runtime/safe-text.ts';
import { CollectServer, type CollectSession } from '../collect-server.ts';
import { addCount, type Counts, kindOf } from './kinds.ts';
import { paragraph, type Write } from './text.ts';

const EXPLANATION =
  'Each line is one flow: start (UTC), seconds from its first to its last packet, protocol, packets, octets, reason of the ' +
  'record (active: active timeout; forced: the exporter was flushed), source and destination.';

/** See the head of the file. */
export class Records {
  readonly counts: Counts = new Map();
  readonly #write: Write;
  readonly #isShown: boolean;
  readonly #reader = new MessageReader();
  readonly #server: CollectServer;
  #recordCount = 0;
  #problemCount = 0;
  #isHeadDue = true;
  #isExplained = false;

  /** `isShown`: whether to print the records. */
  constructor(write: Write, isShown: boolean) {
    this.#write = write;
    this.#isShown = isShown;
    this.#server = new CollectServer({
      message: (session, bytes) => this.#message(session, bytes),
      ended: (session) => this.#reader.endSession(session.key),
    });
  }

  /** Listens on loopback on a free port, and returns the port. */
  async listen(): Promise<number> {
    return (await this.#server.listen({ host: '127.0.0.1', port: 0 })).port;
  }

  async close(): Promise<void> {
    await this.#server.close();
  }

  /** Number of flow records. */
  get recordCount(): number {
    return this.#recordCount;
  }

  /** Number of problems in messages, such as sequence gaps. */
  get problemCount(): number {
    return this.#problemCount;
  }

  /** Prints the table's head before the next record, because other text was printed. */
  endTable(): void {
    this.#isHeadDue = true;
  }

  #message(session: CollectSession, bytes: Buffer): void {
    const message = this.#reader.read(session.key, bytes, session.transport);
    for (const problem of message.problems) {
      this.#problemCount += 1;
      this.#write(paragraph(`PROBLEM ${problem.code}: ${safeText(problem.message)}`));
    }
    for (const record of message.records) {
      this.#record(message, record);
    }
  }

  #record(message: DecodedMessage, record: DecodedRecord): void {
    const { template, values } = record;
    const byName = new Map(
      template.fields.flatMap(({ name }, index) => {
        const value = values[index];
        return value === undefined ? [] : [[name, value] as const];
      }),
    );
    const packets = byName.get('packetDeltaCount');
    if (template.scopeCount > 0 || packets === undefined) {
      return;
    }
    this.#recordCount += 1;
    addCount(this.counts, kindOf(byName), Number(packets), Number(byName.get('layer2OctetDeltaCount') ?? 0));
    if (this.#isShown) {
      this.#write(this.#head() + recordText(message, record));
    }
  }

  #head(): string {
    if (!this.#isHeadDue) {
      return '';
    }
    this.#isHeadDue = false;
    const explanation = this.#isExplained ? '' : paragraph(EXPLANATION);
    this.#isExplained = true;
    return `\n${explanation}${TABLE_HEAD}\n`;
  }
}
