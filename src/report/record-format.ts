// Formats records as JSON objects, those that `ovs-ipfix collect` receives and the daemon's own; record-text.ts makes a table of
// them. Texts may come from anyone who can send a datagram, so control characters of terminals are escaped in both.

import type { DecodedMessage, DecodedRecord, FieldValue } from '../ipfix/reader-types.ts';
import { escapeUnsafe } from '../runtime/safe-text.ts';
import { directionText, icmpText, tcpFlagsText, type ValueOf } from './record-words.ts';

/** A value in JSON: whole numbers past 2^53 as decimal text, bytes as hex. */
export type JsonValue = string | number | boolean;

/**
 * Returns one record as a flat object: its `origin`, then its elements by name. An element that occurs twice, or has the name
 * of one of the first keys, gets `#2` after its name. `flowStart` and `flowEnd` are absolute, computed from the
 * deltas and the export time (RFC 7011, section 3.1, and elements 158 and 159), or taken from absolute elements. `direction`,
 * `tcpFlags` and `icmp` are flowDirection in words, tcpControlBits as letters, and type and code of ICMP in words.
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
  const words = {
    direction: directionText(valueOf),
    tcpFlags: tcpFlagsText(valueOf),
    icmp: icmpText(valueOf),
  };
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
  return `${escapeUnsafe(JSON.stringify(object), jsonEscape)}\n`;
}

/** Returns the value of an element for JSON. */
export function jsonValue(value: FieldValue | undefined): JsonValue {
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
export function absoluteTime(
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

function jsonEscape(character: string): string {
  return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
}
