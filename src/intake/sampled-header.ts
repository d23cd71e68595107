// Writes the headers of a frame from a record of ovs-vswitchd's exporter, so that the dissector makes the flow key of it: samples of
// both sources get their keys in one place. Headers that OVS found malformed have zeros in the record, and get valid headers with
// zeros here. The length in the IP header is not in the record and is 0, which the dissector takes for "not known".

import { copy, u16 } from '../packet/dissect.ts';
import { type RecordOffsets, Slot } from './switch-templates.ts';

const EtherType = { ipv4: 0x0800, vlan: 0x8100, ipv6: 0x86dd } as const;
const Protocol = { icmp: 1, tcp: 6, udp: 17, fragment: 44, icmpv6: 58, sctp: 132 } as const;
/** Bits of the TCP header's flags, in the order of the slots from `Slot.finTotal` on. */
export const TCP_FLAG_COUNT = 6;

const ADDRESSES_SIZE = 12;
const IPV4_HEADER_SIZE = 20;
const IPV6_HEADER_SIZE = 40;
const FRAGMENT_HEADER_SIZE = 8;
/** A fragment offset that is not 0: the packet has no transport header. */
const LATER_FRAGMENT = 8;
/** 5 words, in the upper half of a byte. */
const TCP_HEADER_WORDS = 0x50;
const TCP_OFFSET_AT = 12;
const TCP_FLAGS_AT = 13;
/** The longest header that is written: Ethernet with a tag, IPv6, a fragment header, TCP. */
const HEADER_SIZE_MAX = 18 + IPV6_HEADER_SIZE + FRAGMENT_HEADER_SIZE + 20;

export class SampledHeader {
  /** The frame's headers, overwritten by each record. */
  readonly bytes = Buffer.alloc(HEADER_SIZE_MAX);

  /** Writes the headers of the record in `from`. Returns their length in bytes; `tcpFlags` are those of the TCP header. */
  write(from: Buffer, { at }: RecordOffsets, tcpFlags: number): number {
    const { bytes } = this;
    bytes.fill(0);
    copyElement(from, at[Slot.destinationMac]!, bytes, 0, 6);
    copyElement(from, at[Slot.sourceMac]!, bytes, 6, 6);
    let next = ADDRESSES_SIZE;
    if (at[Slot.vlanId]! >= 0) {
      putU16(bytes, next, EtherType.vlan);
      const priority = at[Slot.vlanPriority]! < 0 ? 0 : from[at[Slot.vlanPriority]!]!;
      putU16(bytes, next + 2, (priority << 13) | (u16(from, at[Slot.vlanId]!) & 0x0fff));
      next += 4;
    }
    const typeAt = at[Slot.ethernetType]!;
    const type = typeAt < 0 ? 0 : u16(from, typeAt);
    putU16(bytes, next, type);
    next += 2;
    if (type === EtherType.ipv4 && at[Slot.sourceIpv4]! >= 0) {
      return this.#writeIpv4(from, at, next, tcpFlags);
    }
    return type === EtherType.ipv6 && at[Slot.sourceIpv6]! >= 0
      ? this.#writeIpv6(from, at, next, tcpFlags)
      : next;
  }

  #writeIpv4(from: Buffer, at: Int32Array, start: number, tcpFlags: number): number {
    const { bytes } = this;
    const protocol = byteAt(from, at[Slot.protocol]!);
    bytes[start] = 0x45;
    bytes[start + 1] = byteAt(from, at[Slot.classOfService]!);
    bytes[start + 8] = byteAt(from, at[Slot.ttl]!);
    bytes[start + 9] = protocol;
    copyElement(from, at[Slot.sourceIpv4]!, bytes, start + 12, 4);
    copyElement(from, at[Slot.destinationIpv4]!, bytes, start + 16, 4);
    return this.#writeTransport(from, at, start + IPV4_HEADER_SIZE, protocol, tcpFlags);
  }

  #writeIpv6(from: Buffer, at: Int32Array, start: number, tcpFlags: number): number {
    const { bytes } = this;
    const protocol = byteAt(from, at[Slot.protocol]!);
    const classOfService = byteAt(from, at[Slot.classOfService]!);
    copyElement(from, at[Slot.flowLabel]!, bytes, start, 4);
    bytes[start] = 0x60 | (classOfService >> 4);
    bytes[start + 1] = ((classOfService & 0x0f) << 4) | (bytes[start + 1]! & 0x0f);
    bytes[start + 6] = protocol;
    bytes[start + 7] = byteAt(from, at[Slot.ttl]!);
    copyElement(from, at[Slot.sourceIpv6]!, bytes, start + 8, 16);
    copyElement(from, at[Slot.destinationIpv6]!, bytes, start + 24, 16);
    const next = start + IPV6_HEADER_SIZE;
    if (protocol === Protocol.fragment) {
      putU16(bytes, next + 2, LATER_FRAGMENT);
      return next + FRAGMENT_HEADER_SIZE;
    }
    return this.#writeTransport(from, at, next, protocol, tcpFlags);
  }

  #writeTransport(from: Buffer, at: Int32Array, start: number, protocol: number, tcpFlags: number): number {
    const { bytes } = this;
    if (at[Slot.sourcePort]! >= 0) {
      copyElement(from, at[Slot.sourcePort]!, bytes, start, 2);
      copyElement(from, at[Slot.destinationPort]!, bytes, start + 2, 2);
    } else if (at[Slot.icmpType]! >= 0) {
      bytes[start] = from[at[Slot.icmpType]!]!;
      bytes[start + 1] = from[at[Slot.icmpCode]!]!;
    }
    if (protocol === Protocol.tcp) {
      bytes[start + TCP_OFFSET_AT] = TCP_HEADER_WORDS;
      bytes[start + TCP_FLAGS_AT] = tcpFlags;
    }
    return start + transportSize(protocol);
  }
}

/** Returns the bytes of the smallest header of a transport protocol; 0 for one that the dissector does not read. */
function transportSize(protocol: number): number {
  switch (protocol) {
    case Protocol.tcp:
      return 20;
    case Protocol.sctp:
      return 12;
    case Protocol.udp:
    case Protocol.icmp:
    case Protocol.icmpv6:
      return 8;
    default:
      return 0;
  }
}

/** Returns the byte at an offset; 0 where the record does not have the element. */
export function byteAt(bytes: Uint8Array, at: number): number {
  return at < 0 ? 0 : bytes[at]!;
}

function putU16(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** Copies an element; one that the record does not have stays zeros. */
function copyElement(from: Uint8Array, fromAt: number, to: Buffer, toAt: number, size: number): void {
  if (fromAt >= 0) {
    copy(from, fromAt, to, toAt, size);
  }
}
