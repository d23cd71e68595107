// The exporters of the fleet: each a process of ours with an address and an observation domain of its own, which sends a burst of
// records. All send the same flows, which differ by their source port.

import assert from 'node:assert/strict';
import { pcapFile } from '../support/captures.ts';
import { udpFrame } from '../support/frames.ts';
import { runProgram } from '../support/process.ts';
import { DAEMON_FILE } from '../support/tiers.ts';

/** What is sent. */
export interface FleetSize {
  readonly exporters: number;
  /** Of each exporter. */
  readonly records: number;
  /** Exporters that send at the same time. */
  readonly jobs: number;
}

/** The source port of an exporter's first flow; that of each other one is greater by 1. */
export const FIRST_PORT = 1000;
/** What each flow is: one packet of IPv4. */
export const FLOW = {
  source: '10.0.0.1',
  destination: '10.0.0.2',
  destinationPort: 2000,
  protocol: 17,
  octets: 46,
};
/** When the packets of the capture were received, in microseconds since 1970. */
const BEGIN = 1_700_000_000_000_000;

/** Returns the address of an exporter, from 1: all of 127.0.0.0/8 are addresses of loopback. */
export function addressOf(exporter: number): string {
  return `127.1.${exporter >> 8}.${exporter & 255}`;
}

/** Returns the numbers of all exporters, which are their observation domains. */
export function exportersOf({ exporters }: FleetSize): readonly number[] {
  return Array.from({ length: exporters }, (_, index) => 1 + index);
}

/** Returns a capture with a packet of each flow of an exporter. */
export function captureOf({ records }: FleetSize): Buffer {
  const { source, destination, destinationPort } = FLOW;
  const frames = Array.from({ length: records }, (_, index) =>
    udpFrame({ source, destination, sourcePort: FIRST_PORT + index, destinationPort }),
  );
  return pcapFile(frames.map((frame) => ({ micros: BEGIN, frame })));
}

/** Runs all exporters with a capture, some at a time; returns the seconds that it took. Each must send all its records. */
export async function runFleet(
  size: FleetSize,
  capture: string,
  targets: readonly string[],
  more: readonly string[] = [],
): Promise<number> {
  const waiting = [...exportersOf(size)];
  const begin = performance.now();
  const work = async () => {
    for (let exporter = waiting.shift(); exporter !== undefined; exporter = waiting.shift()) {
      await runExporter(size, capture, exporter, targets, more);
    }
  };
  await Promise.all(Array.from({ length: size.jobs }, work));
  return (performance.now() - begin) / 1000;
}

async function runExporter(
  { records }: FleetSize,
  capture: string,
  exporter: number,
  targets: readonly string[],
  more: readonly string[],
): Promise<void> {
  const to = targets.flatMap((target) => ['--to', target]);
  const identity = ['--source-address', addressOf(exporter), '--observation-domain-id', String(exporter)];
  const args = [DAEMON_FILE, 'replay', capture, '--format', 'json', ...to, ...identity, ...more];
  const summary = JSON.parse(await runProgram(process.execPath, args, { timeoutMs: 60_000 })) as {
    readonly collectors: readonly { readonly recordsSent: number; readonly recordsLost: number }[];
  };
  for (const { recordsSent, recordsLost } of summary.collectors) {
    assert.deepEqual([recordsSent, recordsLost], [records, 0], `exporter ${exporter}`);
  }
}
