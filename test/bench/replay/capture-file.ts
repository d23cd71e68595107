// Writes the captures of the replay benchmark: small frames of TCP and UDP over IPv4, of so many flows, chosen uniformly or by
// Zipf's law, at equal intervals. The same seed gives the same file.

import { closeSync, openSync, writeSync } from 'node:fs';
import { chosenFlow, type Distribution, generator } from '../flow-choice.ts';

/** The parameters of a capture. */
export interface CaptureShape {
  readonly packets: number;
  readonly flows: number;
  readonly distribution: Distribution;
  /** Time of capture from the first packet to the last. */
  readonly seconds: number;
  readonly seed: number;
}

export const FRAME_SIZE = 60;
const FILE_HEADER_SIZE = 24;
const RECORD_SIZE = 16 + FRAME_SIZE;
const PIECE_PACKETS = 16_384;
const START_SECONDS = 1_700_000_000;

/** Writes a pcap file. Each flow occurs at least once when there are as many packets as flows. */
export function writeCapture(file: string, shape: CaptureShape): void {
  const descriptor = openSync(file, 'w');
  try {
    const header = Buffer.alloc(FILE_HEADER_SIZE);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(262_144, 16);
    header.writeUInt32LE(1, 20);
    writeSync(descriptor, header);
    const piece = Buffer.alloc(PIECE_PACKETS * RECORD_SIZE);
    const choose = chooser(shape);
    for (let first = 0; first < shape.packets; first += PIECE_PACKETS) {
      const count = Math.min(PIECE_PACKETS, shape.packets - first);
      for (let index = 0; index < count; index += 1) {
        const packet = first + index;
        const micros = Math.floor((packet * shape.seconds * 1e6) / shape.packets);
        putRecord(piece, index * RECORD_SIZE, micros, choose(packet));
      }
      writeSync(descriptor, piece, 0, count * RECORD_SIZE);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** Returns the flow of a packet. */
function chooser(shape: CaptureShape): (packet: number) => number {
  const { flows, distribution } = shape;
  const random = generator(shape.seed);
  // The first packets are of all flows in a scattered order, so that each flow occurs.
  const stride = coprime(flows);
  return (packet) => (packet < flows ? (packet * stride) % flows : chosenFlow(random(), flows, distribution));
}

function coprime(count: number): number {
  let stride = Math.floor(count * 0.618) | 1;
  while (divisor(stride, count) !== 1) {
    stride += 2;
  }
  return stride;
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

/*
 * A record of 60 bytes: Ethernet, IPv4 without options, TCP or UDP, zeros. Odd flows are UDP. IPv4 addresses and ports
 * come from the flow's number, so that all flows differ and most bits vary.
 */
function putRecord(bytes: Buffer, at: number, micros: number, flow: number): void {
  bytes.writeUInt32LE(START_SECONDS + Math.floor(micros / 1e6), at);
  bytes.writeUInt32LE(micros % 1e6, at + 4);
  bytes.writeUInt32LE(FRAME_SIZE, at + 8);
  bytes.writeUInt32LE(FRAME_SIZE, at + 12);
  const frame = at + 16;
  bytes.fill(0, frame, frame + FRAME_SIZE);
  bytes.writeUIntBE(0x020000000001, frame, 6);
  bytes.writeUIntBE(0x020000000002, frame + 6, 6);
  bytes.writeUInt16BE(0x0800, frame + 12);
  const ip = frame + 14;
  const isUdp = (flow & 1) === 1;
  bytes[ip] = 0x45;
  bytes.writeUInt16BE(46, ip + 2);
  bytes[ip + 8] = 64;
  bytes[ip + 9] = isUdp ? 17 : 6;
  bytes.writeUInt32BE((0x0a000000 | (flow >> 4)) >>> 0, ip + 12);
  bytes.writeUInt32BE((0xc0a80000 | (flow & 0xff)) >>> 0, ip + 16);
  bytes.writeUInt16BE(1024 + (flow % 50_000), ip + 20);
  bytes.writeUInt16BE(isUdp ? 53 : 443, ip + 22);
  if (isUdp) {
    bytes.writeUInt16BE(26, ip + 24);
  } else {
    bytes[ip + 32] = 0x50;
  }
}
