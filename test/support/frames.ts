// Builds Ethernet frames for tests by the standards (IEEE 802.3 and 802.1Q, RFC 826, 791, 8200, 9293, 768, 792, 4443),
// independently of the product's dissection. Lengths and checksums are correct by default.
//
//     ethernet({ vlans: [{ id: 7, priority: 3 }] }, ipv4({ source: '10.0.0.1', ... }, udp({ ... }, payload)))

/** A payload of Ethernet: its EtherType and its bytes. */
export interface EthernetPayload {
  readonly etherType: number;
  readonly bytes: Buffer;
}

/** A payload of IP; its bytes are built when the addresses are known, which the checksum needs. */
export interface IpPayload {
  readonly protocol: number;
  readonly build: (pseudo: PseudoHeader) => Buffer;
}

/** The pseudo-header in checksums of TCP, UDP and ICMPv6 (RFC 9293, section 3.1, RFC 8200, section 8.1). */
export interface PseudoHeader {
  readonly source: Buffer;
  readonly destination: Buffer;
  readonly protocol: number;
}

export interface VlanTag {
  readonly id: number;
  readonly priority?: number;
  readonly dropEligible?: boolean;
  /** Default: 0x8100; 0x88a8 for the outer tag of 802.1ad. */
  readonly tpid?: number;
}

export interface EthernetOptions {
  readonly source?: string;
  readonly destination?: string;
  /** Outermost first. */
  readonly vlans?: readonly VlanTag[];
}

/** Builds a frame without check sequence, and without padding to 60 bytes, which OVS's dummy ports accept. */
export function ethernet(options: EthernetOptions, payload: EthernetPayload): Buffer {
  const tags = (options.vlans ?? []).map((vlan) => {
    const tag = Buffer.alloc(4);
    tag.writeUInt16BE(vlan.tpid ?? 0x8100, 0);
    tag.writeUInt16BE(((vlan.priority ?? 0) << 13) | (vlan.dropEligible ? 0x1000 : 0) | vlan.id, 2);
    return tag;
  });
  return Buffer.concat([
    mac(options.destination ?? '02:00:00:00:00:02'),
    mac(options.source ?? '02:00:00:00:00:01'),
    ...tags,
    u16(payload.etherType),
    payload.bytes,
  ]);
}

/** Builds a payload of any EtherType. */
export function rawEthernetPayload(etherType: number, bytes: Uint8Array): EthernetPayload {
  return { etherType, bytes: Buffer.from(bytes) };
}

export interface ArpOptions {
  /** 1 request, 2 reply. */
  readonly operation?: number;
  readonly senderMac?: string;
  readonly senderIp: string;
  readonly targetMac?: string;
  readonly targetIp: string;
}

/** Builds ARP for IPv4 over Ethernet (RFC 826). */
export function arp(options: ArpOptions): EthernetPayload {
  const bytes = Buffer.concat([
    Buffer.from('0001080006040000', 'hex'),
    mac(options.senderMac ?? '02:00:00:00:00:01'),
    ipv4Address(options.senderIp),
    mac(options.targetMac ?? '00:00:00:00:00:00'),
    ipv4Address(options.targetIp),
  ]);
  bytes.writeUInt16BE(options.operation ?? 1, 6);
  return { etherType: 0x0806, bytes };
}

export interface Ipv4Options {
  readonly source: string;
  readonly destination: string;
  readonly ttl?: number;
  /** DSCP in the upper six bits, ECN in the lower two. */
  readonly tos?: number;
  readonly identification?: number;
  readonly moreFragments?: boolean;
  readonly doNotFragment?: boolean;
  /** In units of eight bytes. */
  readonly fragmentOffset?: number;
  /** A multiple of four bytes. */
  readonly options?: Uint8Array;
  /** Overrides the correct length. */
  readonly totalLength?: number;
}

/** Builds an IPv4 packet (RFC 791). */
export function ipv4(options: Ipv4Options, payload: IpPayload): EthernetPayload {
  const source = ipv4Address(options.source);
  const destination = ipv4Address(options.destination);
  const above = payload.build({ source, destination, protocol: payload.protocol });
  const extra = Buffer.from(options.options ?? []);
  const header = Buffer.alloc(20 + extra.length);
  header.writeUInt8(0x40 | (header.length / 4), 0);
  header.writeUInt8(options.tos ?? 0, 1);
  header.writeUInt16BE(options.totalLength ?? header.length + above.length, 2);
  header.writeUInt16BE(options.identification ?? 0, 4);
  const flags = (options.doNotFragment ? 0x4000 : 0) | (options.moreFragments ? 0x2000 : 0);
  header.writeUInt16BE(flags | (options.fragmentOffset ?? 0), 6);
  header.writeUInt8(options.ttl ?? 64, 8);
  header.writeUInt8(payload.protocol, 9);
  source.copy(header, 12);
  destination.copy(header, 16);
  extra.copy(header, 20);
  header.writeUInt16BE(internetChecksum(header), 10);
  return { etherType: 0x0800, bytes: Buffer.concat([header, above]) };
}

export interface Ipv6Options {
  /** Text, with or without `::`. */
  readonly source: string;
  readonly destination: string;
  readonly hopLimit?: number;
  readonly trafficClass?: number;
  readonly flowLabel?: number;
  /** Extension headers in order; their next-header fields are filled in. */
  readonly extensions?: readonly Ipv6Extension[];
}

export interface Ipv6Extension {
  /** 0 hop-by-hop, 43 routing, 44 fragment, 60 destination options. */
  readonly header: number;
  /** The whole header; its first byte is overwritten with the next header. */
  readonly bytes: Uint8Array;
}

/** Builds an IPv6 packet (RFC 8200). */
export function ipv6(options: Ipv6Options, payload: IpPayload): EthernetPayload {
  const source = ipv6Address(options.source);
  const destination = ipv6Address(options.destination);
  const above = payload.build({ source, destination, protocol: payload.protocol });
  const extensions = options.extensions ?? [];
  const followers = [...extensions.slice(1).map((extension) => extension.header), payload.protocol];
  const chain = extensions.map((extension, index) => {
    const bytes = Buffer.from(extension.bytes);
    bytes.writeUInt8(followers[index] ?? payload.protocol, 0);
    return bytes;
  });
  const body = Buffer.concat([...chain, above]);
  const header = Buffer.alloc(40);
  header.writeUInt32BE(0x6000_0000 + (options.trafficClass ?? 0) * 0x10_0000 + (options.flowLabel ?? 0), 0);
  header.writeUInt16BE(body.length, 4);
  header.writeUInt8(extensions[0]?.header ?? payload.protocol, 6);
  header.writeUInt8(options.hopLimit ?? 64, 7);
  source.copy(header, 8);
  destination.copy(header, 24);
  return { etherType: 0x86dd, bytes: Buffer.concat([header, body]) };
}

export interface Ports {
  readonly source: number;
  readonly destination: number;
}

export interface TcpOptions extends Ports {
  readonly sequence?: number;
  readonly acknowledgement?: number;
  /** FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128. Default: ACK. */
  readonly flags?: number;
}

/** Builds a TCP segment (RFC 9293). */
export function tcp(options: TcpOptions, data: Uint8Array = new Uint8Array()): IpPayload {
  return {
    protocol: 6,
    build: (pseudo) => {
      const header = Buffer.alloc(20);
      header.writeUInt16BE(options.source, 0);
      header.writeUInt16BE(options.destination, 2);
      header.writeUInt32BE(options.sequence ?? 1, 4);
      header.writeUInt32BE(options.acknowledgement ?? 0, 8);
      header.writeUInt8(0x50, 12);
      header.writeUInt8(options.flags ?? 0x10, 13);
      header.writeUInt16BE(65_535, 14);
      return summed(Buffer.concat([header, data]), 16, pseudo);
    },
  };
}

/** Builds a UDP datagram (RFC 768). */
export function udp(options: Ports, data: Uint8Array = new Uint8Array()): IpPayload {
  return {
    protocol: 17,
    build: (pseudo) => {
      const header = Buffer.alloc(8);
      header.writeUInt16BE(options.source, 0);
      header.writeUInt16BE(options.destination, 2);
      header.writeUInt16BE(8 + data.length, 4);
      const datagram = summed(Buffer.concat([header, data]), 6, pseudo);
      // A checksum of zero is sent as all ones; zero means that there is none.
      if (datagram.readUInt16BE(6) === 0) {
        datagram.writeUInt16BE(0xffff, 6);
      }
      return datagram;
    },
  };
}

export interface IcmpOptions {
  readonly type: number;
  readonly code?: number;
}

/** Builds an ICMP message (RFC 792); `data` begins with the rest of its header. */
export function icmp(options: IcmpOptions, data: Uint8Array = new Uint8Array(4)): IpPayload {
  return {
    protocol: 1,
    build: () => {
      const message = Buffer.concat([Buffer.from([options.type, options.code ?? 0, 0, 0]), data]);
      message.writeUInt16BE(internetChecksum(message), 2);
      return message;
    },
  };
}

/** Builds an ICMPv6 message (RFC 4443); `data` begins with the rest of its header. */
export function icmpv6(options: IcmpOptions, data: Uint8Array = new Uint8Array(4)): IpPayload {
  return {
    protocol: 58,
    build: (pseudo) =>
      summed(Buffer.concat([Buffer.from([options.type, options.code ?? 0, 0, 0]), data]), 2, pseudo),
  };
}

/** Builds a payload of any protocol, for example the rest of a fragment. */
export function rawIpPayload(protocol: number, bytes: Uint8Array): IpPayload {
  return { protocol, build: () => Buffer.from(bytes) };
}

/** Builds a UDP frame over IPv4, the flow of most tests. */
export function udpFrame(flow: {
  readonly source?: string;
  readonly destination?: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly dataBytes?: number;
  readonly ethernet?: EthernetOptions;
}): Buffer {
  return ethernet(
    flow.ethernet ?? {},
    ipv4(
      { source: flow.source ?? '10.0.0.1', destination: flow.destination ?? '10.0.0.2' },
      udp(
        { source: flow.sourcePort ?? 1000, destination: flow.destinationPort ?? 2000 },
        new Uint8Array(flow.dataBytes ?? 18),
      ),
    ),
  );
}

function summed(message: Buffer, at: number, pseudo: PseudoHeader): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  const sum = internetChecksum(
    Buffer.concat([pseudo.source, pseudo.destination, Buffer.from([0, pseudo.protocol]), length, message]),
  );
  message.writeUInt16BE(sum, at);
  return message;
}

/** Returns the one's complement sum of RFC 1071. */
export function internetChecksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += bytes.readUInt8(at) * 256 + (bytes[at + 1] ?? 0);
  }
  while (sum > 0xffff) {
    sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  }
  return ~sum & 0xffff;
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function mac(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll(':', ''), 'hex');
  if (bytes.length !== 6) {
    throw new RangeError(`"${text}" is not a valid MAC address.`);
  }
  return bytes;
}

function ipv4Address(text: string): Buffer {
  const bytes = Buffer.from(text.split('.').map(Number));
  if (bytes.length !== 4) {
    throw new RangeError(`"${text}" is not a valid IPv4 address.`);
  }
  return bytes;
}

function ipv6Address(text: string): Buffer {
  const [head = '', tail] = text.split('::');
  const before = head.split(':').filter((word) => word !== '');
  const after = (tail ?? '').split(':').filter((word) => word !== '');
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  const words = tail === undefined ? before : [...before, ...zeros, ...after];
  if (words.length !== 8) {
    throw new RangeError(`"${text}" is not a valid IPv6 address.`);
  }
  return Buffer.concat(words.map((word) => u16(Number.parseInt(word, 16))));
}
