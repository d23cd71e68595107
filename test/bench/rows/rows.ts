// Many rows: how long it takes, and what it costs the daemon, until it exports for 1,000 collector sets that are created in one
// transaction or were there before, and for 300 bridges. The event loop is observed from outside: a pause of it delays the answer
// to the question `ready`, which is asked all the time.

import { readFileSync } from 'node:fs';
import { systemClock } from '../../../src/runtime/clock.ts';
import { askUnixctl } from '../../../src/unixctl/client.ts';
import { type Daemon, startDaemon } from '../../support/daemon.ts';
import { createSets, OwnedRows } from '../../support/many-rows.ts';
import { type Ovs, startOvs } from '../../support/ovs.ts';
import { tier } from '../../support/tiers.ts';
import { UdpSink } from '../../support/udp-sink.ts';
import { type BenchPart, type Row, scaled, summary } from '../row.ts';

const ROUNDS = 3;
const SETS = scaled(1000);
const BRIDGES = scaled(300);
const TICKS = 100;
/** Milliseconds between two questions. */
const PAUSE_MS = 10;
/** Milliseconds after which a measurement fails. */
const READY_MS_MAX = 60_000;

interface Cost {
  readonly readyMs: number;
  readonly processorMs: number;
  /** The longest time until an answer. */
  readonly pauseMs: number;
}

type Sampler = 'packet-in' | 'datapath';

export const rowsPart: BenchPart = async (told) => {
  const rows: Row[] = [];
  const { skip } = tier('ovs', 'daemon');
  if (skip !== false) {
    process.stderr.write(`  SKIPPED: rows: ${skip}\n`);
    return rows;
  }
  const add = (what: string, costs: readonly Cost[], goals: readonly [string, string, string]): void => {
    const part = 'rows';
    const measures = [
      ['ready', 'ms', (cost: Cost) => cost.readyMs],
      ['processor time', 'ms', (cost: Cost) => cost.processorMs],
      ['longest pause', 'ms', (cost: Cost) => cost.pauseMs],
    ] as const;
    for (const [index, [name, unit, pick]] of measures.entries()) {
      const row = {
        part,
        what: `${what}: ${name}`,
        unit,
        ...summary(costs.map(pick)),
        goal: goals[index] ?? '',
      };
      rows.push(row);
      told(row);
    }
  };
  for (const sampler of ['packet-in', 'datapath'] as const) {
    const created: Cost[] = [];
    const found: Cost[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const costs = await measureSets(sampler);
      created.push(costs.created);
      found.push(costs.found);
    }
    add(`${SETS} sets, ${sampler}, created`, created, ['< 2000', '< 500', '< 50']);
    add(`${SETS} sets, ${sampler}, from the start`, found, ['', '', '< 50']);
  }
  const bridges: Cost[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    bridges.push(await measureBridges());
  }
  add(`${BRIDGES} bridges, from the start`, bridges, ['< 4000', '', '< 50']);
  return rows;
};

/** Creates sets beside a running daemon; then starts a daemon beside them. */
async function measureSets(sampler: Sampler): Promise<{ created: Cost; found: Cost }> {
  return withOvs(async (ovs, sink, owned) => {
    await ovs.addBridge('br0');
    await ovs.vsctl('set', 'Bridge', 'br0', `external_ids:ovs-ipfix-sampler=${sampler}`);
    const daemon = await startDaemon(ovs);
    const created = await measure(daemon, owned, SETS, () => createSets(ovs, 'br0', SETS, sink.target));
    await daemon.stop();
    const later = await startDaemon(ovs, { waitForReady: false });
    const found = await measure(later, owned, SETS);
    await later.stop();
    return { created, found };
  });
}

/** Starts a daemon beside bridges with a row each. */
async function measureBridges(): Promise<Cost> {
  return withOvs(async (ovs, sink, owned) => {
    const bridges = Array.from({ length: BRIDGES }, (_, index) => `br${index}`);
    const add = (bridge: string) => [
      '--',
      'add-br',
      bridge,
      '--',
      'set',
      'Bridge',
      bridge,
      'datapath_type=dummy',
    ];
    await ovs.vsctl('--timeout=60', ...bridges.flatMap(add));
    const row = (bridge: string) =>
      `-- set Bridge ${bridge} ipfix=@${bridge} -- --id=@${bridge} create IPFIX targets="${sink.target}"`.split(
        ' ',
      );
    await ovs.vsctl('--timeout=60', ...bridges.flatMap(row));
    const daemon = await startDaemon(ovs, { waitForReady: false });
    const cost = await measure(daemon, owned, BRIDGES);
    await daemon.kill();
    return cost;
  });
}

async function withOvs<Result>(
  work: (ovs: Ovs, sink: UdpSink, owned: OwnedRows) => Promise<Result>,
): Promise<Result> {
  const ovs = await startOvs({ allowedWarnings: [/./u] });
  const sink = await UdpSink.open();
  const owned = await OwnedRows.follow(ovs);
  try {
    return await work(ovs, sink, owned);
  } finally {
    owned.close();
    await sink.close();
    await ovs.abandon();
  }
}

/** Measures from a change, or from the start of the daemon, until it is ready and has the rows. */
async function measure(
  daemon: Daemon,
  owned: OwnedRows,
  rowCount: number,
  change?: () => Promise<void>,
): Promise<Cost> {
  const processorBefore = change === undefined ? 0 : processorMs(daemon.pid);
  const begin = performance.now();
  const changing = change?.();
  let pauseMs = 0;
  for (;;) {
    const asked = performance.now();
    const isReady = await askReady(daemon);
    const nowMs = performance.now();
    if (isReady !== undefined) {
      pauseMs = Math.max(pauseMs, nowMs - asked);
    }
    if (isReady === true && owned.count >= rowCount) {
      await changing;
      return { readyMs: nowMs - begin, processorMs: processorMs(daemon.pid) - processorBefore, pauseMs };
    }
    if (nowMs - begin > READY_MS_MAX) {
      throw new Error(
        `Not ready after ${READY_MS_MAX} ms with ${owned.count} of ${rowCount} rows:\n${daemon.log}`,
      );
    }
    await new Promise<void>((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Asks whether the daemon is ready; undefined if it has no socket yet. */
async function askReady(daemon: Daemon): Promise<boolean | undefined> {
  try {
    await askUnixctl(daemon.controlPath, 'ready', [], { clock: systemClock, timeoutMs: READY_MS_MAX });
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'UNIXCTL_REFUSED' ? false : undefined;
  }
}

/** Returns the processor time of a process. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}
