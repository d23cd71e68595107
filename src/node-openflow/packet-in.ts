// The codecs of packet-ins. NXT_PACKET_IN2, which arrives thousands of times a second, is decoded without allocation into
// a view that is reused. The view's offsets refer to the message's memory, which is valid until the receiver returns. The
// other packet-ins are decoded into values.
//
// For the table of messages: decodePacketIn2 (Nicira 30, all versions; outside of the table if it must not allocate),
// decodePacketIn (type 10), decodeNxPacketIn (Nicira 17).
import { decodeFields, decodeNxMatch, decodeOxmMatch, type MatchField } from './match.ts';
import type { OpenFlowVersion } from './version.ts';
import { OpenFlowDecodeError, WireReader } from './wire.ts';

/** The reason of a packet-in (OFPR_*). NXT_PACKET_IN2 has the numbers of OpenFlow 1.4. */
export const PACKET_IN_REASON_CODES = {
  noMatch: 0,
  action: 1,
  invalidTtl: 2,
  actionSet: 3,
  group: 4,
  packetOut: 5,
} as const;

const NO_BYTES = Buffer.alloc(0);
/** Bytes before a copied message, so that no offset is 0. */
const COPY_MARGIN = 8;

/** NXT_PACKET_IN2 as offsets into the message. Start and end of an absent property are 0. */
export class PacketInView {
  /** The memory that the offsets refer to. */
  bytes: Buffer = NO_BYTES;
  /** The frame, or the part of it that was sent. */
  packetStart = 0;
  packetEnd = 0;
  /** Length of the whole frame in bytes. */
  fullLength = 0;
  tableId = 0;
  /** OFPR_*; see `PACKET_IN_REASON_CODES`. */
  reason = 0;
  /** The upper and lower half of the flow's cookie; all ones without a flow. */
  cookieHigh = 0;
  cookieLow = 0;
  /** The userdata of the controller2 action. */
  userdataStart = 0;
  userdataEnd = 0;
  /** Fields that are not in the frame (in_port, registers, tunnel, ...), as NXM or OXM: see `decodeMetadata`. */
  metadataStart = 0;
  metadataEnd = 0;
  /** The state with which a paused packet is resumed. */
  continuationStart = 0;
  continuationEnd = 0;

  /**
   * The OpenFlow port that the packet came in by, as in OpenFlow 1.0: 16 bits, with reserved ports from 0xff00 on; 0 when the
   * packet-in has none. Read from the metadata with each access, where OVS puts it first or nearly so.
   */
  get inPort(): number {
    const { bytes, metadataEnd } = this;
    for (let at = this.metadataStart; metadataEnd - at > FIELD_HEADER_SIZE; ) {
      const header = bytes.readInt32BE(at);
      const valueAt = at + FIELD_HEADER_SIZE;
      const length = header & 0xff;
      if (header === OXM_IN_PORT && metadataEnd - valueAt >= length) {
        return shortPort(bytes.readUInt16BE(valueAt), bytes.readUInt16BE(valueAt + 2));
      }
      if (header === NXM_IN_PORT && metadataEnd - valueAt >= length) {
        return bytes.readUInt16BE(valueAt);
      }
      at = valueAt + length;
    }
    return 0;
  }

  /** Returns a copy with memory of its own, which is valid after the receiver has returned. */
  copy(): PacketInView {
    const starts = [this.packetStart, this.userdataStart, this.metadataStart, this.continuationStart];
    const start = Math.min(...starts.filter((at) => at > 0));
    const end = Math.max(this.packetEnd, this.userdataEnd, this.metadataEnd, this.continuationEnd);
    const moved = (at: number) => (at === 0 ? 0 : at - start + COPY_MARGIN);
    const copy = Object.assign(new PacketInView(), this);
    copy.bytes = Buffer.alloc(COPY_MARGIN + end - start);
    this.bytes.copy(copy.bytes, COPY_MARGIN, start, end);
    copy.packetStart = moved(this.packetStart);
    copy.packetEnd = moved(this.packetEnd);
    copy.userdataStart = moved(this.userdataStart);
    copy.userdataEnd = moved(this.userdataEnd);
    copy.metadataStart = moved(this.metadataStart);
    copy.metadataEnd = moved(this.metadataEnd);
    copy.continuationStart = moved(this.continuationStart);
    copy.continuationEnd = moved(this.continuationEnd);
    return copy;
  }

  /**
   * Writes the lower 32 bits of the tunnel's id, its IPv4 source and its IPv4 destination to `to` from `at` on: what the metadata
   * has of them, and zeros for the rest.
   */
  readTunnel(to: Int32Array, at: number): void {
    const { bytes, metadataEnd } = this;
    to.fill(0, at, at + 3);
    for (let from = this.metadataStart; metadataEnd - from > FIELD_HEADER_SIZE; ) {
      const header = bytes.readInt32BE(from);
      const valueAt = from + FIELD_HEADER_SIZE;
      const length = header & 0xff;
      if (metadataEnd - valueAt >= length) {
        if (header === NXM_TUN_ID || header === OXM_TUNNEL_ID) {
          to[at] = bytes.readInt32BE(valueAt + 4);
        } else if (header === NXM_TUN_IPV4_SRC) {
          to[at + 1] = bytes.readInt32BE(valueAt);
        } else if (header === NXM_TUN_IPV4_DST) {
          to[at + 2] = bytes.readInt32BE(valueAt);
        }
      }
      from = valueAt + length;
    }
  }
}

/** Returns a port of 32 bits, given in halves, as one of 16: a number above 2^31 would be an object. */
function shortPort(high: number, low: number): number {
  return high === 0 || (high === 0xffff && low >= 0xff00) ? low : 0;
}

/** Bytes before the value of a field: class, field number with a bit for a mask, and length of the value. */
const FIELD_HEADER_SIZE = 4;
/** The headers of in_port in OXM (0x80000004, as a signed number) and in NXM. */
const OXM_IN_PORT = 0x8000_0004 | 0;
const NXM_IN_PORT = 0x0000_0002;
/** The headers of tun_id in both, and of tun_src and tun_dst, which are NXM only. */
const OXM_TUNNEL_ID = 0x8000_4c08 | 0;
const NXM_TUN_ID = 0x0001_2008;
const NXM_TUN_IPV4_SRC = 0x0001_3e04;
const NXM_TUN_IPV4_DST = 0x0001_4004;

const PROPERTY_HEADER_SIZE = 4;
const PROPERTY = {
  packet: 0,
  fullLength: 1,
  bufferId: 2,
  tableId: 3,
  cookie: 4,
  reason: 5,
  metadata: 6,
  userdata: 7,
  continuation: 8,
} as const;

/*
 * NXT_PACKET_IN2: properties, each        0 packet: frame          5 reason: u8
 *   u16 type                              1 full length: u32       6 metadata: NXM or OXM fields
 *   u16 length, without padding           2 buffer: u32            7 userdata
 *   value                                 3 table: u8              8 continuation: private to the switch
 *   zeros up to a multiple of 8           4 cookie: u32 zero, u64
 */

/**
 * Decodes the body `bytes[start, end)` of NXT_PACKET_IN2 (after the experimenter's header) into a view. Unknown properties
 * are skipped. Throws OpenFlowDecodeError; the view must not be used then.
 */
export function decodePacketIn2(bytes: Buffer, start: number, end: number, view: PacketInView): void {
  resetView(bytes, view);
  let at = start;
  while (at < end) {
    if (end - at < PROPERTY_HEADER_SIZE) {
      throw new OpenFlowDecodeError(
        'packet_in2.property',
        at,
        `${end - at} bytes are left, less than a header`,
      );
    }
    const length = bytes.readUInt16BE(at + 2);
    if (length < PROPERTY_HEADER_SIZE || length > end - at) {
      throw new OpenFlowDecodeError(
        'packet_in2.property',
        at,
        `has ${length} bytes, but ${end - at} are left`,
      );
    }
    readProperty(view, bytes.readUInt16BE(at), at + PROPERTY_HEADER_SIZE, at + length);
    // The padding of the last property may be missing: OVS omits it when the frame is last.
    at += (length + 7) & ~7;
  }
  const packetSize = view.packetEnd - view.packetStart;
  if (packetSize === 0) {
    throw new OpenFlowDecodeError('packet_in2.packet', start, 'the frame is missing');
  }
  if (view.fullLength === 0) {
    view.fullLength = packetSize;
  } else if (view.fullLength < packetSize) {
    throw new OpenFlowDecodeError(
      'packet_in2.full_len',
      start,
      `${view.fullLength} is less than the ${packetSize} bytes sent`,
    );
  }
}

/** Decodes the fields of a packet-in that are not in the frame, such as in_port, registers and tunnel fields. */
export function decodeMetadata(view: PacketInView): MatchField[] {
  return decodeFields(
    new WireReader(view.bytes, view.metadataStart, view.metadataEnd),
    'nxm',
    'packet_in2.metadata',
  );
}

function resetView(bytes: Buffer, view: PacketInView): void {
  view.bytes = bytes;
  view.packetStart = 0;
  view.packetEnd = 0;
  view.fullLength = 0;
  view.tableId = 0;
  view.reason = 0;
  view.cookieHigh = 0xffff_ffff;
  view.cookieLow = 0xffff_ffff;
  view.userdataStart = 0;
  view.userdataEnd = 0;
  view.metadataStart = 0;
  view.metadataEnd = 0;
  view.continuationStart = 0;
  view.continuationEnd = 0;
}

function readProperty(view: PacketInView, type: number, start: number, end: number): void {
  const { bytes } = view;
  switch (type) {
    case PROPERTY.packet:
      view.packetStart = start;
      view.packetEnd = end;
      break;
    case PROPERTY.fullLength:
      requireSize('packet_in2.full_len', start, end, 4);
      view.fullLength = bytes.readUInt32BE(start);
      break;
    case PROPERTY.tableId:
      requireSize('packet_in2.table_id', start, end, 1);
      view.tableId = bytes.readUInt8(start);
      break;
    case PROPERTY.cookie:
      // The number is aligned by 4 bytes of zeros.
      requireSize('packet_in2.cookie', start, end, 12);
      view.cookieHigh = bytes.readUInt32BE(start + 4);
      view.cookieLow = bytes.readUInt32BE(start + 8);
      break;
    case PROPERTY.reason:
      requireSize('packet_in2.reason', start, end, 1);
      view.reason = bytes.readUInt8(start);
      break;
    case PROPERTY.metadata:
      view.metadataStart = start;
      view.metadataEnd = end;
      break;
    case PROPERTY.userdata:
      view.userdataStart = start;
      view.userdataEnd = end;
      break;
    case PROPERTY.continuation:
      view.continuationStart = start;
      view.continuationEnd = end;
      break;
    default:
      break;
  }
}

function requireSize(what: string, start: number, end: number, size: number): void {
  if (end - start < size) {
    throw new OpenFlowDecodeError(what, start, `needs ${size} bytes, but has ${end - start}`);
  }
}

/** OFPT_PACKET_IN or NXT_PACKET_IN. */
export interface PacketIn {
  readonly bufferId: number;
  /** Length of the whole frame in bytes. */
  readonly fullLength: number;
  readonly reason: number;
  /** 0 in OpenFlow 1.0, which lacks it. */
  readonly tableId: number;
  /** Absent in OpenFlow 1.0. */
  readonly cookie: bigint | undefined;
  /** The fields that are not in the frame, such as in_port. */
  readonly metadata: readonly MatchField[];
  readonly packet: Buffer;
}

/*
 * OFPT_PACKET_IN, 1.0          OFPT_PACKET_IN, 1.3 and later     NXT_PACKET_IN
 *   u32 buffer                   u32 buffer                        u32 buffer
 *   u16 full length              u16 full length                   u16 full length
 *   u16 in port                  u8  reason                        u8  reason
 *   u8  reason, u8 zero          u8  table                         u8  table
 *   frame                        u64 cookie                        u64 cookie
 *                                ofp_match                         u16 length of the match, u8 zero[6]
 *                                u16 zero                          nx_match, u16 zero
 *                                frame                             frame
 */
export function decodePacketIn(version: OpenFlowVersion, reader: WireReader): PacketIn {
  if (version !== 1) {
    return decodeLongPacketIn(reader, () => decodeOxmMatch(version, reader, 'packet_in.match'));
  }
  const bufferId = reader.u32('packet_in.buffer_id');
  const fullLength = reader.u16('packet_in.total_len');
  const value = reader.copy(2, 'packet_in.in_port');
  const reason = reader.u8('packet_in.reason');
  reader.skip(1, 'packet_in.pad');
  const packet = reader.copy(reader.remaining, 'packet_in.data');
  const metadata: MatchField[] = [{ field: 'in_port', value }];
  return { bufferId, fullLength, reason, tableId: 0, cookie: undefined, metadata, packet };
}

/** NXT_PACKET_IN. */
export function decodeNxPacketIn(_version: OpenFlowVersion, reader: WireReader): PacketIn {
  return decodeLongPacketIn(reader, () => {
    const matchLength = reader.u16('packet_in.match_len');
    reader.skip(6, 'packet_in.pad');
    return decodeNxMatch(matchLength, reader, 'packet_in.match');
  });
}

function decodeLongPacketIn(reader: WireReader, decodeMatch: () => MatchField[]): PacketIn {
  const bufferId = reader.u32('packet_in.buffer_id');
  const fullLength = reader.u16('packet_in.total_len');
  const reason = reader.u8('packet_in.reason');
  const tableId = reader.u8('packet_in.table_id');
  const cookie = reader.u64('packet_in.cookie');
  const metadata = decodeMatch();
  reader.skip(2, 'packet_in.pad');
  return {
    bufferId,
    fullLength,
    reason,
    tableId,
    cookie,
    metadata,
    packet: reader.copy(reader.remaining, 'packet_in'),
  };
}
