// Records as lines of a table of 80 columns: what `ovs-ipfix collect` and the demo print, and what the table of `flows` is made of.

import { FLOW_END_REASON_NAMES } from '../ipfix/elements.ts';
import type { DecodedMessage, DecodedRecord, FieldValue } from '../ipfix/reader-types.ts';
import { addressText } from '../runtime/address-text.ts';
import { safeText } from '../runtime/safe-text.ts';
import { IP_PROTOCOL_NAMES } from './protocol-names.ts';
import { absoluteTime, jsonValue } from './record-format.ts';
import { icmpText, interfaceText, tcpFlagsText, type ValueOf } from './record-words.ts';
import { countText, TABLE_WIDTH } from './text-table.ts';

/** The words of a record for a line of a table. */
export interface RecordLine {
  /** Start, duration, protocol, packets and octets, each padded to the width of its column. */
  readonly columns: readonly string[];
  /** Why the flow ended; `-` for one that has not. */
  readonly end: string;
  readonly from: string;
  readonly to: string;
  /** Interface and direction, TCP flags, and type and code of ICMP, as far as the record has them. */
  readonly details: readonly string[];
}

/** The head of the table. */
export const TABLE_HEAD =
  'start         lasted proto  packets octets end    from > to\n' +
  '------------ ------- ------ ------- ------ ------ ------------------------------';

/** Returns one record as a line of the table, with long endpoints on further lines; an options record as a list. */
export function recordText(message: DecodedMessage, record: DecodedRecord): string {
  const line = recordLine(message, record);
  return line === undefined
    ? `${listText(record)}\n`
    : lineText([...line.columns, line.end.padEnd(6)].join(' '), line);
}

/** Returns the words of a record; undefined for one that does not describe a flow. */
export function recordLine(message: DecodedMessage, record: DecodedRecord): RecordLine | undefined {
  const values = new Map(record.template.fields.map((field, index) => [field.name, record.values[index]]));
  const start = absoluteTime(message, record, 'flowStart');
  if (start === undefined || record.template.scopeCount > 0) {
    return undefined;
  }
  const end = absoluteTime(message, record, 'flowEnd') ?? start;
  const [from, to] = endsOf(values);
  const valueOf: ValueOf = (name) => values.get(name);
  const details = [interfaceText(valueOf), tcpFlagsText(valueOf), icmpText(valueOf)];
  return {
    columns: [
      start.slice(11, 23).padEnd(12),
      durationText(start, end).padStart(7),
      protocolText(values).padEnd(6),
      valueText(values.get('packetDeltaCount')).padStart(7),
      valueText(values.get('layer2OctetDeltaCount') ?? values.get('octetDeltaCount')).padStart(6),
    ],
    end: reasonText(values.get('flowEndReason')),
    from,
    to,
    details: details.filter((each) => each !== undefined),
  };
}

/** Returns `front` with the endpoints behind it, or on further lines if the width does not allow that, then the details. */
export function lineText(front: string, { from, to, details }: RecordLine): string {
  const ends = `${from} > ${to}`;
  const further = details.length === 0 ? [] : [details.join(' ')];
  if (front.length + 1 + ends.length <= TABLE_WIDTH) {
    return linesText(`${front} ${ends}`, further);
  }
  return linesText(front.trimEnd(), [
    ...(ends.length + 4 <= TABLE_WIDTH ? [ends] : [from, `> ${to}`]),
    ...further,
  ]);
}

function linesText(first: string, further: readonly string[]): string {
  return [first, ...further.map((each) => `    ${each}`), ''].join('\n');
}

function durationText(start: string, end: string): string {
  const ms = Date.parse(end) - Date.parse(start);
  if (!Number.isFinite(ms) || ms < 0) {
    return '?';
  }
  if (ms >= 1_000_000) {
    return Math.round(ms / 1000).toString();
  }
  return (ms / 1000).toFixed(ms < 100_000 ? 3 : 2);
}

const ETHERNET_TYPE_NAMES: ReadonlyMap<FieldValue, string> = new Map([
  [0x0806, 'ARP'],
  [0x8100, 'VLAN'],
  [0x8847, 'MPLS'],
  [0x8848, 'MPLS'],
  [0x88cc, 'LLDP'],
]);

type Values = ReadonlyMap<string, FieldValue | undefined>;

function protocolText(values: Values): string {
  const protocol = values.get('protocolIdentifier');
  if (typeof protocol === 'number') {
    return IP_PROTOCOL_NAMES.get(protocol) ?? `ip ${protocol}`;
  }
  const type = values.get('ethernetType');
  if (typeof type !== 'number') {
    return '-';
  }
  return ETHERNET_TYPE_NAMES.get(type) ?? `0x${type.toString(16).padStart(4, '0')}`;
}

function valueText(value: FieldValue | undefined): string {
  return typeof value === 'number' || typeof value === 'bigint' ? countText(value) : '-';
}

const REASON_WORDS: ReadonlyMap<string, string> = new Map([
  ['idleTimeout', 'idle'],
  ['activeTimeout', 'active'],
  ['endOfFlowDetected', 'ended'],
  ['forcedEnd', 'forced'],
  ['lackOfResources', 'full'],
]);

function reasonText(value: FieldValue | undefined): string {
  // 0: the flow is still in the cache and has not ended.
  if (typeof value !== 'number' || value === 0) {
    return '-';
  }
  return REASON_WORDS.get(FLOW_END_REASON_NAMES.get(value) ?? '') ?? String(value);
}

/** Returns the endpoints of a flow: addresses and ports, else MAC addresses; a VLAN follows the second. */
function endsOf(values: Values): readonly [from: string, to: string] {
  const vlan = values.get('vlanId') ?? values.get('dot1qVlanId');
  const suffix = typeof vlan === 'number' ? ` vlan ${vlan}` : '';
  return [endText(values, 'source'), endText(values, 'destination') + suffix];
}

function endText(values: Values, side: 'source' | 'destination'): string {
  const address = values.get(`${side}IPv4Address`) ?? values.get(`${side}IPv6Address`);
  if (typeof address !== 'string') {
    const mac = values.get(`${side}MacAddress`);
    return typeof mac === 'string' ? mac : '?';
  }
  const port = values.get(`${side}TransportPort`);
  if (typeof port !== 'number') {
    return address;
  }
  return addressText(address, port);
}

/** Formats a record that does not describe a flow: all elements, wrapped. */
function listText(record: DecodedRecord): string {
  const { template } = record;
  const lines: string[] = [];
  let line = template.scopeCount > 0 ? `options ${template.id}:` : `record ${template.id}:`;
  for (const [index, field] of template.fields.entries()) {
    const word = safeText(`${field.name}=${jsonValue(record.values[index])}`);
    if (line.length + 1 + word.length > TABLE_WIDTH) {
      lines.push(line);
      line = '   ';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}
