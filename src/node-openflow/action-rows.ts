// A row of the table of actions: its numbers in the versions of OpenFlow, a decoder and an encoder of the body; and parts
// that several bodies share.
import type { Action, FieldBits } from './action-types.ts';
import { OpenFlowEncodeError } from './errors.ts';
import { VENDOR } from './header.ts';
import { decodeFieldTarget, encodeFieldTarget } from './match.ts';
import { portNumberFrom16 } from './port.ts';
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

/** The number of an action in a range of versions. */
export interface ActionPlace {
  readonly versionMin: OpenFlowVersion;
  readonly versionMax: OpenFlowVersion;
  /** 0 for OpenFlow's own actions. */
  readonly vendor: number;
  /** Type, or the experimenter's subtype. */
  readonly number: number;
}

/** The context of an action that is decoded or encoded. */
export interface ActionContext {
  readonly version: OpenFlowVersion;
  /** Number of actions that this one is nested in. */
  readonly depth: number;
  /** Decodes the rest of the reader as actions, one level deeper. */
  decodeNested(reader: WireReader): Action[];
  /** Encodes actions one level deeper. */
  encodeNested(actions: readonly Action[], writer: WireWriter): void;
}

/** One row. The reader covers the body of one action, without its header; the caller fills in lengths. */
export interface ActionRow {
  readonly type: KnownActionType;
  readonly places: readonly ActionPlace[];
  decode(reader: WireReader, context: ActionContext): Action;
  encode(action: Action, writer: WireWriter, context: ActionContext): void;
}

export type KnownActionType = Exclude<Action['type'], 'unknown'>;

/** All actions whose `type` can be one of `Type`. */
export type ActionOf<Type extends KnownActionType> = Action extends infer Member
  ? Member extends { readonly type: infer Has }
    ? Type extends Has
      ? Member & { readonly type: Type }
      : never
    : never
  : never;

/** The codec of a body; `Type` is the action's `type`. */
export interface ActionBody<Type extends KnownActionType> {
  decode(reader: WireReader, context: ActionContext): Omit<ActionOf<Type>, 'type'>;
  encode(action: ActionOf<Type>, writer: WireWriter, context: ActionContext): void;
}

/** Makes a row. Decoded actions get `type`; only actions of that type are passed to the encoder. */
export function row<Type extends KnownActionType>(
  type: Type,
  places: readonly ActionPlace[],
  body: ActionBody<Type>,
): ActionRow {
  return {
    type,
    places,
    decode: (reader, context) => ({ type, ...body.decode(reader, context) }) as unknown as Action,
    encode: (action, writer, context) => {
      body.encode(action as ActionOf<Type>, writer, context);
    },
  };
}

/** Returns the place of an action of OpenFlow 1.0. */
export function of10(number: number): ActionPlace {
  return { versionMin: 1, versionMax: 1, vendor: 0, number };
}
/** Returns the place of an action of OpenFlow 1.3 to 1.5. */
export function of13(number: number): ActionPlace {
  return { versionMin: 4, versionMax: 6, vendor: 0, number };
}
/** Returns the place of an action of OpenFlow 1.5. */
export function of15(number: number): ActionPlace {
  return { versionMin: 6, versionMax: 6, vendor: 0, number };
}
/** Returns the place of a Nicira action, in a range of versions. */
export function nicira(
  number: number,
  versionMin: OpenFlowVersion = 1,
  versionMax: OpenFlowVersion = 6,
): ActionPlace {
  return { versionMin, versionMax, vendor: VENDOR.nicira, number };
}
/** Returns the place of an ONF extension to OpenFlow 1.3, which OVS accepts in 1.4 as well. */
export function onf(number: number): ActionPlace {
  return { versionMin: 4, versionMax: 5, vendor: VENDOR.onf, number };
}

/** Returns the place of a row in a version, if the version has the action. */
export function placeIn(row: ActionRow, version: OpenFlowVersion): ActionPlace | undefined {
  return row.places.find((place) => version >= place.versionMin && version <= place.versionMax);
}

/** Reads a 16-bit port number and returns the 32-bit one; reserved ports are mapped. */
export function readPort16(reader: WireReader, what: string): number {
  return portNumberFrom16(reader.u16(what));
}

/** Returns the 16-bit number of a port given in 32 bits. */
export function portTo16(what: string, port: number): number {
  if (port >= 0xff00 && port < 0xffff_ff00) {
    throw new OpenFlowEncodeError(what, 1, `port ${port} does not fit into 16 bits`);
  }
  return port & 0xffff;
}

/** Reads `ofs_nbits` of Nicira's actions: 10 bits of offset, 6 bits of width minus 1. */
export function readBits(reader: WireReader, what: string): { offset: number; bitCount: number } {
  const packed = reader.u16(what);
  return { offset: packed >> 6, bitCount: (packed & 0x3f) + 1 };
}

export function writeBits(
  bits: { readonly offset: number; readonly bitCount: number },
  writer: WireWriter,
): void {
  if (bits.bitCount < 1 || bits.bitCount > 64 || bits.offset > 0x3ff) {
    throw new RangeError(`${bits.bitCount} bits from bit ${bits.offset} do not fit into ofs_nbits`);
  }
  writer.u16(bits.offset * 64 + bits.bitCount - 1);
}

/**
 * Reads a number, or the bits of a field that it is taken from: u32 field, or 0; then `size` bytes with the number, or
 * ofs_nbits and zeros.
 */
export function readNumberOrBits(reader: WireReader, size: 2 | 4, what: string): number | FieldBits {
  const header = reader.u32(what);
  if (header === 0) {
    return size === 2 ? reader.u16(what) : reader.u32(what);
  }
  reader.offset -= 4;
  const target = decodeFieldTarget(reader, 'nxm', what);
  const bits = readBits(reader, what);
  reader.skip(size - 2, what);
  return { ...target, ...bits };
}

export function writeNumberOrBits(value: number | FieldBits, size: 2 | 4, writer: WireWriter): void {
  if (typeof value !== 'number') {
    encodeFieldTarget(value, 'nxm', writer);
    writeBits(value, writer);
    writer.zeros(size - 2);
  } else if (size === 2) {
    writer.u32(0).u16(value);
  } else {
    writer.u32(0).u32(value);
  }
}
