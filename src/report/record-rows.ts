// The daemon's own records for display: messages are decoded with the templates that they were written with, so that the rows
// show what a collector gets.

import { MessageReader } from '../ipfix/message-reader.ts';
import { MessageWriter } from '../ipfix/message-writer.ts';
import { MESSAGE_HEADER_SIZE, MESSAGE_SIZE_MAX } from '../ipfix/protocol.ts';
import { RECORD_LAYOUTS } from '../ipfix/record-layout.ts';
import { encodeTemplateSets } from '../ipfix/template-sets.ts';
import { type JsonValue, recordObject, recordText } from './record-format.ts';

/** One record: its origin and elements by name, and as a line of the table of record-format.ts. */
export interface RecordRow {
  /** Names the bridge and the exporter, then `exportTime`, `flowStart`, `flowEnd` and all elements of the record. */
  readonly values: Readonly<Record<string, JsonValue>>;
  readonly text: string;
}

/** Decodes the daemon's own messages. */
export class RecordDecoder {
  readonly #reader = new MessageReader();
  readonly #templates = new MessageWriter(MESSAGE_SIZE_MAX);
  /** Of all layouts: the layout of an exporter may have changed between two of its newest messages. */
  readonly #templateSets = RECORD_LAYOUTS.flatMap((layout) => encodeTemplateSets(layout, MESSAGE_SIZE_MAX));
  #sessionCount = 0;

  /** Returns the records of a message, newest last; each row's values begin with `origin` and lack those of `omitted`. */
  rows(
    message: Buffer,
    origin: Readonly<Record<string, JsonValue>>,
    omitted: readonly string[] = ['sequenceNumber'],
  ): readonly RecordRow[] {
    // Each message is its own session, so that sequence numbers are not checked.
    const session = `${(this.#sessionCount += 1)}`;
    this.#reader.read(session, this.#templateMessage(message), 'tcp');
    const decoded = this.#reader.read(session, message, 'tcp');
    this.#reader.endSession(session);
    return decoded.records.map((record) => {
      const values = Object.entries(recordObject(origin, decoded, record));
      return {
        values: Object.fromEntries(values.filter(([name]) => !omitted.includes(name))),
        text: recordText(decoded, record),
      };
    });
  }

  #templateMessage(message: Buffer): Buffer {
    const header = message.subarray(0, MESSAGE_HEADER_SIZE);
    this.#templates.begin(header.readUInt32BE(4), header.readUInt32BE(12));
    for (const set of this.#templateSets) {
      this.#templates.appendSet(set);
    }
    return this.#templates.bytes.subarray(0, this.#templates.finish());
  }
}
