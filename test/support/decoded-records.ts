// Records as collectors decode them that show all elements by their IANA names, libfixbuf's ipfixDump and ipfixcol2, and their
// comparison with the records of the strict reader.

import assert from 'node:assert/strict';
import ipaddr from 'ipaddr.js';
import type { FlowRecord } from './flow-records.ts';

/** The elements of a record, by name, as text. */
export type DecodedFields = Readonly<Record<string, string>>;

/** Names of protocols that ipfixcol2 shows in place of numbers. */
const PROTOCOLS: Readonly<Record<string, string>> = {
  ICMP: '1',
  TCP: '6',
  UDP: '17',
  'IPv6-ICMP': '58',
  SCTP: '132',
};

/** Returns the data records in the text of ipfixDump. */
export function recordsOfIpfixDump(text: string): DecodedFields[] {
  const [, ...records] = text.split(/^--- data record \d+ ---$/mu);
  return records.map((record) => {
    const lines = record.matchAll(/^\t\(\d+\) +(?<name>\w+) : (?<value>.*)$/gmu);
    return Object.fromEntries(
      [...lines].map(({ groups }) => [groups?.['name'], sameForm(groups?.['value'])]),
    );
  });
}

/** Returns the data records in the JSON lines of ipfixcol2. */
export function recordsOfIpfixcol2(text: string): DecodedFields[] {
  return text
    .split('\n')
    .filter((line) => line.includes('"ipfix.entry"'))
    .map((line) => {
      const { '@type': _, ...elements } = JSON.parse(line) as Record<string, string | number>;
      return Object.fromEntries(
        Object.entries(elements).map(([name, value]) => {
          const plain = sameForm(value);
          return [name.replace(/^iana:/u, ''), PROTOCOLS[plain] ?? plain];
        }),
      );
    });
}

/** Fails unless the decoded records have the same elements with the same values as those of the strict reader, in any order. */
export function assertSameRecords(expected: readonly FlowRecord[], decoded: readonly DecodedFields[]): void {
  const lines = (records: readonly Readonly<Record<string, unknown>>[]) =>
    records
      .map((fields) =>
        Object.keys(fields)
          .sort()
          .map((name) => `${name} ${sameForm(fields[name])}`)
          .join(', '),
      )
      .sort();
  assert.deepEqual(lines(decoded), lines(expected.map(({ fields }) => fields)));
}

/** A time as `2026-11-29 01:40:37.835`, an address of IPv6 as RFC 5952 has it, other values as lower-case text. */
function sameForm(value: unknown): string {
  const text = String(value);
  const time = /^(?<day>\d{4}-\d\d-\d\d)[T ](?<time>\d\d:\d\d:\d\d\.\d{3})/u.exec(text)?.groups;
  if (time !== undefined) {
    return `${time['day']} ${time['time']}`;
  }
  if (ipaddr.IPv6.isValid(text)) {
    return ipaddr.IPv6.parse(text).toRFC5952String();
  }
  return text in PROTOCOLS ? text : text.toLowerCase();
}
