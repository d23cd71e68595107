// Dissects a frame as Open vSwitch does when it receives it (`miniflow_extract`): the values of a truncated or malformed
// header are 0, ARP shares the values of IP, and of several VLAN tags only the outermost is read
// (`other_config:vlan-limit` is 1 by default). frame-fields.ts maps the names of match fields to these values.

const ETHER_TYPE = {
  ipv4: 0x0800,
  arp: 0x0806,
  rarp: 0x8035,
  vlan: 0x8100,
  ipv6: 0x86dd,
  mpls: 0x8847,
  mplsMulticast: 0x8848,
  serviceVlan: 0x88a8,
} as const;
/** Smallest EtherType; a lower number is the length of an 802.3 frame. */
const ETHER_TYPE_MIN = 0x0600;
/** FLOW_DL_TYPE_NONE: the type of an 802.3 frame without one. */
const ETHER_TYPE_NONE = 0x05ff;
const PROTOCOL = {
  hopByHop: 0,
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  authentication: 51,
  icmpv6: 58,
  destination: 60,
  sctp: 132,
} as const;
/** The bit that OVS sets in the TCI of each tagged frame. */
const VLAN_PRESENT = 0x1000;
const FRAGMENT_ANY = 1;
const FRAGMENT_LATER = 2;
const TCP_HEADER_SIZE_MIN = 20;
const ND_SOLICIT = 135;
const ND_ADVERT = 136;
const ND_SOURCE_OPTION = 1;
const ND_TARGET_OPTION = 2;

/** The header values of one frame; 0 if the frame lacks the header. Names are those of OVS's `struct flow`. */
export interface FrameHeaders {
  ethSource: bigint;
  ethDestination: bigint;
  ethType: number;
  vlanTci: number;
  /** The outermost entry of the label stack. */
  mplsEntry: number;
  ipSource: number;
  ipDestination: number;
  ipv6Source: bigint;
  ipv6Destination: bigint;
  ipv6Label: number;
  protocol: number;
  tos: number;
  ttl: number;
  fragment: number;
  arpSource: bigint;
  arpTarget: bigint;
  transportSource: number;
  transportDestination: number;
  tcpFlags: number;
  ndTarget: bigint;
  ndReserved: number;
}

/** Dissects `bytes[start, end)`, an Ethernet frame. */
export function readFrameHeaders(bytes: Buffer, start: number, end: number): FrameHeaders {
  const headers = emptyHeaders();
  if (end - start < 14) {
    return headers;
  }
  headers.ethDestination = unsigned(bytes, start, 6);
  headers.ethSource = unsigned(bytes, start + 6, 6);
  let at = start + 12;
  const outer = bytes.readUInt16BE(at);
  if ((outer === ETHER_TYPE.vlan || outer === ETHER_TYPE.serviceVlan) && end - at >= 6) {
    headers.vlanTci = bytes.readUInt16BE(at + 2) | VLAN_PRESENT;
    at += 4;
  }
  headers.ethType = bytes.readUInt16BE(at);
  at += 2;
  if (headers.ethType < ETHER_TYPE_MIN) {
    headers.ethType = snapType(bytes, at, end);
    at += 8;
  }
  switch (headers.ethType) {
    case ETHER_TYPE.ipv4:
      readIpv4(headers, bytes, at, end);
      break;
    case ETHER_TYPE.ipv6:
      readIpv6(headers, bytes, at, end);
      break;
    case ETHER_TYPE.arp:
    case ETHER_TYPE.rarp:
      readArp(headers, bytes, at, end);
      break;
    case ETHER_TYPE.mpls:
    case ETHER_TYPE.mplsMulticast:
      headers.mplsEntry = end - at < 4 ? 0 : bytes.readUInt32BE(at);
      break;
    default:
      break;
  }
  return headers;
}

function emptyHeaders(): FrameHeaders {
  return {
    ethSource: 0n,
    ethDestination: 0n,
    ethType: 0,
    vlanTci: 0,
    mplsEntry: 0,
    ipSource: 0,
    ipDestination: 0,
    ipv6Source: 0n,
    ipv6Destination: 0n,
    ipv6Label: 0,
    protocol: 0,
    tos: 0,
    ttl: 0,
    fragment: 0,
    arpSource: 0n,
    arpTarget: 0n,
    transportSource: 0,
    transportDestination: 0,
    tcpFlags: 0,
    ndTarget: 0n,
    ndReserved: 0,
  };
}

/** Returns the type after the LLC and SNAP headers (RFC 1042) at `at`. */
function snapType(bytes: Buffer, at: number, end: number): number {
  if (end - at < 8 || unsigned(bytes, at, 6) !== 0xaaaa_0300_0000n) {
    return ETHER_TYPE_NONE;
  }
  const type = bytes.readUInt16BE(at + 6);
  return type < ETHER_TYPE_MIN ? ETHER_TYPE_NONE : type;
}

/** Reads an IPv4 header (RFC 791) and the transport header. Padding after the packet is not part of it. */
function readIpv4(headers: FrameHeaders, bytes: Buffer, at: number, end: number): void {
  if (end - at < 20) {
    return;
  }
  const headerSize = (bytes.readUInt8(at) & 0x0f) * 4;
  const totalSize = bytes.readUInt16BE(at + 2);
  if (headerSize < 20 || totalSize < headerSize || totalSize > end - at) {
    return;
  }
  headers.ipSource = bytes.readUInt32BE(at + 12);
  headers.ipDestination = bytes.readUInt32BE(at + 16);
  headers.tos = bytes.readUInt8(at + 1);
  headers.ttl = bytes.readUInt8(at + 8);
  headers.protocol = bytes.readUInt8(at + 9);
  const fragment = bytes.readUInt16BE(at + 6);
  // "More fragments" or a fragment offset is set.
  headers.fragment = (fragment & 0x3fff) === 0 ? 0 : FRAGMENT_ANY;
  headers.fragment |= (fragment & 0x1fff) === 0 ? 0 : FRAGMENT_LATER;
  readTransport(headers, bytes, at + headerSize, at + totalSize);
}

/** Reads an IPv6 header (RFC 8200) and the transport header. */
function readIpv6(headers: FrameHeaders, bytes: Buffer, at: number, end: number): void {
  if (end - at < 40 || bytes.readUInt16BE(at + 4) > end - at - 40) {
    return;
  }
  headers.ipv6Source = unsigned(bytes, at + 8, 16);
  headers.ipv6Destination = unsigned(bytes, at + 24, 16);
  const payloadEnd = at + 40 + bytes.readUInt16BE(at + 4);
  const first = bytes.readUInt32BE(at);
  const next = skipExtensions(bytes, at + 40, payloadEnd, bytes.readUInt8(at + 6));
  if (next === undefined) {
    return;
  }
  headers.ipv6Label = first & 0xfffff;
  headers.tos = (first >>> 20) & 0xff;
  headers.ttl = bytes.readUInt8(at + 7);
  headers.protocol = next.protocol;
  headers.fragment = next.fragment;
  readTransport(headers, bytes, next.at, payloadEnd);
}

/** Skips the extension headers (RFC 8200, section 4); returns undefined when one of them is truncated. */
function skipExtensions(
  bytes: Buffer,
  first: number,
  end: number,
  firstProtocol: number,
): { at: number; protocol: number; fragment: number } | undefined {
  let at = first;
  let protocol = firstProtocol;
  let fragment = 0;
  while (isExtension(protocol)) {
    if (end - at < 8) {
      return undefined;
    }
    const isFragment = protocol === PROTOCOL.fragment;
    const units = bytes.readUInt8(at + 1);
    const size = isFragment ? 8 : protocol === PROTOCOL.authentication ? (units + 2) * 4 : (units + 1) * 8;
    if (size > end - at) {
      return undefined;
    }
    protocol = bytes.readUInt8(at);
    if (isFragment && bytes.readUInt16BE(at + 2) !== 0) {
      fragment = FRAGMENT_ANY;
      if (bytes.readUInt16BE(at + 2) >> 3 !== 0) {
        return { at: at + size, protocol: PROTOCOL.fragment, fragment: fragment | FRAGMENT_LATER };
      }
    }
    at += size;
  }
  return { at, protocol, fragment };
}

function isExtension(protocol: number): boolean {
  return (
    protocol === PROTOCOL.hopByHop ||
    protocol === PROTOCOL.routing ||
    protocol === PROTOCOL.fragment ||
    protocol === PROTOCOL.authentication ||
    protocol === PROTOCOL.destination
  );
}

/** Reads ARP for IPv4 over Ethernet (RFC 826). */
function readArp(headers: FrameHeaders, bytes: Buffer, at: number, end: number): void {
  if (end - at < 28 || unsigned(bytes, at, 6) !== 0x0001_0800_0604n) {
    return;
  }
  const operation = bytes.readUInt16BE(at + 6);
  headers.protocol = operation <= 0xff ? operation : 0;
  headers.arpSource = unsigned(bytes, at + 8, 6);
  headers.ipSource = bytes.readUInt32BE(at + 14);
  headers.arpTarget = unsigned(bytes, at + 18, 6);
  headers.ipDestination = bytes.readUInt32BE(at + 24);
}

function readTransport(headers: FrameHeaders, bytes: Buffer, at: number, end: number): void {
  const size = end - at;
  if ((headers.fragment & FRAGMENT_LATER) !== 0 || size < 8) {
    return;
  }
  switch (headers.protocol) {
    case PROTOCOL.tcp: {
      const headerSize = size < TCP_HEADER_SIZE_MIN ? 0 : (bytes.readUInt8(at + 12) >> 4) * 4;
      if (headerSize >= TCP_HEADER_SIZE_MIN && headerSize <= size) {
        readPorts(headers, bytes, at);
        headers.tcpFlags = bytes.readUInt16BE(at + 12) & 0x0fff;
      }
      break;
    }
    case PROTOCOL.udp:
      readPorts(headers, bytes, at);
      break;
    case PROTOCOL.sctp:
      if (size >= 12) {
        readPorts(headers, bytes, at);
      }
      break;
    case PROTOCOL.icmp:
    case PROTOCOL.igmp:
      readTypeAndCode(headers, bytes, at);
      if (headers.protocol === PROTOCOL.igmp) {
        headers.ndReserved = bytes.readUInt32BE(at + 4);
      }
      break;
    case PROTOCOL.icmpv6:
      readTypeAndCode(headers, bytes, at);
      readNeighborDiscovery(headers, bytes, at, end);
      break;
    default:
      break;
  }
}

function readPorts(headers: FrameHeaders, bytes: Buffer, at: number): void {
  headers.transportSource = bytes.readUInt16BE(at);
  headers.transportDestination = bytes.readUInt16BE(at + 2);
}

function readTypeAndCode(headers: FrameHeaders, bytes: Buffer, at: number): void {
  headers.transportSource = bytes.readUInt8(at);
  headers.transportDestination = bytes.readUInt8(at + 1);
}

/** Reads neighbor solicitations and advertisements (RFC 4861, sections 4.3 and 4.4): target and link-layer addresses. */
function readNeighborDiscovery(headers: FrameHeaders, bytes: Buffer, at: number, end: number): void {
  const isNd = headers.transportSource === ND_SOLICIT || headers.transportSource === ND_ADVERT;
  if (!isNd || headers.transportDestination !== 0) {
    return;
  }
  headers.ndReserved = bytes.readUInt32BE(at + 4);
  if (end - at < 24) {
    return;
  }
  headers.ndTarget = unsigned(bytes, at + 8, 16);
  for (let option = at + 24; end - option >= 8; ) {
    const type = bytes.readUInt8(option);
    const size = bytes.readUInt8(option + 1) * 8;
    if (size === 0 || size > end - option) {
      return;
    }
    if (size === 8 && (type === ND_SOURCE_OPTION || type === ND_TARGET_OPTION)) {
      const name = type === ND_SOURCE_OPTION ? 'arpSource' : 'arpTarget';
      if (headers[name] !== 0n) {
        // A duplicate option makes all of them invalid.
        headers.ndTarget = 0n;
        headers.arpSource = 0n;
        headers.arpTarget = 0n;
        return;
      }
      headers[name] = unsigned(bytes, option + 2, 6);
      // OVS stores the type of the first option in the member of the TCP flags.
      if (headers.tcpFlags === 0) {
        headers.tcpFlags = type;
      }
    }
    option += size;
  }
}

/** Reads a big-endian number of `size` bytes. */
function unsigned(bytes: Buffer, at: number, size: number): bigint {
  return BigInt(`0x${bytes.toString('hex', at, at + size)}`);
}
