// The daemon's own records for display: messages are decoded with the templates that they were written with, so that the rows
// show what a collector gets. The names of interfaces are added.

import type { IngressInterfaces } from '../intake/ingress-interfaces.ts';
import { MessageReader } from '../ipfix/message-reader.ts';
import { MessageWriter } from '../ipfix/message-writer.ts';
import { MESSAGE_HEADER_SIZE, MESSAGE_SIZE_MAX } from '../ipfix/protocol.ts';
import type { DecodedRecord } from '../ipfix/reader-types.ts';
import { RECORD_LAYOUTS } from '../ipfix/record-layout.ts';
import { encodeTemplateSets } from '../ipfix/template-sets.ts';
import { type JsonValue, recordObject } from './record-format.ts';
import { type RecordLine, recordLine } from './record-text.ts';

/** One record: its origin and elements by name, and as words for a table. */
export interface RecordRow {
  /**
   * Names the bridge and the exporter, then the ingress interface by `interfaceName` and what is attached to it by
   * `interfaceDescription`, as far as they are known, then `exportTime`, `flowStart`, `flowEnd` and all elements.
   */
  readonly values: Readonly<Record<string, JsonValue>>;
  line(): RecordLine | undefined;
}

/** Where a record comes from: the first values of its row, and the interfaces of the bridge. */
export interface RecordOrigin {
  readonly values: Readonly<Record<string, JsonValue>>;
  readonly interfaces: Pick<IngressInterfaces, 'namesOf'>;
}

/** Decodes the daemon's own messages. */
export class RecordDecoder {
  readonly #reader = new MessageReader();
  readonly #templates = new MessageWriter(MESSAGE_SIZE_MAX);
  /** Of all layouts: the layout of an exporter may have changed between two of its newest messages. */
  readonly #templateSets = RECORD_LAYOUTS.flatMap((layout) => encodeTemplateSets(layout, MESSAGE_SIZE_MAX));
  #sessionCount = 0;

  /** Returns the records of a message, newest last; each row's values lack those of `omitted`. */
  rows(
    message: Buffer,
    origin: RecordOrigin,
    omitted: readonly string[] = ['sequenceNumber'],
  ): readonly RecordRow[] {
    // Each message is its own session, so that sequence numbers are not checked.
    const session = `${(this.#sessionCount += 1)}`;
    this.#reader.read(session, this.#templateMessage(message), 'tcp');
    const decoded = this.#reader.read(session, message, 'tcp');
    this.#reader.endSession(session);
    return decoded.records.map((record) => {
      const first = { ...origin.values, ...namesOf(record, origin) };
      const values = Object.entries(recordObject(first, decoded, record));
      return {
        values: Object.fromEntries(values.filter(([name]) => !omitted.includes(name))),
        line: () => recordLine(decoded, record),
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

function namesOf({ template, values }: DecodedRecord, { interfaces }: RecordOrigin) {
  const number = values[template.fields.findIndex(({ name }) => name === 'ingressInterface')];
  const names = typeof number === 'number' ? interfaces.namesOf(number) : undefined;
  return {
    ...(names === undefined ? {} : { interfaceName: names.name }),
    ...(names?.attached === undefined ? {} : { interfaceDescription: names.attached }),
  };
}
