// The codec of matches, which are ordered lists of fields with values and masks: Nicira's (nx_match: OpenFlow 1.0 and
// packet-in metadata) and OpenFlow's (ofp_match of type OXM: 1.3 and later). A decoded match is encoded to the same bytes;
// fields that the table lacks are kept as bytes. OpenFlow 1.0's fixed match cannot express registers and is not supported.
// match-text.ts formats matches.
//
// Used by other codecs: decodeNxMatch, encodeNxMatch, decodeOxmMatch, encodeOxmMatch, decodeFields, encodeField.
import { DecodedParts } from './decoded-parts.ts';
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

/** A reference to a field: its name in the table, or `unknown` with its header. */
export interface FieldReference {
  readonly field: FieldName | 'unknown';
  /** Present for unknown fields, and for known ones with another header than OVS uses there. */
  readonly header?: FieldHeader;
}

/** A field that an action reads or writes, without a value. */
export interface FieldTarget extends FieldReference {
  /** In bytes, for fields without a width in the table: unknown ones and tunnel options. */
  readonly width?: number;
}

/** One field of a match: a packet matches when it equals `value` in all bits of `mask`. */
export interface MatchField extends FieldReference {
  /** Big-endian, as wide as the field. */
  readonly value: Buffer;
  /** As wide as `value`; absent for an exact match. */
  readonly mask?: Buffer;
}

/** The value of a field as a number or as bytes. */
export type FieldValue = number | bigint | Uint8Array;

const OXM_MATCH = 1;
const OXM_MATCH_HEADER_SIZE = 4;
/** Class, field and length, before an experimenter's number. */
const FIELD_HEADER_SIZE = 4;

const decodedFields = new DecodedParts<FieldContext, MatchField>();

/**
 * Returns a field for a match or a set-field action. Numbers are widened to the field. in_port is the 16-bit field of
 * OpenFlow 1.0; `inPort` selects the field by version. Throws RangeError for an unknown name or a value that does not fit.
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

/** Returns a match on the input port, given as the 32-bit number of OpenFlow 1.1 and later. */
export function inPort(version: OpenFlowVersion, portNumber: number): MatchField {
  return version === 1 ? matchField('in_port', portNumber & 0xffff) : matchField('in_port_oxm', portNumber);
}

/** Returns the value of a field as an unsigned number. */
export function fieldValue(field: MatchField): bigint {
  return field.value.length === 0 ? 0n : BigInt(`0x${field.value.toString('hex')}`);
}

/** Returns the first field of that name (not alias) in a list. */
export function findField(fields: readonly MatchField[], name: FieldName): MatchField | undefined {
  return fields.find((field) => field.field === name);
}

/** Whether two matches match the same packets, as far as their fields tell; see `matchKey`. */
export function isSameMatch(a: readonly MatchField[], b: readonly MatchField[]): boolean {
  return matchKey(a) === matchKey(b);
}

/**
 * Returns a string that is equal for equal matches, to look up flows in a Map. It does not depend on the order of fields,
 * nor on whether registers are joined: in OpenFlow 1.5 OVS reports reg11 as half of xreg5.
 */
export function matchKey(fields: readonly MatchField[]): string {
  const keys: string[] = [];
  for (const field of fields) {
    if (JOINED_REGISTER.test(field.field)) {
      keys.push(...splitRegisters(field).map(fieldKey));
    } else {
      keys.push(fieldKey(field));
    }
  }
  return keys.sort().join(',');
}

function fieldKey(field: MatchField): string {
  const header = field.field === 'unknown' ? field.header : undefined;
  const name =
    header === undefined ? field.field : `${header.experimenter}.${header.classId}.${header.fieldId}`;
  return `${name}=${maskedHex(field)}`;
}

const JOINED_REGISTER = /^(xx?)reg(\d+)$/;

/** Splits a joined register into its 32-bit registers, without those whose mask is 0. */
export function splitRegisters(field: MatchField): readonly MatchField[] {
  const joined = JOINED_REGISTER.exec(field.field);
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

/** Decodes the rest of the reader as fields. */
export function decodeFields(reader: WireReader, context: FieldContext, what: string): MatchField[] {
  const fields: MatchField[] = [];
  while (reader.remaining > 0) {
    fields.push(decodeField(reader, context, what));
  }
  return fields;
}

/** Decodes one field with its value and mask. */
export function decodeField(reader: WireReader, context: FieldContext, what: string): MatchField {
  const { bytes, offset } = reader;
  const payloadSize = reader.remaining < FIELD_HEADER_SIZE ? 0 : bytes.readUInt8(offset + 3);
  const end = offset + FIELD_HEADER_SIZE + payloadSize;
  if (end > reader.end) {
    return decodeNewField(reader, context, what);
  }
  const field = decodedFields.get(context, bytes, offset, end, () => decodeNewField(reader, context, what));
  reader.offset = end;
  return field;
}

function decodeNewField(reader: WireReader, context: FieldContext, what: string): MatchField {
  const { header, hasMask, payloadSize } = decodeHeader(reader, what);
  if (hasMask && payloadSize % 2 !== 0) {
    throw reader.fault(what, `value and mask have ${payloadSize} bytes, which is odd`);
  }
  const width = hasMask ? payloadSize / 2 : payloadSize;
  const reference = toReference(header, width, context);
  const value = reader.copy(width, what);
  return hasMask ? { ...reference, value, mask: reader.copy(width, what) } : { ...reference, value };
}

/** Encodes one field with its value and mask. */
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

/** Decodes the header of a field without a value, as in actions. The mask bit has no meaning there and is dropped. */
export function decodeFieldTarget(reader: WireReader, context: FieldContext, what: string): FieldTarget {
  const { header, payloadSize } = decodeHeader(reader, what);
  const reference = toReference(header, payloadSize, context);
  return specOf(reference)?.width === payloadSize ? reference : { ...reference, width: payloadSize };
}

/** Encodes the header of a field without a value, as in actions. */
export function encodeFieldTarget(target: FieldTarget, context: FieldContext, writer: WireWriter): void {
  encodeHeader(headerOf(target, context), false, target.width ?? specOf(target)?.width ?? 0, writer);
}

/** Decodes a match of OpenFlow 1.3 and later with its padding. */
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

/** Encodes a match of OpenFlow 1.3 and later with its padding; returns its length without padding. */
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

/** Decodes a Nicira match of `length` bytes and its padding. */
export function decodeNxMatch(length: number, reader: WireReader, what = 'match'): MatchField[] {
  const fields = decodeFields(reader.sub(length, what), 'nxm', what);
  reader.skip(paddingAfter(length), `${what}.pad`);
  return fields;
}

/** Encodes a Nicira match and its padding; returns its length without padding. */
export function encodeNxMatch(fields: readonly MatchField[], writer: WireWriter): number {
  const start = writer.size;
  for (const field of fields) {
    encodeField(field, 'nxm', writer);
  }
  const length = writer.size - start;
  writer.align8(start);
  return length;
}

/** Returns the number of bytes missing to a multiple of 8. */
export function paddingAfter(length: number): number {
  return (8 - (length % 8)) % 8;
}

interface WireFieldHeader {
  readonly header: FieldHeader;
  readonly hasMask: boolean;
  /** Size of value and mask in bytes. */
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
      `an experimenter field of ${length} bytes is too short for the experimenter's number`,
    );
  }
  const experimenter = reader.u32(what);
  return { header: { classId, fieldId, experimenter }, hasMask, payloadSize: length - 4 };
}

function encodeHeader(header: FieldHeader, hasMask: boolean, payloadSize: number, writer: WireWriter): void {
  const isExperimenter = header.classId === CLASS_EXPERIMENTER;
  const length = payloadSize + (isExperimenter ? 4 : 0);
  if (length > 0xff) {
    throw new RangeError(`a match field of ${length} bytes exceeds the 255 of the length field`);
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
    throw new RangeError(`${value} does not fit into the ${size * 8} bits of ${name}`);
  }
  return Buffer.from(number.toString(16).padStart(size * 2, '0'), 'hex');
}
