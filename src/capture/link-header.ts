// Frames of captured packets. Packets of a link type without Ethernet header get one in place of their link header, with zeros
// for both MAC addresses, as OVS gives one to a packet from a tunnel without Ethernet. It is written into the reader's memory,
// before the network header, so that nothing is copied.

import type { CapturedPacket } from './captured-packet.ts';
import { LinkType } from './link-types.ts';

/** The link of packets: of a pcap file, or of an interface of a pcapng section. */
export interface CaptureLink {
  readonly linkType: number;
  /** Bytes of the frame check sequence at the end of each frame; they are not part of the frame. */
  readonly checkSequenceSize: number;
}

/** Whether the frames of a link are the captured packets as they are. */
export function isPlain({ linkType, checkSequenceSize }: CaptureLink): boolean {
  return linkType === LinkType.ethernet && checkSequenceSize === 0;
}

/** Bytes before a captured packet that may be overwritten: the Ethernet header of a packet that has no link header. */
export const LINK_HEADROOM = 14;

/** The longest frame: a capture and the flow engines have 32 bits for its length. */
const LENGTH_MAX = 0xffff_ffff;
const MAC_ADDRESSES_SIZE = 12;
const EtherType = { none: 0, ipv4: 0x0800, ipv6: 0x86dd } as const;

/*
 * Linux cooked, 16 bytes                     Linux cooked 2, 20 bytes
 *   u16 packet type                            u16 protocol
 *   u16 ARPHRD type of the device              u16 reserved, u32 interface
 *   u16 length of the address, 8 of it         u16 ARPHRD type, u8 packet type
 *   u16 protocol                               u8 length of the address, 8 of it
 */
const COOKED_SIZE = 16;
const COOKED2_SIZE = 20;
const LOOPBACK_SIZE = 4;
/** Devices whose protocol is not an Ethernet type: frame relay, radiotap and netlink (ARPHRD_ of Linux). */
const OTHER_PROTOCOLS: ReadonlySet<number> = new Set([770, 803, 824]);
/** Values of AF_INET, the same everywhere, and of AF_INET6 in Linux, NetBSD and OpenBSD, FreeBSD, and macOS. */
const AF_INET = 2;
const AF_INET6: ReadonlySet<number> = new Set([10, 24, 28, 30]);

/**
 * Sets `packet` to the frame of the captured packet `bytes[start, start + captured)`, whose length on the link was `original`
 * bytes. Overwrites up to `LINK_HEADROOM` bytes before it.
 */
export function setFrame(
  packet: CapturedPacket,
  view: DataView,
  start: number,
  captured: number,
  original: number,
  link: CaptureLink,
): void {
  const length = Math.max(0, Math.max(captured, original) - link.checkSequenceSize);
  packet.start = start;
  packet.end = start + Math.min(captured, length);
  packet.originalLength = length;
  if (link.linkType !== LinkType.ethernet) {
    replaceHeader(packet, view, link.linkType);
  }
}

function replaceHeader(packet: CapturedPacket, view: DataView, linkType: number): void {
  const { start, end, originalLength } = packet;
  const size = headerSize(linkType);
  packet.originalLength = Math.min(Math.max(0, originalLength - size) + LINK_HEADROOM, LENGTH_MAX);
  if (end - start < Math.max(1, size)) {
    // The snap length has left nothing that says what the packet is.
    packet.start = end;
    return;
  }
  const type = etherType(view, start, linkType);
  const frame = start + size - LINK_HEADROOM;
  packet.start = frame;
  packet.bytes.fill(0, frame, frame + MAC_ADDRESSES_SIZE);
  view.setUint16(frame + MAC_ADDRESSES_SIZE, type);
}

function headerSize(linkType: number): number {
  switch (linkType) {
    case LinkType.linuxCooked:
      return COOKED_SIZE;
    case LinkType.linuxCooked2:
      return COOKED2_SIZE;
    case LinkType.null:
    case LinkType.loop:
      return LOOPBACK_SIZE;
    default:
      return 0;
  }
}

/** Returns the Ethernet type of the packet, 0 when it has none. */
function etherType(view: DataView, start: number, linkType: number): number {
  switch (linkType) {
    case LinkType.linuxCooked:
      return OTHER_PROTOCOLS.has(view.getUint16(start + 2)) ? EtherType.none : view.getUint16(start + 14);
    case LinkType.linuxCooked2:
      return OTHER_PROTOCOLS.has(view.getUint16(start + 8)) ? EtherType.none : view.getUint16(start);
    case LinkType.null:
    case LinkType.loop:
      return ofFamily(view.getUint32(start));
    case LinkType.rawIpv4:
      return EtherType.ipv4;
    case LinkType.rawIpv6:
      return EtherType.ipv6;
    default:
      return ofVersion(view.getUint8(start) >> 4);
  }
}

/** A family is a small number, so that its byte order can be seen. */
function ofFamily(word: number): number {
  const family = word > 0xffff ? (word >>> 24) | ((word >>> 8) & 0xff00) : word;
  return family === AF_INET ? EtherType.ipv4 : AF_INET6.has(family) ? EtherType.ipv6 : EtherType.none;
}

function ofVersion(version: number): number {
  return version === 4 ? EtherType.ipv4 : version === 6 ? EtherType.ipv6 : EtherType.none;
}
