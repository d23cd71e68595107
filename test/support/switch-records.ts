// A collector for tests that decodes messages of ovs-vswitchd's exporter, leniently in three points: its sequence numbers count
// messages, from 1 and for all domains together; messages of domain 0 describe its exporting process and no flows; and OVS 3.5
// sends the first of those before their template.

import assert from 'node:assert/strict';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import type { FieldValue } from '../../src/ipfix/reader-types.ts';
import type { RecordFormat } from '../../src/ipfix/record-layout.ts';
import { DAEMON_ELEMENTS, FORMAT_ELEMENTS, withCountedFlags } from './switch-elements.ts';
import { UdpSink } from './udp-sink.ts';
import { waitFor } from './wait.ts';

/** Times depend on when each exporter received its frames; other tests check them. */
const TIMES = new Set(['flowStartDeltaMicroseconds', 'flowEndDeltaMicroseconds']);

/** The elements of a record, by name. */
export type Fields = Readonly<Record<string, FieldValue>>;

/** One flow record with the domain of its message. */
export interface SwitchRecord {
  readonly observationDomainId: number;
  readonly fields: Fields;
}

/** The collector. */
export class SwitchRecordSink {
  readonly #sink: UdpSink;
  readonly #reader = new MessageReader();
  readonly #records: SwitchRecord[] = [];
  readonly #elements = new Set<string>();
  #readCount = 0;

  private constructor(sink: UdpSink) {
    this.#sink = sink;
  }

  static async open(): Promise<SwitchRecordSink> {
    return new SwitchRecordSink(await UdpSink.open());
  }

  get target(): string {
    return this.#sink.target;
  }

  get records(): readonly SwitchRecord[] {
    for (const datagram of this.#sink.datagrams.slice(this.#readCount)) {
      this.#readCount += 1;
      const { problems, observationDomainId, templates, records } = this.#reader.read('vswitchd', datagram);
      for (const { name } of templates.flatMap(({ fields }) => fields)) {
        this.#elements.add(name);
      }
      const unknown = problems.filter(({ code }) => code !== 'sequence-gap' && code !== 'sequence-repeat');
      if (observationDomainId === 0) {
        continue;
      }
      assert.deepEqual(unknown, []);
      for (const { template, values } of records) {
        const named = template.fields.map(({ name }, index) => [name, values[index] ?? ''] as const);
        this.#records.push({ observationDomainId, fields: Object.fromEntries(named) });
      }
    }
    return this.#records;
  }

  /** The names of the elements in its templates and options templates. */
  get elements(): ReadonlySet<string> {
    void this.records;
    return this.#elements;
  }

  /** Waits until the packets of all records add up to the count; fails if they exceed it. */
  async waitForPackets(count: number): Promise<readonly SwitchRecord[]> {
    const packetCount = () =>
      this.records.reduce((sum, { fields }) => sum + Number(fields['packetDeltaCount']), 0);
    await waitFor(() => packetCount() >= count, { what: `vswitchd has sent records of ${count} packets` });
    assert.equal(packetCount(), count);
    return this.records;
  }

  /** Clears the records, but keeps the templates. */
  clear(): void {
    void this.records;
    this.#records.length = 0;
  }

  close(): Promise<void> {
    return this.#sink.close();
  }
}

/**
 * Returns the differences of two records by element, as "element: theirs, ours", for the elements of the format that both
 * exporters may have.
 */
export function recordDifferences(
  format: RecordFormat,
  theirs: Fields | undefined,
  ours: Fields | undefined,
): Map<string, string> {
  const found = new Map<string, string>();
  const records = [theirs, ours && withCountedFlags(ours)];
  for (const name of FORMAT_ELEMENTS[format]) {
    const pair = records.map((fields) => (fields?.[name] === undefined ? 'absent' : String(fields[name])));
    if (pair[0] !== pair[1] && !TIMES.has(name) && !DAEMON_ELEMENTS.has(name)) {
      found.set(name, `${name}: ${pair.join(', ')}`);
    }
  }
  return found;
}
