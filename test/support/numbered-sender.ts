// A program of the forwarding test: sends numbered UDP packets at a steady rate, `ADDRESS PORT PACKETS-A-SECOND`, until
// SIGTERM. On SIGUSR2 it prints how many it has sent, which is the number of the next one. A packet has 64 bytes and starts
// with its number.

import { createSocket } from 'node:dgram';

const PACKET_BYTES = 64;
/** Largest burst after a pause of this process, so that the switch's queues do not overflow. */
const BURST_MAX = 20;

const [address, port, rate] = process.argv.slice(2);
const perMs = Number(rate) / 1000;
const socket = createSocket('udp4');
let sent = 0;
let due = 0;
let lastMs = performance.now();

function tick(): void {
  const nowMs = performance.now();
  due = Math.min(due + (nowMs - lastMs) * perMs, BURST_MAX);
  lastMs = nowMs;
  for (; due >= 1; due -= 1) {
    const packet = Buffer.alloc(PACKET_BYTES);
    packet.writeUInt32BE(sent, 0);
    socket.send(packet);
    sent += 1;
  }
}

function report(): void {
  process.stdout.write(`${sent}\n`);
}

process.on('SIGUSR2', report);
process.on('SIGTERM', () => {
  clearInterval(timer);
  socket.close();
});
const timer = setInterval(tick, 1);
timer.unref();
// Connected: no name is resolved for a packet, and an ICMP error ends the program, as it should.
socket.connect(Number(port), address, () => {
  lastMs = performance.now();
  timer.ref();
  report();
});
