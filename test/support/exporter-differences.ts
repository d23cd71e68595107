// Intended differences between the records of ovs-vswitchd's exporter (seen with 3.1) and the daemon's, as data: the frames,
// the elements, and the reason. The comparison in differential.test.ts accepts these only.

import type { RecordFormat } from '../../src/ipfix/record-layout.ts';
import type { OvsDifferenceName } from '../versions/differences.ts';

const ETHERNET_TYPE_AT = 12;
const TYPE_IPV4 = 0x0800;
const TYPE_IPV6 = 0x86dd;
const IPV4_HEADER_SIZE = 20;
const IPV6_HEADER_SIZE = 40;
const UDP_HEADER_SIZE = 8;
const TCP_HEADER_SIZE = 20;
const SCTP_HEADER_SIZE = 12;
const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;
const PROTOCOL_SCTP = 132;

const TRANSPORT_HEADER_SIZES: Readonly<Record<number, number>> = {
  [PROTOCOL_UDP]: UDP_HEADER_SIZE,
  [PROTOCOL_SCTP]: SCTP_HEADER_SIZE,
};

/** One intended difference. */
export interface Difference {
  readonly name: string;
  readonly reason: string;
  /** Elements of a frame's record that may differ, or that only one of the records has. */
  readonly elements: ReadonlySet<string>;
  readonly appliesTo: (frame: Buffer) => boolean;
  /** Applies to records of one format only. */
  readonly only?: RecordFormat;
  /** Applies only to versions with this difference. */
  readonly ovsDifference?: OvsDifferenceName;
}

const ADDRESSES = [
  'sourceIPv4Address',
  'destinationIPv4Address',
  'sourceIPv6Address',
  'destinationIPv6Address',
  'flowLabelIPv6',
];
const IP_HEADER = ['ipTTL', 'protocolIdentifier', 'ipDiffServCodePoint', 'ipPrecedence', 'ipClassOfService'];
const PORTS = ['sourceTransportPort', 'destinationTransportPort'];
/** What a record has of the transport header, in any format. */
const TRANSPORT = [...PORTS, 'tcpControlBits', 'icmpTypeCodeIPv4', 'icmpTypeCodeIPv6'];

/** All intended differences. The test fails if one of them does not apply to any frame. */
export const KNOWN_DIFFERENCES: readonly Difference[] = [
  {
    name: 'IP length past the frame',
    reason: `OVS 3.1 takes an IP header whose length does not fit the frame for no header at all: zeros, no ports.
      The exporter of 2013 reads it ("IPv4 total length 1500 in a 64 B frame" of record-vectors.json), and so do we.`,
    elements: new Set([...IP_HEADER, ...ADDRESSES, ...TRANSPORT]),
    appliesTo: (frame) => {
      const { type, bytes } = networkLayer(frame);
      const length = ipLength(type, bytes);
      if (length === undefined) {
        return false;
      }
      return length > bytes.length || (type === TYPE_IPV4 && length < ipv4HeaderSize(bytes));
    },
  },
  {
    name: 'ports in the padding',
    reason: `OVS 3.1 looks for TCP's and UDP's header within the length that IP states; in 2013, and here, the
      whole frame counts, so that bytes of padding can be taken for ports.`,
    elements: new Set(TRANSPORT),
    appliesTo: (frame) => {
      const { type, bytes } = networkLayer(frame);
      const length = ipLength(type, bytes);
      if (length === undefined || length >= bytes.length) {
        return false;
      }
      const isIpv4 = type === TYPE_IPV4;
      const headerSize = isIpv4 ? ipv4HeaderSize(bytes) : IPV6_HEADER_SIZE;
      const protocol = bytes[isIpv4 ? 9 : 6] ?? 0;
      return length < headerSize + (TRANSPORT_HEADER_SIZES[protocol] ?? TCP_HEADER_SIZE);
    },
  },
  {
    name: 'extension header past the packet',
    reason: `OVS 3.1 leaves time to live and protocol 0 when an IPv6 extension header does not end within the packet; in
      2013 the protocol was "no next header" (59) then, as it is here.`,
    elements: new Set([...IP_HEADER, 'flowLabelIPv6']),
    appliesTo: (frame) => {
      const { type, bytes } = networkLayer(frame);
      return type === TYPE_IPV6 && bytes.length >= IPV6_HEADER_SIZE && !extensionsFit(bytes);
    },
  },
  {
    name: 'TCP header past the packet',
    reason: `OVS 2.15 reads the ports of a TCP header whose data offset is not within the packet; OVS 3.1, the exporter of
      2013 and we do not.`,
    elements: new Set(TRANSPORT),
    ovsDifference: 'tcp-header-length',
    appliesTo: (frame) => {
      const { type, bytes } = networkLayer(frame);
      const at = type === TYPE_IPV4 ? ipv4HeaderSize(bytes) : IPV6_HEADER_SIZE;
      const protocol = type === TYPE_IPV4 ? bytes[9] : bytes[6];
      const size = ((bytes[at + 12] ?? 0) >> 4) * 4;
      return protocol === PROTOCOL_TCP && (size < TCP_HEADER_SIZE || at + size > bytes.length);
    },
  },
  {
    name: 'ports of SCTP',
    reason:
      "OVS 3.1 has the ports of SCTP in its records; the record of 2013, which is the daemon's, has those of TCP and UDP.",
    only: 'original',
    elements: new Set(PORTS),
    appliesTo: (frame) => {
      const { type, bytes } = networkLayer(frame);
      if (type === TYPE_IPV4) {
        return bytes[9] === PROTOCOL_SCTP;
      }
      return type === TYPE_IPV6 && bytes[6] === PROTOCOL_SCTP;
    },
  },
  {
    name: 'octets of frames that are not IP',
    reason: `OVS counts octetDeltaCount for IP only. Collectors that show no other octets than these would show 0 for ARP and
      all else, so the daemon counts the frame without its Ethernet header.`,
    only: 'extended',
    elements: new Set(['octetDeltaCount']),
    appliesTo: (frame) => !isIp(networkLayer(frame).type),
  },
  {
    name: 'octets of padding',
    reason: `octetDeltaCount of OVS has everything behind the Ethernet header, with the padding of short frames; the daemon's
      is the length that the IP header says, as IPFIX has it.`,
    only: 'extended',
    elements: new Set(['octetDeltaCount']),
    appliesTo: (frame) => {
      const { type, bytes } = networkLayer(frame);
      const length = ipLength(type, bytes);
      return length !== undefined && length > 0 && length < bytes.length;
    },
  },
];

/**
 * Whether a frame ends with the EtherType of IP. vswitchd's record of it is shorter than its template, because it omits the
 * part about IP when the sum of squares is 0, and no collector can decode it or the rest of its message.
 */
export function isIpWithoutBytes(frame: Buffer): boolean {
  const { type, bytes } = networkLayer(frame);
  return isIp(type) && bytes.length === 0;
}

function isIp(type: number): boolean {
  return type === TYPE_IPV4 || type === TYPE_IPV6;
}

/** Returns the EtherType after the outermost tag, and what follows it; without SNAP, because no test has IP in it. */
function networkLayer(frame: Buffer): { readonly type: number; readonly bytes: Buffer } {
  const outer = frame.readUInt16BE(ETHERNET_TYPE_AT);
  const isTagged = (outer === 0x8100 || outer === 0x88a8) && frame.length >= ETHERNET_TYPE_AT + 6;
  const at = isTagged ? ETHERNET_TYPE_AT + 4 : ETHERNET_TYPE_AT;
  return { type: frame.readUInt16BE(at), bytes: frame.subarray(at + 2) };
}

/** Returns the length of the packet by its header; undefined if it is not an IP packet or its header is truncated. */
function ipLength(type: number, bytes: Buffer): number | undefined {
  if (type === TYPE_IPV4 && bytes.length >= IPV4_HEADER_SIZE) {
    return bytes.readUInt16BE(2);
  }
  if (type === TYPE_IPV6 && bytes.length >= IPV6_HEADER_SIZE) {
    return IPV6_HEADER_SIZE + bytes.readUInt16BE(4);
  }
  return undefined;
}

function ipv4HeaderSize(bytes: Buffer): number {
  return (bytes.readUInt8(0) & 15) * 4;
}

/** Whether the chain of extension headers ends within the length of the packet's header. */
function extensionsFit(bytes: Buffer): boolean {
  const end = Math.min(bytes.length, IPV6_HEADER_SIZE + bytes.readUInt16BE(4));
  let header = bytes.readUInt8(6);
  let at = IPV6_HEADER_SIZE;
  while ([0, 43, 44, 51, 60].includes(header)) {
    if (at + 8 > end) {
      return false;
    }
    const units = bytes.readUInt8(at + 1);
    const size = header === 44 ? 8 : header === 51 ? (units + 2) * 4 : (units + 1) * 8;
    if (at + size > end) {
      return false;
    }
    const isLaterFragment = header === 44 && bytes.readUInt16BE(at + 2) >= 8;
    if (isLaterFragment) {
      return true;
    }
    header = bytes.readUInt8(at);
    at += size;
  }
  return true;
}
