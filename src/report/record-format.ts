// Formats records, those that `ovs-ipfix collect` receives and the daemon's own: a JSON object for each record, or a table of 80
// columns. Texts may come from anyone who can send a datagram, so control characters of terminals are escaped in both.

import { FLOW_END_REASON_NAMES } from '../ipfix/elements.ts';
import type { DecodedMessage, DecodedRecord, FieldValue } from '../ipfix/reader-types.ts';
import { addressText } from '../runtime/address-text.ts';
import { IP_PROTOCOL_NAMES } from './protocol-names.ts';
import { icmpText, interfaceText, tcpFlagsText, type ValueOf } from './record-words.ts';
import { TABLE_WIDTH } from './text-table.ts';

/** A value in JSON: whole numbers past 2^53 as decimal text, bytes as hex. */
export type JsonValue = string | number | boolean;

/** The head of the table. */
export const TABLE_HEAD =
  'start         lasted proto  packets octets end    from > to\n' +
  '------------ ------- ------ ------- ------ ------ ------------------------------';

/**
 * Returns one record as a flat object: its `origin`, then its elements by name. An element that occurs twice, or has the name
 * of one of the first keys, gets `#2` after its name. `flowStart` and `flowEnd` are absolute, computed from the
 * deltas and the export time (RFC 7011, section 3.1, and elements 158 and 159), or taken from absolute elements. `tcpFlags` and
 * `icmp` are tcpControlBits as letters, and type and code of ICMP in words.
 */
export function recordObject(
  origin: Readonly<Record<string, JsonValue>>,
  message: DecodedMessage,
  record: DecodedRecord,
): Record<string, JsonValue> {
  const object: Record<string, JsonValue> = {
    ...origin,
    exportTime: timeText(message.exportTimeSeconds * 1_000_000),
    observationDomainId: message.observationDomainId,
    sequenceNumber: message.sequenceNumber,
    templateId: record.template.id,
  };
  const flowStart = absoluteTime(message, record, 'flowStart');
  const flowEnd = absoluteTime(message, record, 'flowEnd');
  if (flowStart !== undefined) {
    object['flowStart'] = flowStart;
  }
  if (flowEnd !== undefined) {
    object['flowEnd'] = flowEnd;
  }
  const { fields } = record.template;
  const valueOf: ValueOf = (name) => record.values[fields.findIndex((field) => field.name === name)];
  const words = { tcpFlags: tcpFlagsText(valueOf), icmp: icmpText(valueOf) };
  for (const [name, text] of Object.entries(words)) {
    if (text !== undefined) {
      object[name] = text;
    }
  }
  for (const [index, field] of fields.entries()) {
    let key = field.name;
    for (let count = 2; Object.hasOwn(object, key); count += 1) {
      key = `${field.name}#${count}`;
    }
    object[key] = jsonValue(record.values[index]);
  }
  return object;
}

/** Returns a line of JSON with all control characters escaped. */
export function jsonLine(object: Readonly<Record<string, unknown>>): string {
  return `${escapeControls(JSON.stringify(object), jsonEscape)}\n`;
}

/** Returns one record as a line of the table, with long endpoints on further lines; an options record as a list. */
export function recordText(message: DecodedMessage, record: DecodedRecord): string {
  const values = new Map(record.template.fields.map((field, index) => [field.name, record.values[index]]));
  const start = absoluteTime(message, record, 'flowStart');
  if (start === undefined || record.template.scopeCount > 0) {
    return `${listText(record)}\n`;
  }
  const end = absoluteTime(message, record, 'flowEnd') ?? start;
  const line = [
    start.slice(11, 23).padEnd(12),
    durationText(start, end).padStart(7),
    protocolText(values).padEnd(6),
    countText(values.get('packetDeltaCount')).padStart(7),
    countText(values.get('layer2OctetDeltaCount') ?? values.get('octetDeltaCount')).padStart(6),
    reasonText(values.get('flowEndReason')).padEnd(6),
  ].join(' ');
  const [from, to] = endsOf(values);
  const ends = `${from} > ${to}`;
  const valueOf: ValueOf = (name) => values.get(name);
  const words = [interfaceText(valueOf), tcpFlagsText(valueOf), icmpText(valueOf)];
  const detail = words.filter((each) => each !== undefined).join(' ');
  const further = detail === '' ? [] : [detail];
  if (line.length + 1 + ends.length <= TABLE_WIDTH) {
    return linesText(`${line} ${ends}`, further);
  }
  return linesText(line, [...(ends.length + 4 <= TABLE_WIDTH ? [ends] : [from, `> ${to}`]), ...further]);
}

function linesText(first: string, further: readonly string[]): string {
  return [first, ...further.map((each) => `    ${each}`), ''].join('\n');
}

/** Escapes control characters of text from the network for a terminal. */
export function safeText(text: string): string {
  return escapeControls(text, (code) => `\\x${code.toString(16).padStart(2, '0')}`);
}

function jsonValue(value: FieldValue | undefined): JsonValue {
  if (value === undefined) {
    return '';
  }
  if (typeof value === 'bigint') {
    return value.toString();
  }
  // JSON has no NaN and no infinity.
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return String(value);
  }
  return Buffer.isBuffer(value) ? value.toString('hex') : value;
}

/** Returns a time of the flow, ISO 8601 in UTC with microseconds; undefined when the record has none. */
function absoluteTime(
  message: DecodedMessage,
  record: DecodedRecord,
  which: 'flowStart' | 'flowEnd',
): string | undefined {
  const { fields } = record.template;
  const delta = record.values[fields.findIndex((field) => field.name === `${which}DeltaMicroseconds`)];
  if (typeof delta === 'number') {
    return timeText(message.exportTimeSeconds * 1_000_000 - delta);
  }
  for (const unit of ['Nanoseconds', 'Microseconds', 'Milliseconds', 'Seconds']) {
    const value = record.values[fields.findIndex((field) => field.name === which + unit)];
    if (typeof value === 'string') {
      return value;
    }
  }
  return undefined;
}

function timeText(micros: number): string {
  const date = new Date(Math.floor(micros / 1000)).toISOString();
  const below = ((micros % 1000) + 1000) % 1000;
  return `${date.slice(0, -1)}${below.toString().padStart(3, '0')}Z`;
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

const SUFFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'];

/** Formats a count in at most 6 characters: 99999, 1.23M. */
function countText(value: FieldValue | undefined): string {
  if (typeof value !== 'number' && typeof value !== 'bigint') {
    return '-';
  }
  let number = Number(value);
  if (number < 100_000) {
    return number.toString();
  }
  let power = 0;
  while (number >= 999.5 && power < SUFFIXES.length - 1) {
    number /= 1000;
    power += 1;
  }
  return `${number.toPrecision(3)}${SUFFIXES[power]}`;
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

function escapeControls(text: string, escape: (code: number) => string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    escape(character.codePointAt(0) ?? 0),
  );
}

function jsonEscape(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}
