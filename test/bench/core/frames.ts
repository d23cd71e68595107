// The frames of the core benchmark, and how a frame gets the addresses and ports of a flow.

export const FRAME_SIZE = 60;
/** UDP over IPv4; what follows the headers is zeros. */
export const FRAME = Buffer.from(
  '02000000000102000000000208004500002e00000000401100000a000001c0a8000004000035001a0000',
  'hex',
);
export const IPV6_FRAME_SIZE = 62;
export const IPV6_FRAME = Buffer.from(
  '02000000000102000000000286dd600000000008114020010db800000000000000000000000120010db80000000000000000000000020400003500080000',
  'hex',
);
/** A present time in microseconds, which exceeds a small integer. */
export const START_MICROS = 1.7e15;

/** Makes the IPv4 frame at `at` one of a flow; flows below 2^28 differ. */
export function setFlow(memory: Buffer, at: number, flow: number): void {
  memory.writeUInt32BE((0x0a000000 | (flow >>> 4)) >>> 0, at + 26);
  memory.writeUInt32BE((0xc0a80000 | (flow & 0xff)) >>> 0, at + 30);
  memory.writeUInt16BE(1024 + (flow % 50_000), at + 34);
}

/** The same with an IPv6 frame. */
export function setIpv6Flow(memory: Buffer, at: number, flow: number): void {
  memory.writeUInt32BE(flow, at + 34);
}
