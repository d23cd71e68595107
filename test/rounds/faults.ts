// The faults of rounds: each does something to a stage, and undoes it if nothing else would. A fault ends when the recovery can begin;
// the round waits for it.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../support/wait.ts';
import type { Random } from './random.ts';
import { BRIDGE, HAS_SMALL_DISK, type Stage } from './stage.ts';
import { PACKET_RATE } from './traffic.ts';

export interface Fault {
  readonly name: string;
  /** Two faults of one part are not in one round: what the first has done would not be seen. */
  readonly part: 'daemon' | 'switch' | 'database' | 'collector' | 'flows' | 'row' | 'clock' | 'log';
  /** Parts whose faults would hide what this one explains. */
  readonly excludes?: readonly Fault['part'][];
  readonly needsStandby?: true;
  readonly apply: (stage: Stage, random: Random) => Promise<void>;
}

/** Milliseconds of a freeze or of an absence: within a lease of the active daemon, or beyond. */
const FREEZES_MS = [400, 800, 2000] as const;
/** The last sign of life of a daemon, with which the gap of the next one begins, is at most that old. */
const SIGN_INTERVAL_MS = 300;
/** The line of a standby that takes over. */
const STANDBY_STARTS = /bridge br0: sampling started/u;
/** A dummy port queues 100 frames while ovs-vswitchd, without its database, does not read them. */
const RATE_WITHOUT_DATABASE = 25;
const DATABASE_RETURN_MS = 1500;

const program = (name: string, part: Fault['part'], apply: Fault['apply']): Fault => ({ name, part, apply });

const DAEMON: readonly Fault[] = [
  {
    name: 'daemon stopped',
    part: 'daemon',
    // ovs-vswitchd exports meanwhile, and sends its template once.
    excludes: ['collector'],
    apply: async (stage) => {
      await stage.endDaemon(stage.active, 'SIGTERM');
      await stage.startDaemon();
    },
  },
  {
    name: 'daemon killed',
    part: 'daemon',
    excludes: ['collector'],
    apply: async (stage) => {
      const fromMs = performance.now();
      await stage.endDaemon(stage.active, 'SIGKILL');
      const life = await stage.startDaemon();
      await life.logged(/is running/u);
      stage.daemonOutages.push({ fromMs, toMs: life.aliveMs });
    },
  },
  program('daemon frozen', 'daemon', async (stage, random) => {
    const { daemon } = stage.active;
    const fromMs = performance.now();
    daemon.signal('SIGSTOP');
    await delay(random.oneOf(FREEZES_MS));
    // What the other fault removes meanwhile is reinstalled afterwards, at the earliest.
    stage.uncounted.push({ fromMs, toMs: performance.now() });
    daemon.signal('SIGCONT');
  }),
];

const SWITCH: readonly Fault[] = [
  ...(['SIGTERM', 'SIGKILL'] as const).map((signal) =>
    program(`ovs-vswitchd restarted (${signal})`, 'switch', async (stage) => {
      const fromMs = performance.now();
      await stage.ovs.killVswitchd(signal);
      stage.noteSwitchOutage(fromMs);
      await stage.ovs.startVswitchd();
    }),
  ),
  program('ovs-vswitchd frozen', 'switch', async (stage) => {
    const fromMs = performance.now();
    process.kill(stage.ovs.vswitchdPid, 'SIGSTOP');
    await delay(FREEZES_MS[1]);
    stage.noteSwitchOutage(fromMs);
    process.kill(stage.ovs.vswitchdPid, 'SIGCONT');
  }),
];

/** Runs something that takes the database away, with few packets until ovs-vswitchd has it again, and serves OpenFlow again. */
async function withoutDatabase(stage: Stage, act: () => Promise<void>): Promise<void> {
  const fromMs = performance.now();
  stage.traffic.setRate(RATE_WITHOUT_DATABASE);
  await act();
  await delay(DATABASE_RETURN_MS);
  const toMs = performance.now();
  stage.uncounted.push({ fromMs, toMs });
  stage.traffic.delayed(fromMs, toMs);
  stage.traffic.setRate(PACKET_RATE);
}

const DATABASE: readonly Fault[] = [
  ...(['SIGTERM', 'SIGKILL'] as const).map((signal) =>
    program(`ovsdb-server restarted (${signal})`, 'database', (stage) =>
      withoutDatabase(stage, () => stage.ovs.restartOvsdbServer(signal)),
    ),
  ),
  program('ovsdb-server frozen', 'database', (stage) =>
    withoutDatabase(stage, async () => {
      process.kill(stage.ovs.ovsdbServerPid, 'SIGSTOP');
      await delay(FREEZES_MS[1]);
      process.kill(stage.ovs.ovsdbServerPid, 'SIGCONT');
    }),
  ),
];

/** As root. Nothing is written meanwhile, by `ovs-vsctl` or a daemon that starts. */
const DISK: readonly Fault[] = [
  {
    name: 'disk of the database full',
    part: 'database',
    excludes: ['daemon', 'switch', 'row'],
    apply: async ({ ovs }, random) => {
      await ovs.fillDatabase();
      await delay(random.oneOf(FREEZES_MS));
      await ovs.freeDatabase();
    },
  },
];

/** Repeats a command of an OpenFlow client until ovs-vswitchd serves it: the other fault may have ended that. */
async function whenServed(command: () => Promise<unknown>): Promise<void> {
  const isServed = () =>
    command().then(
      () => true,
      () => false,
    );
  await waitFor(isServed, { what: 'ovs-vswitchd serves OpenFlow again', timeoutMs: 10_000 });
}

const FLOWS: readonly Fault[] = [
  program('del-flows', 'flows', ({ ovs }) =>
    whenServed(async () => {
      await ovs.ofctl('del-flows', BRIDGE);
      await ovs.ofctl('add-flow', BRIDGE, 'priority=0,actions=NORMAL');
    }),
  ),
  program('replace-flows', 'flows', async ({ ovs }) => {
    const file = join(ovs.rundir, 'flows');
    await writeFile(file, 'priority=0,actions=NORMAL\n');
    await whenServed(() => ovs.ofctl('replace-flows', BRIDGE, file));
  }),
  program('mod-flows', 'flows', ({ ovs }) =>
    whenServed(() => ovs.ofctl('mod-flows', BRIDGE, 'actions=NORMAL')),
  ),
  program('del-meters', 'flows', ({ ovs }) => whenServed(() => ovs.deleteMeters(BRIDGE))),
];

const ROWS: readonly Fault[] = [
  program('row edited: observation point', 'row', async ({ ovs }) => {
    const row = (await ovs.vsctl('get', 'Bridge', BRIDGE, 'ipfix')).trim();
    await ovs.vsctl('set', 'IPFIX', row, 'obs_point_id=77');
  }),
  program('bridge edited: rate of the meter', 'row', async ({ ovs }) => {
    await ovs.vsctl('set', 'Bridge', BRIDGE, 'external_ids:ovs-ipfix-max-rate=4000');
  }),
  {
    name: 'bridge deleted and added',
    part: 'row',
    excludes: ['database', 'collector', 'flows', 'switch'],
    apply: async (stage) => {
      const fromMs = performance.now();
      await stage.ovs.vsctl('del-br', BRIDGE);
      // Until the next start, the own rows of a killed daemon keep the row of the bridge (docs/operation.md, own rows).
      await waitFor(async () => (await stage.ovs.vsctl('find', 'Bridge', `name=${BRIDGE}`)).trim() === '', {
        what: 'the row of the bridge is gone',
        timeoutMs: 10_000,
      });
      stage.noteSwitchOutage(fromMs);
      stage.noteDeletion(fromMs);
      await stage.addBridge();
    },
  },
];

const OTHERS: readonly Fault[] = [
  program('collector stopped', 'collector', async ({ collector }, random) => {
    await collector.stop();
    await delay(random.oneOf(FREEZES_MS));
    await collector.restart();
  }),
  {
    name: 'clock stepped',
    part: 'clock',
    excludes: ['daemon'],
    apply: async (stage) => {
      stage.active.daemon.signal('SIGUSR2');
      await delay(FREEZES_MS[1]);
      stage.active.daemon.signal('SIGUSR2');
    },
  },
  { name: 'disk full', part: 'log', excludes: ['daemon'], apply: (stage) => stage.fillDisk() },
];

/** Ends or freezes the active one of two daemons. */
function failover(name: string, end: (stage: Stage) => Promise<void>): Fault {
  return {
    name: `failover: ${name}`,
    part: 'daemon',
    excludes: ['collector', 'log', 'clock'],
    needsStandby: true,
    apply: end,
  };
}

const FAILOVER: readonly Fault[] = [
  failover('active daemon stopped', (stage) => stage.endDaemon(stage.active, 'SIGTERM')),
  failover('active daemon killed', async (stage) => {
    const { active } = stage;
    await active.ask();
    const toMs = performance.now();
    stage.uncounted.push({ fromMs: toMs - SIGN_INTERVAL_MS, toMs });
    await stage.endDaemon(active, 'SIGKILL');
  }),
  failover('active daemon frozen', async (stage) => {
    const { active } = stage;
    const standby = stage.lives.find((life) => life !== active);
    const fromMs = performance.now();
    active.daemon.signal('SIGSTOP');
    await standby?.logged(STANDBY_STARTS);
    const toMs = standby?.loggedMs(STANDBY_STARTS) ?? fromMs;
    stage.uncounted.push({ fromMs: fromMs - SIGN_INTERVAL_MS, toMs });
    await stage.ready();
    active.daemon.signal('SIGCONT');
  }),
];

export const FAULTS: readonly Fault[] = [
  ...DAEMON,
  ...SWITCH,
  ...DATABASE,
  ...(HAS_SMALL_DISK ? DISK : []),
  ...FLOWS,
  ...ROWS,
  ...OTHERS,
  ...FAILOVER,
];
