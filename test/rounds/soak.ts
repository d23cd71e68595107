// A soak: one daemon under packets and churn for some minutes. After the first quarter, the heap after a garbage collection, open
// descriptors, active timers and the listeners of the process must be what they were, and no emitter may have too many listeners.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../support/wait.ts';
import type { DaemonLife } from './daemon-life.ts';
import { FAULTS } from './faults.ts';
import { Random } from './random.ts';
import { Stage } from './stage.ts';

/** Parts whose faults leave the daemon alive and are the churn. */
const CHURN: ReadonlySet<string> = new Set(['flows', 'row', 'switch', 'collector']);
/** Milliseconds after the recovery from a fault in which connections and timers come to rest. */
const REST_MS = 1500;
/** Growth of the heap's median that is not a leak. */
const HEAP_GROWTH_BYTES_MAX = 400_000;
const PROBE_MS_MAX = 5000;

/**
 * A module for the daemon's process: at SIGUSR2 it collects garbage and writes what it has to a file, as a line of JSON. Functions
 * are not compiled, because compiled code grows for long, and is most of what a heap snapshot has more of after a minute.
 */
const PROBE = `
import { appendFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
setFlagsFromString('--expose-gc');
setFlagsFromString('--no-opt');
setFlagsFromString('--no-sparkplug');
const gc = runInNewContext('gc');
let warnings = 0;
process.on('warning', ({ name }) => { warnings += name === 'MaxListenersExceededWarning' ? 1 : 0; });
process.on('SIGUSR2', () => {
  gc();
  gc();
  const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const heapBytes = process.memoryUsage().heapUsed;
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  appendFileSync(process.env.SOAK_FILE, JSON.stringify({ heapBytes, timers, listeners, warnings }) + '\\n');
});
`;

interface Probe {
  readonly heapBytes: number;
  readonly timers: number;
  /** Of the process's own events. */
  readonly listeners: number;
  /** Emitters with more listeners than Node.js expects. */
  readonly warnings: number;
  readonly descriptors: number;
}

/** Runs the soak; returns what has grown, as sentences. */
export async function soak(
  minutes: number,
  seed: number,
  say: (line: string) => void,
): Promise<readonly string[]> {
  const stage = await Stage.open({
    sampler: 'packet-in',
    hasStandby: false,
    logsToFile: false,
    daemonModule: `data:text/javascript,${encodeURIComponent(PROBE)}`,
  });
  try {
    return judge(await churn(stage, minutes, new Random(seed), say));
  } finally {
    await stage.close();
  }
}

async function churn(
  stage: Stage,
  minutes: number,
  random: Random,
  say: (line: string) => void,
): Promise<readonly Probe[]> {
  const faults = FAULTS.filter(({ part }) => CHURN.has(part));
  const probes: Probe[] = [];
  stage.traffic.start();
  for (const endMs = performance.now() + minutes * 60_000; performance.now() < endMs; ) {
    const fault = random.oneOf(faults);
    await fault.apply(stage, random);
    await stage.ready();
    await delay(REST_MS);
    const probe = await takeProbe(stage, stage.active, probes.length + 1);
    probes.push(probe);
    say(
      `${fault.name}: heap ${(probe.heapBytes / 1e6).toFixed(2)} MB, ${probe.descriptors} descriptors, ${probe.timers} timers, ${probe.listeners} listeners`,
    );
  }
  return probes;
}

async function takeProbe(stage: Stage, { daemon }: DaemonLife, count: number): Promise<Probe> {
  daemon.signal('SIGUSR2');
  const line = await waitFor(
    async () => (await readFile(join(stage.ovs.rundir, 'soak'), 'utf8')).split('\n')[count - 1] || undefined,
    { what: 'the daemon says what it has', timeoutMs: PROBE_MS_MAX },
  );
  const descriptors = (await readdir(`/proc/${daemon.pid}/fd`)).length;
  return { ...(JSON.parse(line) as Omit<Probe, 'descriptors'>), descriptors };
}

/** Compares the second quarter of the probes with the last one. */
function judge(probes: readonly Probe[]): readonly string[] {
  const quarter = Math.floor(probes.length / 4);
  const early = probes.slice(quarter, 2 * quarter);
  const late = probes.slice(-quarter);
  // A request for the status or a pause after a failure adds a descriptor or a timer for a moment.
  const least = (values: readonly number[]) => Math.min(...values);
  const grown = (what: string, read: (probe: Probe) => number, growthMax: number, of = least) => {
    const [before, after] = [of(early.map(read)), of(late.map(read))];
    return after - before > growthMax ? [`${what}: ${before} at the begin, ${after} at the end`] : [];
  };
  return [
    ...(quarter === 0 ? ['there are too few probes'] : []),
    ...grown('bytes of the heap', ({ heapBytes }) => heapBytes, HEAP_GROWTH_BYTES_MAX, median),
    ...grown('descriptors', ({ descriptors }) => descriptors, 0),
    ...grown('timers', ({ timers }) => timers, 0),
    ...grown('listeners of the process', ({ listeners }) => listeners, 0),
    ...grown('emitters with too many listeners', ({ warnings }) => warnings, 0),
    ...((probes.at(-1)?.warnings ?? 0) > 0 ? ['an emitter has too many listeners'] : []),
  ];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
