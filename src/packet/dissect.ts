// Dissects a frame: writes the flow key that an exported record starts with. It does what ovs-vswitchd's own exporter was
// observed to do, with malformed frames as well: a fault is a property of the frame and never an error. It runs for each
// sample, so it allocates nothing and writes into the `FlowKey` of the caller. dissect-extended.ts is for the other format.

import { Layer2, Layer3, Layer4, templateId } from '../ipfix/record-layout.ts';
import { dissectPlain } from './dissect-plain.ts';
import { type FlowKey, FrameFault, NO_HEADER } from './flow-key.ts';
import {
  COMMON_SIZE,
  DESTINATION_MAC,
  DOT1Q_PRIORITY,
  DOT1Q_VLAN_ID,
  ETHERNET_HEADER_LENGTH,
  ETHERNET_TYPE,
  FLOW_LABEL,
  IP_CLASS,
  IP_DSCP,
  IP_PRECEDENCE,
  IP_PROTOCOL,
  IP_SIZE,
  IP_TTL,
  IP_VERSION,
  IPV4_SIZE,
  IPV6_SIZE,
  OBSERVATION_POINT,
  PORTS_SIZE,
  SOURCE_MAC,
  VLAN_ID,
  VLAN_SIZE,
} from './key-offsets.ts';

const EtherType = { ipv4: 0x0800, vlan: 0x8100, serviceVlan: 0x88a8, ipv6: 0x86dd } as const;
/** Below this the field is the length of an 802.3 frame and not a type. */
const ETHER_TYPE_MIN = 0x0600;
/** The type that OVS reports for an 802.3 frame without one. */
const ETHER_TYPE_NONE = 0x05ff;

const Protocol = {
  hopByHop: 0,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  authentication: 51,
  none: 59,
  destination: 60,
} as const;

const ETHERNET_HEADER_SIZE = 14;
const VLAN_TAG_SIZE = 4;
const SNAP_HEADER_SIZE = 8;
const IPV4_HEADER_SIZE_MIN = 20;
const IPV6_HEADER_SIZE = 40;
const IPV6_EXTENSION_SIZE_MIN = 8;
const TCP_HEADER_SIZE_MIN = 20;
const UDP_HEADER_SIZE = 8;

/**
 * Writes the flow key of `frame[start, end)` into `key`. The frame may have been truncated when it was captured: a header
 * that lacks a byte is treated as one that does not fit its frame. A frame of less than 14 bytes gets a record of template 256
 * whose addresses and type are zeros.
 */
export function dissect(
  frame: Uint8Array,
  start: number,
  end: number,
  observationPointId: number,
  key: FlowKey,
): void {
  if (!dissectPlain(key.frames.of(frame), start, end - start, observationPointId, key)) {
    dissectFrame(frame, start, end, observationPointId, key);
  }
}

/** Writes the key of a frame that `dissectPlain` does not know, and notes where its headers begin. */
export function dissectFrame(
  frame: Uint8Array,
  start: number,
  end: number,
  observationPointId: number,
  key: FlowKey,
): void {
  const size = end - start;
  key.faults = 0;
  key.protocol = 0;
  key.networkAt = NO_HEADER;
  key.transportAt = NO_HEADER;
  putU32(key.bytes, OBSERVATION_POINT, observationPointId);
  if (size < ETHERNET_HEADER_SIZE) {
    key.faults = FrameFault.ethernet;
    key.bytes.fill(0, SOURCE_MAC, COMMON_SIZE);
    key.ethernetHeaderLength = ETHERNET_HEADER_SIZE;
    key.bytes[ETHERNET_HEADER_LENGTH] = ETHERNET_HEADER_SIZE;
    finish(key, COMMON_SIZE, Layer2.untagged, Layer3.other, Layer4.other);
    return;
  }

  let layer2: Layer2 = Layer2.untagged;
  let keyAt: number = COMMON_SIZE;
  let at = start + ETHERNET_HEADER_SIZE;
  let type = u16(frame, at - 2);
  if ((type === EtherType.vlan || type === EtherType.serviceVlan) && end - at >= VLAN_TAG_SIZE) {
    putVlan(key.bytes, u16(frame, at));
    layer2 = Layer2.vlan;
    keyAt += VLAN_SIZE;
    at += VLAN_TAG_SIZE;
    type = u16(frame, at - 2);
  }
  key.ethernetHeaderLength = at - start;
  if (type < ETHER_TYPE_MIN) {
    type = snapType(frame, at, end);
    at += SNAP_HEADER_SIZE;
  }
  putEthernet(frame, start, key.bytes, type, key.ethernetHeaderLength);

  if (type === EtherType.ipv4) {
    dissectIpv4(frame, at, end, key, keyAt, layer2);
  } else if (type === EtherType.ipv6) {
    dissectIpv6(frame, at, end, key, keyAt, layer2);
  } else {
    finish(key, keyAt, layer2, Layer3.other, Layer4.other);
  }
}

/** The type inside an 802.3 frame with an LLC and a SNAP header (RFC 1042) at `at`. */
function snapType(frame: Uint8Array, at: number, end: number): number {
  if (end - at < SNAP_HEADER_SIZE || u16(frame, at) !== 0xaaaa || u32(frame, at + 2) !== 0x03000000) {
    return ETHER_TYPE_NONE;
  }
  const type = u16(frame, at + 6);
  return type < ETHER_TYPE_MIN ? ETHER_TYPE_NONE : type;
}

function dissectIpv4(
  frame: Uint8Array,
  at: number,
  end: number,
  key: FlowKey,
  keyAt: number,
  layer2: Layer2,
): void {
  const { bytes } = key;
  const addressesAt = keyAt + IP_SIZE;
  const portsAt = addressesAt + IPV4_SIZE;
  // The version in the header is ignored: the EtherType decides.
  const headerSize = end > at ? (frame[at]! & 0x0f) * 4 : 0;
  if (headerSize < IPV4_HEADER_SIZE_MIN || headerSize > end - at) {
    key.faults = FrameFault.ipHeader;
    bytes.fill(0, keyAt, portsAt);
    bytes[keyAt + IP_VERSION] = 4;
    finish(key, portsAt, layer2, Layer3.ipv4, Layer4.other);
    return;
  }
  key.networkAt = at;
  key.protocol = frame[at + 9]!;
  putIp(bytes, keyAt, 4, frame[at + 8]!, key.protocol, frame[at + 1]!);
  copy(frame, at + 12, bytes, addressesAt, IPV4_SIZE);
  const isLaterFragment = (u16(frame, at + 6) & 0x1fff) !== 0;
  finishIp(frame, isLaterFragment ? NO_HEADER : at + headerSize, end, key, portsAt, layer2, Layer3.ipv4);
}

function dissectIpv6(
  frame: Uint8Array,
  at: number,
  end: number,
  key: FlowKey,
  keyAt: number,
  layer2: Layer2,
): void {
  const { bytes } = key;
  const addressesAt = keyAt + IP_SIZE;
  const portsAt = addressesAt + IPV6_SIZE;
  if (end - at < IPV6_HEADER_SIZE) {
    key.faults = FrameFault.ipHeader;
    bytes.fill(0, keyAt, portsAt);
    bytes[keyAt + IP_VERSION] = 6;
    finish(key, portsAt, layer2, Layer3.ipv6, Layer4.other);
    return;
  }
  key.networkAt = at;
  const transportAt = skipIpv6Extensions(frame, at, end, key);
  const trafficClass = (u16(frame, at) >> 4) & 0xff;
  putIp(bytes, keyAt, 6, frame[at + 7]!, key.protocol, trafficClass);
  copy(frame, at + 8, bytes, addressesAt, 32);
  const labelAt = addressesAt + FLOW_LABEL;
  bytes[labelAt] = 0;
  bytes[labelAt + 1] = frame[at + 1]! & 0x0f;
  bytes[labelAt + 2] = frame[at + 2]!;
  bytes[labelAt + 3] = frame[at + 3]!;
  finishIp(frame, transportAt, end, key, portsAt, layer2, Layer3.ipv6);
}

/**
 * Skips the extension headers (RFC 8200, section 4) of the IPv6 packet at `at`, stores the protocol after them in
 * `key.protocol`, and returns where its header begins. Each step takes 8 bytes or more, so the end of the frame bounds it.
 */
function skipIpv6Extensions(frame: Uint8Array, at: number, end: number, key: FlowKey): number {
  let protocol = frame[at + 6]!;
  let next = at + IPV6_HEADER_SIZE;
  while (isIpv6Extension(protocol)) {
    // A fragment header has no length of its own; in AH (RFC 4302) the unit is 4 bytes and the bias 2.
    let size = IPV6_EXTENSION_SIZE_MIN;
    if (end - next >= IPV6_EXTENSION_SIZE_MIN && protocol !== Protocol.fragment) {
      const length = frame[next + 1]!;
      size = protocol === Protocol.authentication ? (length + 2) * 4 : (length + 1) * 8;
    }
    if (end - next < Math.max(size, IPV6_EXTENSION_SIZE_MIN)) {
      key.faults |= FrameFault.ipv6Extension;
      key.protocol = Protocol.none;
      return NO_HEADER;
    }
    if (protocol === Protocol.fragment && (u16(frame, next + 2) & 0xfff8) !== 0) {
      key.protocol = Protocol.fragment;
      return NO_HEADER;
    }
    protocol = frame[next]!;
    next += size;
  }
  key.protocol = protocol;
  return next;
}

function isIpv6Extension(protocol: number): boolean {
  return (
    protocol === Protocol.hopByHop ||
    protocol === Protocol.routing ||
    protocol === Protocol.fragment ||
    protocol === Protocol.authentication ||
    protocol === Protocol.destination
  );
}

/** Completes the key of an IP packet: with ports for TCP and UDP, which are zeros if the header is truncated or absent. */
function finishIp(
  frame: Uint8Array,
  transportAt: number,
  end: number,
  key: FlowKey,
  portsAt: number,
  layer2: Layer2,
  layer3: Layer3,
): void {
  const { bytes, protocol } = key;
  key.transportAt = transportAt;
  if (protocol !== Protocol.tcp && protocol !== Protocol.udp) {
    finish(key, portsAt, layer2, layer3, Layer4.other);
    return;
  }
  if (transportAt !== NO_HEADER && transportHeaderFits(frame, transportAt, end, protocol)) {
    copy(frame, transportAt, bytes, portsAt, PORTS_SIZE);
  } else {
    if (transportAt !== NO_HEADER) {
      key.faults |= FrameFault.transport;
    }
    putU32(bytes, portsAt, 0);
  }
  finish(key, portsAt + PORTS_SIZE, layer2, layer3, Layer4.ports);
}

/** Returns whether the frame has the whole header; a TCP header is as long as its data offset says, options included. */
function transportHeaderFits(frame: Uint8Array, at: number, end: number, protocol: number): boolean {
  const space = end - at;
  if (protocol === Protocol.udp) {
    return space >= UDP_HEADER_SIZE;
  }
  if (space < TCP_HEADER_SIZE_MIN) {
    return false;
  }
  const headerSize = (frame[at + 12]! >> 4) * 4;
  return headerSize >= TCP_HEADER_SIZE_MIN && headerSize <= space;
}

function finish(key: FlowKey, size: number, layer2: Layer2, layer3: Layer3, layer4: Layer4): void {
  key.size = size;
  key.templateId = templateId(layer2, layer3, layer4);
  key.isIp = layer3 !== Layer3.other;
  padKey(key);
}

/** Fills the last word of the leading part with zeros. */
export function padKey(key: FlowKey): void {
  for (let at = key.size; (at & 3) !== 0; at += 1) {
    key.bytes[at] = 0;
  }
}

/** Writes the common part after the observation point: source before destination, the reverse of the frame's order. */
function putEthernet(
  frame: Uint8Array,
  start: number,
  bytes: Buffer,
  type: number,
  headerSize: number,
): void {
  copy(frame, start + 6, bytes, SOURCE_MAC, 6);
  copy(frame, start, bytes, DESTINATION_MAC, 6);
  bytes[ETHERNET_TYPE] = type >> 8;
  bytes[ETHERNET_TYPE + 1] = type;
  bytes[ETHERNET_HEADER_LENGTH] = headerSize;
}

/** vlanId and dot1qVlanId are equal in an exporter that reads the outer tag only. DEI is not in the key. */
function putVlan(bytes: Buffer, tci: number): void {
  const high = (tci >> 8) & 0x0f;
  bytes[VLAN_ID] = high;
  bytes[VLAN_ID + 1] = tci;
  bytes[DOT1Q_VLAN_ID] = high;
  bytes[DOT1Q_VLAN_ID + 1] = tci;
  bytes[DOT1Q_PRIORITY] = tci >> 13;
}

function putIp(
  bytes: Buffer,
  at: number,
  version: number,
  ttl: number,
  protocol: number,
  classOfService: number,
): void {
  bytes[at + IP_VERSION] = version;
  bytes[at + IP_TTL] = ttl;
  bytes[at + IP_PROTOCOL] = protocol;
  bytes[at + IP_DSCP] = classOfService >> 2;
  bytes[at + IP_PRECEDENCE] = classOfService >> 5;
  bytes[at + IP_CLASS] = classOfService;
}

export function putU32(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** A loop: for so few bytes it is faster than `Buffer.copy`, and `subarray` would allocate an object. */
export function copy(from: Uint8Array, fromAt: number, to: Buffer, toAt: number, size: number): void {
  for (let index = 0; index < size; index += 1) {
    to[toAt + index] = from[fromAt + index]!;
  }
}

// The caller of both has checked the bounds.

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function u32(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) << 16) | u16(bytes, at + 2);
}
