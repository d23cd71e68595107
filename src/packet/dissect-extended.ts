// The dissector of the format `extended`: the flow key of dissect.ts, then what the record has behind the original one. A packet
// has the ports of SCTP and the type and code of ICMP in addition, the interface that it came in by, its TCP flags, and the
// length that the IP header says. Like dissect.ts it runs for each sample and allocates nothing.

import {
  extendedTemplateId,
  keySize,
  Layer2,
  Layer3,
  Layer4,
  layer3Of,
  templateId,
} from '../ipfix/record-layout.ts';
import { copy, dissectFrame, padKey, putU32, u16 } from './dissect.ts';
import { dissectPlain } from './dissect-plain.ts';
import { type FlowKey, FrameFault, NO_HEADER } from './flow-key.ts';
import { PORTS_SIZE } from './key-offsets.ts';

const Protocol = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;
/** The common header of SCTP (RFC 9260, section 3.1), that of ICMP (RFC 792) and that of ICMPv6 (RFC 4443, section 2.1), in bytes. */
const SCTP_HEADER_SIZE = 12;
const ICMP_HEADER_SIZE = 8;
const ICMPV6_HEADER_SIZE = 4;
const IPV6_HEADER_SIZE = 40;
/** Offset of the flags in the TCP header, of the length in the IPv4 and in the IPv6 header. */
const TCP_FLAGS_AT = 13;
const IPV4_LENGTH_AT = 2;
const IPV6_LENGTH_AT = 4;

/** Offsets in a frame of `dissectPlain`. */
const PLAIN_NETWORK_AT = 14;
const PLAIN_TRANSPORT_AT = 34;
const PLAIN_ORIGINAL_ID = templateId(Layer2.untagged, Layer3.ipv4, Layer4.ports);
const PLAIN_TEMPLATE_ID = extendedTemplateId(PLAIN_ORIGINAL_ID, Layer4.ports);
const PLAIN_LEADING_WORDS = (keySize(PLAIN_TEMPLATE_ID) + 3) >> 2;

/** Writes the key of `frame[start, end)`, which came in by the interface of that number: `dissect` of the format `extended`. */
export function dissectExtended(
  frame: Uint8Array,
  start: number,
  end: number,
  observationPointId: number,
  ingressInterface: number,
  key: FlowKey,
): void {
  const view = key.frames.of(frame);
  if (dissectPlain(view, start, end - start, observationPointId, key)) {
    key.templateId = PLAIN_TEMPLATE_ID;
    key.words[PLAIN_LEADING_WORDS] = ingressInterface;
    key.ipTotalLength = view.getUint16(start + PLAIN_NETWORK_AT + IPV4_LENGTH_AT);
    key.tcpControlBits =
      key.protocol === Protocol.tcp ? view.getUint8(start + PLAIN_TRANSPORT_AT + TCP_FLAGS_AT) : 0;
    return;
  }
  dissectFrame(frame, start, end, observationPointId, key);
  const layer3 = layer3Of(key.templateId);
  key.ipTotalLength = key.networkAt === NO_HEADER ? 0 : totalLength(frame, key.networkAt, layer3);
  key.tcpControlBits = 0;
  let layer4: Layer4 = Layer4.other;
  let icmpTypeCode = 0;
  if (key.protocol === Protocol.tcp || key.protocol === Protocol.udp) {
    layer4 = Layer4.ports;
    if (key.protocol === Protocol.tcp && hasHeader(key)) {
      key.tcpControlBits = frame[key.transportAt + TCP_FLAGS_AT]!;
    }
  } else if (key.protocol === Protocol.sctp) {
    layer4 = Layer4.ports;
    addSctpPorts(frame, end, key);
  } else if (key.protocol === Protocol.icmp && layer3 === Layer3.ipv4) {
    layer4 = Layer4.icmp;
    icmpTypeCode = typeAndCode(frame, end, key, ICMP_HEADER_SIZE);
  } else if (key.protocol === Protocol.icmpv6 && layer3 === Layer3.ipv6) {
    layer4 = Layer4.icmp;
    icmpTypeCode = typeAndCode(frame, end, key, ICMPV6_HEADER_SIZE);
  }
  key.templateId = extendedTemplateId(key.templateId, layer4);
  const leadingWords = (key.size + 3) >> 2;
  key.words[leadingWords] = ingressInterface;
  key.words[leadingWords + 1] = icmpTypeCode;
}

/** Returns the length of the packet that its IP header says, 0 where an IPv6 header has none (RFC 2675). */
function totalLength(frame: Uint8Array, at: number, layer3: Layer3): number {
  if (layer3 === Layer3.ipv4) {
    return u16(frame, at + IPV4_LENGTH_AT);
  }
  const payloadLength = u16(frame, at + IPV6_LENGTH_AT);
  return payloadLength === 0 ? 0 : payloadLength + IPV6_HEADER_SIZE;
}

/** Whether the packet has a transport header, and dissect.ts has found it well-formed. */
function hasHeader(key: FlowKey): boolean {
  return key.transportAt !== NO_HEADER && (key.faults & FrameFault.transport) === 0;
}

/** Returns whether the frame has the whole header; notes a fault if it was truncated. */
function fits(end: number, key: FlowKey, headerSize: number): boolean {
  if (key.transportAt === NO_HEADER) {
    return false;
  }
  if (end - key.transportAt < headerSize) {
    key.faults |= FrameFault.transport;
    return false;
  }
  return true;
}

/** Appends the ports to the leading part, which ends where those of TCP and UDP are. */
function addSctpPorts(frame: Uint8Array, end: number, key: FlowKey): void {
  if (fits(end, key, SCTP_HEADER_SIZE)) {
    copy(frame, key.transportAt, key.bytes, key.size, PORTS_SIZE);
  } else {
    putU32(key.bytes, key.size, 0);
  }
  key.size += PORTS_SIZE;
  padKey(key);
}

function typeAndCode(frame: Uint8Array, end: number, key: FlowKey, headerSize: number): number {
  return fits(end, key, headerSize) ? u16(frame, key.transportAt) : 0;
}
