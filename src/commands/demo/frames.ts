// The Ethernet frames that the demo injects into a switch without real interfaces: ARP, and ICMP, UDP and TCP over IPv4 and
// IPv6, with correct lengths and checksums.

/** One end of a conversation. */
export interface Host {
  /** Six bytes in hex, without colons. */
  readonly mac: string;
  /** Four bytes in hex. */
  readonly ipv4: string;
  /** Sixteen bytes in hex. */
  readonly ipv6: string;
}

/** The payload of an IP packet. */
export interface Payload {
  readonly protocol: number;
  readonly bytes: Buffer;
  /** Offset of the checksum in `bytes`. */
  readonly checksumOffset: number;
  /** Whether the checksum covers the addresses (all but ICMP over IPv4). */
  readonly coversAddresses: boolean;
}

/** Bits of TCP's flags. */
export const TCP_FLAGS = { fin: 0x01, syn: 0x02, push: 0x08, ack: 0x10 } as const;

/** An ARP request (1) or reply (2), RFC 826. */
export function arpFrame(from: Host, to: Host, operation: 1 | 2): Buffer {
  const isRequest = operation === 1;
  const body = `000108000604000${operation}${from.mac}${from.ipv4}${isRequest ? '000000000000' : to.mac}${to.ipv4}`;
  return Buffer.from(`${isRequest ? 'ffffffffffff' : to.mac}${from.mac}0806${body}`, 'hex');
}

/** A frame of IPv4 (RFC 791), with an 802.1Q tag when `vlanId` is given. */
export function ipv4Frame(from: Host, to: Host, payload: Payload, vlanId?: number): Buffer {
  const header = Buffer.from(`450000000000400040000000${from.ipv4}${to.ipv4}`, 'hex');
  header.writeUInt16BE(header.length + payload.bytes.length, 2);
  header.writeUInt8(payload.protocol, 9);
  header.writeUInt16BE(checksum(header), 10);
  const pseudo = Buffer.from(from.ipv4 + to.ipv4, 'hex');
  return Buffer.concat([ethernetHeader(from, to, 0x0800, vlanId), header, summed(payload, pseudo)]);
}

/** A frame of IPv6 (RFC 8200). */
export function ipv6Frame(from: Host, to: Host, payload: Payload): Buffer {
  const header = Buffer.from(`6000000000000040${from.ipv6}${to.ipv6}`, 'hex');
  header.writeUInt16BE(payload.bytes.length, 4);
  header.writeUInt8(payload.protocol, 6);
  const pseudo = Buffer.from(from.ipv6 + to.ipv6, 'hex');
  return Buffer.concat([ethernetHeader(from, to, 0x86dd), header, summed(payload, pseudo)]);
}

/** ICMP for IPv4 (RFC 792) or IPv6 (RFC 4443): an echo. */
export function echo(ipVersion: 4 | 6, kind: 'request' | 'reply', sequence: number): Payload {
  const isRequest = kind === 'request';
  const type = ipVersion === 4 ? (isRequest ? 8 : 0) : isRequest ? 128 : 129;
  const bytes = Buffer.alloc(8 + 56);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt16BE(1, 4);
  bytes.writeUInt16BE(sequence, 6);
  return { protocol: ipVersion === 4 ? 1 : 58, bytes, checksumOffset: 2, coversAddresses: ipVersion === 6 };
}

/** A UDP datagram (RFC 768) with so many bytes of data. */
export function udp(sourcePort: number, destinationPort: number, dataSize: number): Payload {
  const bytes = Buffer.alloc(8 + dataSize);
  bytes.writeUInt16BE(sourcePort, 0);
  bytes.writeUInt16BE(destinationPort, 2);
  bytes.writeUInt16BE(bytes.length, 4);
  return { protocol: 17, bytes, checksumOffset: 6, coversAddresses: true };
}

/** A TCP segment (RFC 9293). */
export interface Segment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly dataSize: number;
}

/** The bytes of a segment. */
export function tcp(segment: Segment): Payload {
  const bytes = Buffer.alloc(20 + segment.dataSize);
  bytes.writeUInt16BE(segment.sourcePort, 0);
  bytes.writeUInt16BE(segment.destinationPort, 2);
  bytes.writeUInt32BE(segment.sequence, 4);
  bytes.writeUInt32BE(segment.acknowledgement, 8);
  bytes.writeUInt8(5 << 4, 12);
  bytes.writeUInt8(segment.flags, 13);
  bytes.writeUInt16BE(0xffff, 14);
  return { protocol: 6, bytes, checksumOffset: 16, coversAddresses: true };
}

function ethernetHeader(from: Host, to: Host, type: number, vlanId?: number): Buffer {
  const header = Buffer.alloc(vlanId === undefined ? 14 : 18);
  header.write(to.mac + from.mac, 'hex');
  if (vlanId !== undefined) {
    header.writeUInt32BE(0x8100_0000 + vlanId, 12);
  }
  header.writeUInt16BE(type, header.length - 2);
  return header;
}

function summed(payload: Payload, addresses: Buffer): Buffer {
  const { protocol, bytes, checksumOffset, coversAddresses } = payload;
  const lengthAndProtocol = Buffer.alloc(8);
  lengthAndProtocol.writeUInt32BE(bytes.length, 0);
  lengthAndProtocol.writeUInt32BE(protocol, 4);
  const pseudo = coversAddresses ? [addresses, lengthAndProtocol] : [];
  const sum = checksum(Buffer.concat([...pseudo, bytes]));
  const message = Buffer.from(bytes);
  // In UDP a sum of zero is sent as all ones; zero means no checksum.
  message.writeUInt16BE(sum === 0 && protocol === 17 ? 0xffff : sum, checksumOffset);
  return message;
}

/** The Internet checksum (RFC 1071). */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
  }
  while (sum > 0xffff) {
    sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  }
  return ~sum & 0xffff;
}
