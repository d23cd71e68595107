// Reads match fields of a packet-in by name, from its metadata or from the frame's headers. OVS omits metadata fields that
// are 0, and sends registers of 32 bits over OpenFlow 1.0 to 1.4 and of 64 bits over 1.5 (`nx_put_raw`); both are
// converted here (ovs-fields(7), "Register Fields").

import type { FieldName } from './fields.ts';
import { frameFieldReader } from './frame-fields.ts';
import { type FrameHeaders, readFrameHeaders } from './frame-headers.ts';
import { fieldValue, findField, type MatchField, splitRegisters } from './match.ts';
import { decodeMetadata, type PacketInView } from './packet-in.ts';

/** Names of registers; "xreg" and "xxreg" join 2 and 4 registers of 32 bits. */
const JOINED = /^(?<kind>xx?)?reg(?<number>\d+)$/u;

/** Fields that neither the metadata of a packet-in nor its frame has. */
const UNAVAILABLE: ReadonlySet<string> = new Set<FieldName | 'unknown'>([
  'unknown',
  'cookie',
  'dp_hash',
  'recirc_id',
  'conj_id',
  'actset_output',
  'nsh_flags',
  'nsh_mdtype',
  'nsh_np',
  'nsh_spi',
  'nsh_si',
  'nsh_c1',
  'nsh_c2',
  'nsh_c3',
  'nsh_c4',
  'nsh_ttl',
]);

/** Whether a packet-in has the value of a field. */
export function isFieldInPacketIn(name: FieldName | 'unknown'): name is FieldName {
  return !UNAVAILABLE.has(name);
}

/** The fields of one packet-in. Metadata and frame are decoded when a field of them is read for the first time. */
export class PacketInFields {
  readonly #packetIn: PacketInView;
  #metadata: readonly MatchField[] | undefined;
  #headers: FrameHeaders | undefined;

  /** The view must not change while fields are read. */
  constructor(packetIn: PacketInView) {
    this.#packetIn = packetIn;
  }

  /** Returns the value as an unsigned number: 0 if the packet lacks the field, undefined if packet-ins never have it. */
  value(name: FieldName | 'unknown'): bigint | undefined {
    if (!isFieldInPacketIn(name)) {
      return undefined;
    }
    const readHeader = frameFieldReader(name);
    return readHeader === undefined ? this.#metadataValue(name) : BigInt(readHeader(this.#frameHeaders()));
  }

  #metadataValue(name: FieldName): bigint {
    const register = JOINED.exec(name)?.groups;
    if (register !== undefined) {
      const count = register['kind'] === undefined ? 1 : register['kind'] === 'x' ? 2 : 4;
      return this.#registers(Number(register['number']) * count, count);
    }
    if (name === 'in_port' || name === 'in_port_oxm') {
      return this.#inPort(name === 'in_port');
    }
    const field = findField(this.#fields(), name);
    return field === undefined ? 0n : fieldValue(field);
  }

  /** Joins `count` registers from `first` on, most significant first. */
  #registers(first: number, count: number): bigint {
    let value = 0n;
    for (let index = first; index < first + count; index += 1) {
      const register = findField(this.#fields(), `reg${index}`);
      value = (value << 32n) | (register === undefined ? 0n : fieldValue(register));
    }
    return value;
  }

  /** Returns the input port. OpenFlow 1.0's number is the lower half of the 32-bit one, also for ports such as LOCAL. */
  #inPort(isShort: boolean): bigint {
    const field = findField(this.#fields(), 'in_port_oxm');
    if (field !== undefined) {
      return BigInt.asUintN(isShort ? 16 : 32, fieldValue(field));
    }
    const short = findField(this.#fields(), 'in_port');
    const port = short === undefined ? 0n : fieldValue(short);
    return isShort || port < 0xff00n ? port : 0xffff_0000n | port;
  }

  #fields(): readonly MatchField[] {
    this.#metadata ??= decodeMetadata(this.#packetIn).flatMap(splitRegisters);
    return this.#metadata;
  }

  #frameHeaders(): FrameHeaders {
    const { bytes, packetStart, packetEnd } = this.#packetIn;
    this.#headers ??= readFrameHeaders(bytes, packetStart, packetEnd);
    return this.#headers;
  }
}
