// The link types of captures (the registry at tcpdump.org/linktypes.html): which ones are read, and the names of those that are
// not, for errors and warnings.

/** Link types that are read. */
export const LinkType = {
  /** BSD loopback; the protocol family is in the byte order of the machine that captured. */
  null: 0,
  ethernet: 1,
  /** An IPv4 or IPv6 packet without a link header. */
  raw: 101,
  /** OpenBSD loopback; the protocol family is in network byte order. */
  loop: 108,
  /** Linux cooked capture, as `tcpdump -i any` wrote it before libpcap 1.10. */
  linuxCooked: 113,
  rawIpv4: 228,
  rawIpv6: 229,
  /** Linux cooked capture, version 2. */
  linuxCooked2: 276,
} as const;

const SUPPORTED: ReadonlySet<number> = new Set(Object.values(LinkType));

/** Names of common link types that are not read, without the prefix LINKTYPE_. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [6, 'token ring'],
  [8, 'SLIP'],
  [9, 'PPP'],
  [10, 'FDDI'],
  [50, 'PPP with HDLC framing'],
  [51, 'PPPoE'],
  [100, 'ATM'],
  [104, 'Cisco HDLC'],
  [105, 'IEEE 802.11'],
  [107, 'frame relay'],
  [117, 'OpenBSD pflog'],
  [119, 'IEEE 802.11 with Prism header'],
  [123, 'SunATM'],
  [127, 'IEEE 802.11 with radiotap header'],
  [129, 'ARCNET'],
  [163, 'IEEE 802.11 with AVS header'],
  [178, 'Juniper Ethernet'],
  [187, 'Bluetooth HCI'],
  [189, 'Linux USB'],
  [192, 'per-packet information'],
  [195, 'IEEE 802.15.4'],
  [201, 'Bluetooth HCI with pseudo-header'],
  [220, 'Linux USB, memory-mapped'],
  [227, 'SocketCAN'],
  [230, 'IEEE 802.15.4 without check sequence'],
  [231, 'D-Bus'],
  [239, 'Linux netfilter log'],
  [242, 'IP over InfiniBand'],
  [249, 'USBPcap'],
  [251, 'Bluetooth LE'],
  [253, 'Linux netlink'],
  [258, 'Apple pktap'],
  [271, 'vsock'],
]);
/** Link types of radio networks, which the driver turns into Ethernet unless it is in monitor mode. */
const WIRELESS: ReadonlySet<number> = new Set([105, 119, 127, 163, 192]);

/** Returns whether the packets of a link type are read. */
export function isSupported(linkType: number): boolean {
  return SUPPORTED.has(linkType);
}

/** Link types that are left to private use. */
const [PRIVATE_FIRST, PRIVATE_LAST] = [147, 162];

/** Returns a link type as a phrase: `link type 127 (IEEE 802.11 with radiotap header)`. */
export function linkTypeText(linkType: number): string {
  const isPrivate = linkType >= PRIVATE_FIRST && linkType <= PRIVATE_LAST;
  const name = isPrivate ? 'private use' : NAMES.get(linkType);
  return `link type ${linkType}${name === undefined ? '' : ` (${name})`}`;
}

/** Returns how to capture such traffic so that it can be read; a sentence. */
export function linkTypeAdvice(linkType: number): string {
  const how = WIRELESS.has(linkType) ? ' without monitor mode' : '';
  return `Capture on an Ethernet interface${how}, or with "tcpdump -i any".`;
}
