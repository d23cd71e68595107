// Matches: ordered lists of fields with values and masks, in Nicira's form (nx_match: OpenFlow 1.0 and packet-in
// metadata) and OpenFlow's own (ofp_match of type OXM: 1.3 and later). Fields that the table lacks are kept as bytes;
// a match that has been decoded is encoded to the same bytes again. OpenFlow 1.0's fixed match cannot express registers
// and is not read; the text form is in match-text.ts.
//
// Used by other codecs: decodeNxMatch, encodeNxMatch, decodeOxmMatch, encodeOxmMatch, decodeFields, encodeField.
import { OpenFlowEncodeError } from './errors.ts';
import {
  CLASS_EXPERIMENTER,
  type FieldContext,
  type FieldHeader,
  type FieldName,
  type FieldSpec,
  fieldByHeader,
  fieldByName,
  isSameHeader,
  preferredHeader,
} from './fields.ts';
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

/** Which field: a name of the table, or `unknown` with its header. */
export interface FieldReference {
  readonly field: FieldName | 'unknown';
  /** Present for unknown fields, and where a known one came with another header than OVS writes there. */
  readonly header?: FieldHeader;
}

/** A field that an action reads or writes without saying a value. */
export interface FieldTarget extends FieldReference {
  /** In bytes, where the table does not say: unknown fields and tunnel options. */
  readonly width?: number;
}

/** One field of a match: packets match when they agree with `value` in all bits that are set in `mask`. */
export interface MatchField extends FieldReference {
  /** Big-endian, as wide as the field. */
  readonly value: Buffer;
  /** As wide as `value`; absent for an exact match. */
  readonly mask?: Buffer;
}

/** Any number, bytes or 64-bit number that fits into a field. */
export type FieldValue = number | bigint | Uint8Array;

const OXM_MATCH = 1;
const OXM_MATCH_HEADER_SIZE = 4;

/**
 * A field for a match or a set-field action. Numbers are widened to the field; in_port is always the 16-bit field of
 * OpenFlow 1.0, and `inPort` chooses by version. Throws a RangeError for a value that does not fit.
 */
export function matchField(name: string, value: FieldValue, mask?: FieldValue): MatchField {
  const spec = fieldByName(name);
  if (spec === undefined) {
    throw new RangeError(`there is no match field "${name}"`);
  }
  const bytes = toBytes(name, value, spec.width);
  return mask === undefined
    ? { field: spec.name, value: bytes }
    : { field: spec.name, value: bytes, mask: toBytes(name, mask, bytes.length) };
}

/** A match on the input port, given as the 32-bit number of OpenFlow 1.1 and later. */
export function inPort(version: OpenFlowVersion, portNumber: number): MatchField {
  return version === 1 ? matchField('in_port', portNumber & 0xffff) : matchField('in_port_oxm', portNumber);
}

/** The value of a field as a number without sign. */
export function fieldValue(field: MatchField): bigint {
  return field.value.length === 0 ? 0n : BigInt(`0x${field.value.toString('hex')}`);
}

/** The first field of that name (not alias) in a list. */
export function findField(fields: readonly MatchField[], name: FieldName): MatchField | undefined {
  return fields.find((field) => field.field === name);
}

/** Whether two matches are satisfied by the same packets, as far as their fields show: see `matchKey`. */
export function isSameMatch(a: readonly MatchField[], b: readonly MatchField[]): boolean {
  return matchKey(a) === matchKey(b);
}

/**
 * A string that is equal for equal matches, to find flows in a Map. It does not depend on the order of the fields, nor on
 * whether registers come alone or joined: in OpenFlow 1.5 OVS tells reg11 as half of xreg5.
 */
export function matchKey(fields: readonly MatchField[]): string {
  const keys = fields.flatMap(splitRegisters).map((field) => {
    const header = field.field === 'unknown' ? field.header : undefined;
    const name =
      header === undefined ? field.field : `${header.experimenter}.${header.classId}.${header.fieldId}`;
    return `${name}=${maskedHex(field)}`;
  });
  return keys.sort().join(',');
}

/** A joined register as the registers of 32 bits that it consists of, without those that it does not look at. */
export function splitRegisters(field: MatchField): readonly MatchField[] {
  const joined = /^(xx?)reg(\d+)$/.exec(field.field);
  if (joined === null) {
    return [field];
  }
  const count = joined[1] === 'x' ? 2 : 4;
  const first = Number(joined[2]) * count;
  return Array.from({ length: count }, (_, index) => {
    const mask = field.mask?.subarray(index * 4, index * 4 + 4);
    return matchField(`reg${first + index}`, field.value.subarray(index * 4, index * 4 + 4), mask);
  }).filter(({ mask }) => mask === undefined || mask.some((byte) => byte !== 0));
}

function maskedHex({ value, mask }: MatchField): string {
  if (mask === undefined || mask.every((byte) => byte === 0xff)) {
    return value.toString('hex');
  }
  const masked = value.map((byte, index) => byte & (mask[index] ?? 0));
  return `${Buffer.from(masked).toString('hex')}/${mask.toString('hex')}`;
}

/*
 * Field                                  ofp_match                          nx_match
 *   u16 class                              u16 type: 1 is OXM                 fields
 *   u7  field                              u16 length, without padding        zeros up to a multiple of 8
 *   u1  has a mask                         fields
 *   u8  length of what follows             zeros up to a multiple of 8
 *   u32 experimenter (class 0xffff)
 *   value, mask
 */

/** Reads fields up to the end of the reader. */
export function decodeFields(reader: WireReader, context: FieldContext, what: string): MatchField[] {
  const fields: MatchField[] = [];
  while (reader.remaining > 0) {
    fields.push(decodeField(reader, context, what));
  }
  return fields;
}

/** Reads one field with its value and mask. */
export function decodeField(reader: WireReader, context: FieldContext, what: string): MatchField {
  const { header, hasMask, payloadSize } = decodeHeader(reader, what);
  if (hasMask && payloadSize % 2 !== 0) {
    throw reader.fault(what, `a value and a mask cannot have ${payloadSize} bytes together`);
  }
  const width = hasMask ? payloadSize / 2 : payloadSize;
  const reference = toReference(header, width, context);
  const value = reader.copy(width, what);
  return hasMask ? { ...reference, value, mask: reader.copy(width, what) } : { ...reference, value };
}

/** Writes one field with its value and mask. */
export function encodeField(field: MatchField, context: FieldContext, writer: WireWriter): void {
  const spec = specOf(field);
  const { value, mask } = field;
  if (spec !== undefined && spec.width !== 0 && value.length !== spec.width) {
    throw new RangeError(`${field.field} takes ${spec.width} bytes, not ${value.length}`);
  }
  if (mask !== undefined && mask.length !== value.length) {
    throw new RangeError(`${field.field} has a value of ${value.length} bytes, but a mask of ${mask.length}`);
  }
  encodeHeader(
    headerOf(field, context),
    mask !== undefined,
    value.length * (mask === undefined ? 1 : 2),
    writer,
  );
  writer.put(value);
  if (mask !== undefined) {
    writer.put(mask);
  }
}

/** Reads the header of a field that an action names without a value. A mask bit there means nothing, and is lost. */
export function decodeFieldTarget(reader: WireReader, context: FieldContext, what: string): FieldTarget {
  const { header, payloadSize } = decodeHeader(reader, what);
  const reference = toReference(header, payloadSize, context);
  return specOf(reference)?.width === payloadSize ? reference : { ...reference, width: payloadSize };
}

/** Writes the header of a field that an action names without a value. */
export function encodeFieldTarget(target: FieldTarget, context: FieldContext, writer: WireWriter): void {
  encodeHeader(headerOf(target, context), false, target.width ?? specOf(target)?.width ?? 0, writer);
}

/** Reads a match of OpenFlow 1.3 and later with its padding. */
export function decodeOxmMatch(version: OpenFlowVersion, reader: WireReader, what = 'match'): MatchField[] {
  const type = reader.u16(`${what}.type`);
  if (type !== OXM_MATCH) {
    throw reader.fault(`${what}.type`, `${type} is not the type of an OXM match`);
  }
  const length = reader.u16(`${what}.length`);
  if (length < OXM_MATCH_HEADER_SIZE) {
    throw reader.fault(`${what}.length`, `${length} is less than the match's own header`);
  }
  const fields = decodeFields(reader.sub(length - OXM_MATCH_HEADER_SIZE, what), version, what);
  reader.skip(paddingAfter(length), `${what}.pad`);
  return fields;
}

/** Writes a match of OpenFlow 1.3 and later with its padding; returns its length without padding. */
export function encodeOxmMatch(
  version: OpenFlowVersion,
  fields: readonly MatchField[],
  writer: WireWriter,
): number {
  const start = writer.size;
  writer.u16(OXM_MATCH).u16(0);
  for (const field of fields) {
    encodeField(field, version, writer);
  }
  const length = writer.size - start;
  writer.setU16(start + 2, length).align8(start);
  return length;
}

/** Reads `length` bytes of Nicira's match and the padding behind them. */
export function decodeNxMatch(length: number, reader: WireReader, what = 'match'): MatchField[] {
  const fields = decodeFields(reader.sub(length, what), 'nxm', what);
  reader.skip(paddingAfter(length), `${what}.pad`);
  return fields;
}

/** Writes Nicira's match and its padding; returns its length without padding. */
export function encodeNxMatch(fields: readonly MatchField[], writer: WireWriter): number {
  const start = writer.size;
  for (const field of fields) {
    encodeField(field, 'nxm', writer);
  }
  const length = writer.size - start;
  writer.align8(start);
  return length;
}

/** How many bytes are missing to a multiple of 8. */
export function paddingAfter(length: number): number {
  return (8 - (length % 8)) % 8;
}

interface WireFieldHeader {
  readonly header: FieldHeader;
  readonly hasMask: boolean;
  /** Bytes of value and mask. */
  readonly payloadSize: number;
}

function decodeHeader(reader: WireReader, what: string): WireFieldHeader {
  const classId = reader.u16(what);
  const fieldAndMask = reader.u8(what);
  const length = reader.u8(what);
  const hasMask = (fieldAndMask & 1) !== 0;
  const fieldId = fieldAndMask >> 1;
  if (classId !== CLASS_EXPERIMENTER) {
    return { header: { classId, fieldId, experimenter: 0 }, hasMask, payloadSize: length };
  }
  if (length < 4) {
    throw reader.fault(
      what,
      `an experimenter field of ${length} bytes has no room for the experimenter's number`,
    );
  }
  const experimenter = reader.u32(what);
  return { header: { classId, fieldId, experimenter }, hasMask, payloadSize: length - 4 };
}

function encodeHeader(header: FieldHeader, hasMask: boolean, payloadSize: number, writer: WireWriter): void {
  const isExperimenter = header.classId === CLASS_EXPERIMENTER;
  const length = payloadSize + (isExperimenter ? 4 : 0);
  if (length > 0xff) {
    throw new RangeError(`a match field of ${length} bytes does not fit into the 255 that the wire allows`);
  }
  writer
    .u16(header.classId)
    .u8(header.fieldId * 2 + (hasMask ? 1 : 0))
    .u8(length);
  if (isExperimenter) {
    writer.u32(header.experimenter);
  }
}

function toReference(header: FieldHeader, width: number, context: FieldContext): FieldReference {
  const spec = fieldByHeader(header, width);
  if (spec === undefined) {
    return { field: 'unknown', header };
  }
  return isSameHeader(header, preferredHeader(spec, context))
    ? { field: spec.name }
    : { field: spec.name, header };
}

function headerOf(reference: FieldReference, context: FieldContext): FieldHeader {
  if (reference.header !== undefined) {
    return reference.header;
  }
  const spec = specOf(reference);
  if (spec === undefined) {
    const version = context === 'nxm' ? 1 : context;
    throw new OpenFlowEncodeError('match', version, 'a field that is not in the table needs its header');
  }
  return preferredHeader(spec, context);
}

function specOf(reference: FieldReference): FieldSpec | undefined {
  return reference.field === 'unknown' ? undefined : fieldByName(reference.field);
}

function toBytes(name: string, value: FieldValue, width: number): Buffer {
  if (typeof value === 'object') {
    if (width !== 0 && value.length !== width) {
      throw new RangeError(`${name} takes ${width} bytes, not ${value.length}`);
    }
    return Buffer.from(value);
  }
  const number = BigInt(value);
  const size = width === 0 ? 4 : width;
  if (number < 0n || number >> BigInt(size * 8) !== 0n) {
    throw new RangeError(`${name} has ${size * 8} bits, which ${value} does not fit into`);
  }
  return Buffer.from(number.toString(16).padStart(size * 2, '0'), 'hex');
}
