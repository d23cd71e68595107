// An elephant over steady mice: one large flow, in bursts or steady, and twenty small ones, into dummy ports at a known pace. A
// flow is its UDP source port.

import { setTimeout as delay } from 'node:timers/promises';
import { udpFrame } from './frames.ts';
import type { Ovs } from './ovs.ts';
import { Truth } from './sampling-error.ts';

/** When the elephant sends, and how much in 10 ms. */
export interface Pattern {
  readonly name: string;
  /** Milliseconds of a period, and of its part in which the elephant sends. */
  readonly periodMs: number;
  readonly burstMs: number;
  readonly framesPerStep: number;
}

export const PATTERNS = {
  steady: { name: 'steady', periodMs: 10, burstMs: 10, framesPerStep: 4 },
  rare: { name: '0.3 s in 3 s', periodMs: 3000, burstMs: 300, framesPerStep: 30 },
  short: { name: '10 ms in 100 ms', periodMs: 100, burstMs: 10, framesPerStep: 30 },
  long: { name: '1 s in 2 s', periodMs: 2000, burstMs: 1000, framesPerStep: 8 },
} as const satisfies Readonly<Record<string, Pattern>>;

/** More than any small rate, also on a busy machine. */
export const FLOOD: Pattern = { name: 'flood', periodMs: 10, burstMs: 10, framesPerStep: 100 };

/** Source port of the elephant, and the first of the mice. */
export const ELEPHANT = 1;
export const FIRST_MOUSE = 2;
const MICE = 20;
const MICE_PER_STEP = 2;
const STEP_MS = 10;
/** Octets of the largest frame. */
export const LENGTH_MAX = 1000;
const HEADERS = 14 + 20 + 8;

/** What has gone into each port. */
export interface SentTraffic {
  readonly elephant: Truth;
  readonly mice: Truth;
}

const elephantFrame = udpFrame({ sourcePort: ELEPHANT, dataBytes: LENGTH_MAX - HEADERS });
const mouseFrames = Array.from({ length: MICE }, (_, index) =>
  udpFrame({ sourcePort: FIRST_MOUSE + index, dataBytes: 18 + index * 10 }),
);

/**
 * Sends the same into each port, for as many milliseconds of the pattern's time, which passes more slowly on a busy machine: no
 * step is skipped. `isOver` ends it before.
 */
export async function sendTraffic(
  ovs: Ovs,
  ports: readonly string[],
  pattern: Pattern,
  durationMs: number,
  isOver: () => boolean = () => false,
): Promise<SentTraffic> {
  const sent = { elephant: new Truth(), mice: new Truth() };
  for (let step = 0; step * STEP_MS < durationMs && !isOver(); step += 1) {
    const nextMs = performance.now() + STEP_MS;
    const isBurst = (step * STEP_MS) % pattern.periodMs < pattern.burstMs;
    const mice = Array.from(
      { length: MICE_PER_STEP },
      (_, index) => mouseFrames[(step * MICE_PER_STEP + index) % MICE]!,
    );
    const count = isBurst ? pattern.framesPerStep : 0;
    const frames = [...mice, ...Array.from({ length: count }, () => elephantFrame)];
    for (const port of ports) {
      await ovs.stream(port, frames);
    }
    sent.elephant.add(count, elephantFrame.length);
    for (const frame of mice) {
      sent.mice.add(1, frame.length);
    }
    await delay(Math.max(1, nextMs - performance.now()));
  }
  return sent;
}
