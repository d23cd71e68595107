// A program of the test of forwarding: sends numbered UDP packets at a steady rate, to `ADDRESS PORT PACKETS-A-SECOND`, until
// SIGTERM. SIGUSR2 makes it print how many it has sent, which is the number of the next one. A packet has 64 bytes and begins
// with its number.

import { createSocket } from 'node:dgram';

const PACKET_BYTES = 64;
/** What is sent at once at most after a pause of this process: more would be a burst that no switch has to bear. */
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
// Connected: no name is looked up for a packet, and an ICMP error would end the program, as it should.
socket.connect(Number(port), address, () => {
  lastMs = performance.now();
  timer.ref();
  report();
});
