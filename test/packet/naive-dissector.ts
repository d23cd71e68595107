// A second, plain dissector, written from the description of the wire format and independently of the first one: it copies,
// slices and allocates. Tests compare the two.

/** The record key of a frame, as template id and hex. */
export interface NaiveKey {
  readonly templateId: number;
  readonly key: string;
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** The rest of a frame; `take` removes bytes from its front and returns undefined when there are not enough. */
class Rest {
  bytes: Buffer;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
  take(size: number): Buffer | undefined {
    if (this.bytes.length < size) {
      return undefined;
    }
    const taken = this.bytes.subarray(0, size);
    this.bytes = this.bytes.subarray(size);
    return taken;
  }
}

interface IpPart {
  readonly layer3: number;
  readonly protocol: number;
  readonly text: string;
  /** What follows the IP headers; undefined without a transport header. */
  readonly transport: Rest | undefined;
}

export function naiveDissect(frame: Buffer, observationPointId: number): NaiveKey {
  const point = hex(observationPointId, 8);
  if (frame.length < 14) {
    return { templateId: 256, key: `${point}${'00'.repeat(14)}0e` };
  }
  const rest = new Rest(frame);
  const destination = rest.take(6)!.toString('hex');
  const source = rest.take(6)!.toString('hex');
  let vlan = '';
  let type = rest.take(2)!.readUInt16BE();
  if ((type === 0x8100 || type === 0x88a8) && rest.bytes.length >= 4) {
    const tci = rest.take(2)!.readUInt16BE();
    const id = hex(tci % 4096, 4);
    vlan = `${id}${id}${hex(Math.floor(tci / 8192), 2)}`;
    type = rest.take(2)!.readUInt16BE();
  }
  if (type < 0x600) {
    const llc = rest.take(8);
    const isSnap = llc !== undefined && llc.subarray(0, 6).toString('hex') === 'aaaa03000000';
    const inner = isSnap ? llc.readUInt16BE(6) : 0;
    type = inner >= 0x600 ? inner : 0x5ff;
  }
  const ethernet = `${point}${source}${destination}${hex(type, 4)}${vlan === '' ? '0e' : '12'}${vlan}`;
  const layer2 = vlan === '' ? 0 : 1;
  const ip = type === 0x800 ? ipv4Part(rest) : type === 0x86dd ? ipv6Part(rest) : undefined;
  if (ip === undefined) {
    return { templateId: 256 + layer2 * 6, key: ethernet };
  }
  const hasPorts = ip.protocol === 6 || ip.protocol === 17;
  const ports = hasPorts ? portsOf(ip) : '';
  return {
    templateId: 256 + (layer2 * 3 + ip.layer3) * 2 + (hasPorts ? 1 : 0),
    key: `${ethernet}${ip.text}${ports}`,
  };
}

function ipText(version: number, ttl: number, protocol: number, tos: number): string {
  return [version, ttl, protocol, Math.floor(tos / 4), Math.floor(tos / 32), tos]
    .map((x) => hex(x, 2))
    .join('');
}

function ipv4Part(rest: Rest): IpPart {
  const whole = rest.bytes;
  const size = whole.length === 0 ? 0 : (whole.readUInt8(0) % 16) * 4;
  if (size < 20 || whole.length < size) {
    return { layer3: 1, protocol: 0, text: `04${'00'.repeat(13)}`, transport: undefined };
  }
  const header = rest.take(size)!;
  const protocol = header.readUInt8(9);
  const isLater = header.readUInt16BE(6) % 8192 > 0;
  const text = `${ipText(4, header.readUInt8(8), protocol, header.readUInt8(1))}${header.toString('hex', 12, 20)}`;
  return { layer3: 1, protocol, text, transport: isLater ? undefined : rest };
}

function ipv6Part(rest: Rest): IpPart {
  const header = rest.take(40);
  if (header === undefined) {
    return { layer3: 2, protocol: 0, text: `06${'00'.repeat(41)}`, transport: undefined };
  }
  const first = header.readUInt32BE(0);
  const behind = behindExtensions(rest, header.readUInt8(6));
  const tos = Math.floor(first / 2 ** 20) % 256;
  const text = `${ipText(6, header.readUInt8(7), behind.protocol, tos)}${header.toString('hex', 8, 40)}${hex(first % 2 ** 20, 8)}`;
  return { layer3: 2, protocol: behind.protocol, text, transport: behind.transport };
}

function behindExtensions(rest: Rest, first: number): { protocol: number; transport: Rest | undefined } {
  let protocol = first;
  while ([0, 43, 44, 51, 60].includes(protocol)) {
    const start = rest.take(8);
    if (start === undefined) {
      return { protocol: 59, transport: undefined };
    }
    if (protocol === 44) {
      if (start.readUInt16BE(2) >= 8) {
        return { protocol: 44, transport: undefined };
      }
    } else {
      const size = protocol === 51 ? (start.readUInt8(1) + 2) * 4 : (start.readUInt8(1) + 1) * 8;
      if (rest.take(size - 8) === undefined) {
        return { protocol: 59, transport: undefined };
      }
    }
    protocol = start.readUInt8(0);
  }
  return { protocol, transport: rest };
}

function portsOf(ip: IpPart): string {
  const bytes = ip.transport?.bytes;
  if (bytes === undefined || bytes.length < (ip.protocol === 17 ? 8 : 20)) {
    return '00000000';
  }
  if (ip.protocol === 6) {
    const size = Math.floor(bytes.readUInt8(12) / 16) * 4;
    if (size < 20 || size > bytes.length) {
      return '00000000';
    }
  }
  return bytes.toString('hex', 0, 4);
}
