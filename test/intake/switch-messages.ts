// Messages as ovs-vswitchd's own exporter sends them: one record of one packet each, with the totals of the exporter.

/** What a record says. */
export interface SwitchRecord {
  readonly packets?: number;
  readonly frameLength?: number;
  readonly point: number;
  readonly domain?: number;
  readonly tcpFlags?: number;
}

const DOMAIN = 0x8000_0001;
/** Untagged, IPv4, TCP: a record as Open vSwitch 3.1 sends it, with zeros for all that is written below. */
const TCP_TEMPLATE = 280;

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const u32 = (value: number): Buffer => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value]);
const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};

/** An exporter of ovs-vswitchd, which counts what it sends. */
export class SwitchExporter {
  #sequence = 0;
  #packets: number;
  #octets = 0;
  readonly #flags = [0, 0, 0, 0, 0, 0];

  /** `packetsBefore` have been sent already. */
  constructor(packetsBefore = 0) {
    this.#packets = packetsBefore;
  }

  /** Returns the message of a packet; a test that does not use it has lost it. */
  message(record: SwitchRecord, seconds = 1): Buffer {
    const { packets = 1, frameLength = 100, point, domain = DOMAIN, tcpFlags = 0 } = record;
    this.#sequence += 1;
    this.#packets += packets;
    this.#octets += packets * frameLength;
    for (let bit = 0; bit < this.#flags.length; bit += 1) {
      this.#flags[bit]! += (tcpFlags >> bit) & 1;
    }
    const [fin = 0, syn = 0, rst = 0, psh = 0, ack = 0, urg = 0] = this.#flags;
    const name = Buffer.from('p1');
    const fields = Buffer.concat([
      u32(point),
      Buffer.from([0]),
      Buffer.from('020000000001', 'hex'),
      Buffer.from('020000000002', 'hex'),
      u16(0x0800),
      Buffer.from([14]),
      u32(0),
      u32(0),
      Buffer.from([name.length]),
      name,
      Buffer.from([0]),
      Buffer.from([4, 64, 6, 0, 0, 0]),
      u32(0x0a00_0001),
      u32(0x0a00_0002),
      u16(1000),
      u16(80),
      // Deltas of times, then the counts, of which 133 and 135 are of dropped packets.
      u32(0),
      u32(0),
      u64(0),
      u64(0),
      u64(packets),
      u64(this.#packets),
      ...[354, 355, 356, 357, 358, 19, 174].map(() => u64(0)),
      u64(packets * frameLength),
      u64(this.#octets),
      Buffer.from([2]),
      ...[132, 134, 1, 85, 198, 199, 25, 26, 20, 175].map(() => u64(0)),
      u64(ack),
      u64(fin),
      u64(psh),
      u64(rst),
      u64(syn),
      u64(urg),
    ]);
    const set = Buffer.concat([u16(TCP_TEMPLATE), u16(4 + fields.length), fields]);
    const header = [u16(10), u16(16 + set.length), u32(seconds), u32(this.#sequence), u32(domain)];
    return Buffer.concat([...header, set]);
  }
}

/** The observation domain of the messages. */
export const SWITCH_DOMAIN = DOMAIN;
