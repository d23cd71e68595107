// The effect on forwarding: packets through a bridge in user space between two network namespaces, with nothing enabled, with
// the hook by either sampler, with that of an earlier version, and with ovs-vswitchd's own exporter. And the cost for an
// operator: the time until the daemon is ready, and the resources of an idle daemon.

import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { type Daemon, type DaemonOptions, startDaemon } from '../../support/daemon.ts';
import {
  addCollectorSet,
  createCollectorSet,
  createIpfixRow,
  daemonStatus,
  waitForBridge,
  waitForHook,
} from '../../support/ipfix-rows.ts';
import { NamespaceHost } from '../../support/namespace-host.ts';
import { type Ovs, startOvs } from '../../support/ovs.ts';
import { tier } from '../../support/tiers.ts';
import { UdpSink } from '../../support/udp-sink.ts';
import { waitFor } from '../../support/wait.ts';
import { type BenchPart, type EarlierVersion, type Row, SCALE, summary } from '../row.ts';

const BRIDGE = 'br0';
const ROUNDS = 3;
const SECONDS = Math.max(1, Math.round(4 * SCALE));
/** Seconds of traffic before the measurement, in which a daemon compiles its code and the switch learns its flows. */
const WARM_UP_SECONDS = Math.max(1, Math.round(4 * SCALE));
/** Milliseconds after the start of a daemon, and as many in which it is measured, without traffic. */
const IDLE_MS = Math.max(2000, 10_000 * SCALE);
const TICKS = 100;
/** Flows with `sample` actions that are rewritten, and that are only read because their rows are redirected. */
const REWRITTEN_FLOWS = 10_000;
const FOLLOWED_FLOWS = 50_000;
/** `ovs-ipfix-max-rate` without effect. */
const RATE_UNLIMITED = 1_000_000;
/** Seconds in which P rises from 1 in 100 to 1 in 1: two changes. */
const RISE_SECONDS = 12;
/** Milliseconds in which the daemon is ready, also on a busy machine. */
const READY_MS_MAX = 20_000;

interface Load {
  readonly packetsPerSecond: number;
  /** Processor time of ovs-vswitchd. */
  readonly microsPerPacket: number;
  /** That of ovs-vswitchd and the daemon. */
  readonly bothMicrosPerPacket: number;
  /** Processor time of the daemon for each sample, if there were any. */
  readonly microsPerSample: number;
}

interface Setting {
  readonly name: string;
  readonly goal?: string;
  /** Enables it. */
  set(place: Place): Promise<Enabled>;
}

/** A setting that is in force. */
interface Enabled {
  readonly daemon?: Daemon;
  disable(): Promise<void>;
}

interface EnabledDaemon extends Enabled {
  readonly daemon: Daemon;
}

interface Place {
  readonly ovs: Ovs;
  readonly sink: UdpSink;
  readonly hosts: readonly [NamespaceHost, NamespaceHost];
}

const NOTHING: Setting = { name: 'nothing enabled', set: async () => ({ disable: async () => {} }) };
const DATAPATH: Setting = {
  name: 'datapath sampler, 1 in 400',
  set: (place) => withDatapathSampler(place, 400),
};
const BUILT_IN: Setting = {
  name: 'built-in, 1 in 400',
  set: ({ ovs, sink }) => builtIn(ovs, sink, { sampling: 400 }),
};

const SETTINGS: readonly Setting[] = [
  {
    name: 'hook at the default cap',
    goal: '>= 0.97',
    set: (place) => withPacketIns(place, 400),
  },
  { name: 'hook at the default cap, 1 in 1', set: (place) => withPacketIns(place, 1) },
  DATAPATH,
  BUILT_IN,
  {
    name: 'built-in, 1 in 1, cached',
    set: ({ ovs, sink }) => builtIn(ovs, sink, { sampling: 1, ...CACHED }),
  },
];
const CACHED = { cache_active_timeout: 60, cache_max_flows: 100_000 };

export const ovsPart: BenchPart = async (told, against) => {
  const rows: Row[] = [];
  const add = (row: Row): void => {
    rows.push(row);
    told(row);
  };
  const { skip } = tier('ovs', 'daemon', 'namespaces', 'iperf3');
  if (skip !== false) {
    process.stderr.write(`  SKIPPED: forwarding: ${skip}\n`);
  } else {
    await forwarding(add, against);
    await samples(add);
  }
  await operator(add);
  return rows;
};

async function forwarding(add: (row: Row) => void, against: EarlierVersion | undefined): Promise<void> {
  const earlier: Setting | undefined = against && {
    name: `hook of ${against.name}, 1 in 400`,
    set: ({ ovs, sink }) => withDaemon(ovs, sink, { sampling: 400 }, { program: against.program }),
  };
  const settings = [NOTHING, ...SETTINGS, ...(earlier === undefined ? [] : [earlier])];
  const loads = new Map(settings.map((setting) => [setting, [] as Load[]]));
  await inPlace(async (place) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const setting of settings) {
        const load = await measure(place, setting);
        loads.get(setting)?.push(load);
        const rate = Math.round(load.packetsPerSecond);
        process.stderr.write(`  round ${round + 1}, ${setting.name}: ${rate} packets/s\n`);
      }
    }
  });
  const part = 'ovs';
  const of = (setting: Setting) => loads.get(setting) ?? [];
  const packets = of(NOTHING).map(({ packetsPerSecond }) => packetsPerSecond);
  add({ part, what: 'forwarded, nothing enabled', unit: 'packets/s', ...summary(packets) });
  const ratio = (what: string, of1: Setting, to: Setting, pick: (load: Load) => number, goal?: string) => {
    const values = of(of1).map((load, round) => pick(load) / pick(of(to)[round] ?? load));
    add({ part, what, unit: 'ratio', ...summary(values), ...(goal === undefined ? {} : { goal }) });
  };
  for (const setting of settings.slice(1)) {
    const { name, goal } = setting;
    ratio(`forwarded, ${name}`, setting, NOTHING, (load) => load.packetsPerSecond, goal);
    ratio(`vswitchd CPU/packet, ${name}`, setting, NOTHING, (load) => load.microsPerPacket);
  }
  const both = (load: Load) => load.bothMicrosPerPacket;
  const what = 'vswitchd and daemon CPU/packet, datapath sampler';
  ratio(`${what} to built-in`, DATAPATH, BUILT_IN, both, '<= 1.1');
  if (earlier !== undefined) {
    ratio(`${what} to ${earlier.name}`, DATAPATH, earlier, both);
  }
}

/** Measures the daemon's time for a sample of the datapath, at 1 in 1 without a limit. */
async function samples(add: (row: Row) => void): Promise<void> {
  await inPlace(async (place) => {
    const { ovs } = place;
    await ovs.vsctl('set', 'Bridge', BRIDGE, `external_ids:ovs-ipfix-max-rate=${RATE_UNLIMITED}`);
    const enabled = await withDatapathSampler(place, 1);
    const setting: Setting = { name: '', set: async () => ({ ...enabled, disable: async () => {} }) };
    // P rises to 1 in 1 while packets are measured.
    await send(place, RISE_SECONDS);
    const loads: Load[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      loads.push(await measure(place, setting));
    }
    await enabled.disable();
    const micros = loads.map(({ microsPerSample }) => microsPerSample);
    add({ part: 'ovs', what: 'daemon CPU/sample, datapath sampler, 1 in 1', unit: 'us', ...summary(micros) });
  });
}

/** Opens a place, and closes it after `work`. */
async function inPlace(work: (place: Place) => Promise<void>): Promise<void> {
  const place = await openPlace();
  try {
    await work(place);
  } finally {
    for (const host of place.hosts) {
      await host.stop();
    }
    await place.sink.close();
    await place.ovs.abandon();
  }
}

async function openPlace(): Promise<Place> {
  const ovs = await startOvs({ mode: 'netdev', allowedWarnings: [/./u] });
  const sink = await UdpSink.open();
  await ovs.addBridge(BRIDGE);
  const host = (number: number) =>
    NamespaceHost.create(ovs, BRIDGE, {
      port: `port${number}`,
      mac: `02:00:00:00:09:0${number}`,
      ipv4: `10.9.0.${number}/24`,
      ipv6: `fd09::${number}/64`,
    });
  const hosts = [await host(1), await host(2)] as const;
  for (const one of hosts) {
    await one.bringUp();
  }
  return { ovs, sink, hosts };
}

async function measure(place: Place, setting: Setting): Promise<Load> {
  const { ovs } = place;
  const enabled = await setting.set(place);
  const { daemon } = enabled;
  const counters = async () => ({
    packets: await delivered(ovs),
    samples: daemon === undefined ? 0 : await receivedSamples(daemon),
    switchMicros: cpuMicros(ovs.vswitchdPid),
    daemonMicros: daemon === undefined ? 0 : cpuMicros(daemon.pid),
  });
  await send(place, WARM_UP_SECONDS);
  const before = await counters();
  const begin = performance.now();
  await send(place, SECONDS);
  const seconds = (performance.now() - begin) / 1000;
  const after = await counters();
  await enabled.disable();
  const packets = after.packets - before.packets;
  const micros = after.switchMicros - before.switchMicros;
  const daemonMicros = after.daemonMicros - before.daemonMicros;
  return {
    packetsPerSecond: packets / seconds,
    microsPerPacket: micros / packets,
    bothMicrosPerPacket: (micros + daemonMicros) / packets,
    microsPerSample: daemonMicros / (after.samples - before.samples),
  };
}

/** Sends small datagrams as fast as iperf3 does. */
async function send({ hosts }: Place, seconds: number): Promise<void> {
  const server = await hosts[1].start('iperf3', '-s', '-1', '--forceflush');
  await waitFor(() => /listening/u.test(server.stdout), { what: 'iperf3 listens' });
  await hosts[0].run('iperf3', '-c', '10.9.0.2', '-u', '-b', '0', '-l', '18', '-t', String(seconds));
  await server.stop();
}

/** Returns the samples of the datapath that the daemon has received. */
async function receivedSamples(daemon: Daemon): Promise<number> {
  return (await daemonStatus(daemon)).bridges[0]?.sampling?.datapath?.received ?? 0;
}

/** Returns the packets that the switch has sent to the second host. */
async function delivered(ovs: Ovs): Promise<number> {
  const text = await ovs.ofctl('dump-ports', BRIDGE, 'port2');
  return Number(/tx pkts=(\d+)/u.exec(text)?.[1]);
}

function cpuMicros(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS;
}

async function withDaemon(
  ovs: Ovs,
  sink: UdpSink,
  columns: Record<string, number>,
  options: DaemonOptions = {},
): Promise<EnabledDaemon> {
  await createIpfixRow(ovs, BRIDGE, [sink.target], { ...CACHED, ...columns });
  const daemon = await startDaemon(ovs, { readyTimeoutMs: READY_MS_MAX, ...options });
  if (options.program === undefined) {
    // The status of an earlier version has other words.
    await waitForHook(daemon, BRIDGE, READY_MS_MAX);
  }
  return {
    daemon,
    disable: async () => {
      await daemon.stop();
      await ovs.vsctl('clear', 'Bridge', BRIDGE, 'ipfix');
    },
  };
}

/** The daemon is where the samples arrive, and its collector is not, which concerns no sample. */
async function withDatapathSampler({ ovs, sink }: Place, sampling: number): Promise<EnabledDaemon> {
  await setSampler(ovs, 'datapath');
  const enabled = await withDaemon(ovs, sink, { sampling }, { inSwitchNamespace: true });
  await waitForBridge(
    enabled.daemon,
    BRIDGE,
    'the datapath samples',
    ({ samplerChoice }) => samplerChoice?.sampler === 'datapath',
    READY_MS_MAX,
  );
  return enabled;
}

/** Nothing but packet-ins samples, whatever the meter drops. */
async function withPacketIns({ ovs, sink }: Place, sampling: number): Promise<EnabledDaemon> {
  await setSampler(ovs, 'packet-in');
  return withDaemon(ovs, sink, { sampling });
}

async function setSampler(ovs: Ovs, sampler: 'packet-in' | 'datapath'): Promise<void> {
  await ovs.vsctl('set', 'Bridge', BRIDGE, `external_ids:ovs-ipfix-sampler=${sampler}`);
}

async function builtIn(ovs: Ovs, sink: UdpSink, columns: Record<string, number>): Promise<Enabled> {
  await createIpfixRow(ovs, BRIDGE, [sink.target], columns);
  return {
    disable: async () => {
      await ovs.vsctl('clear', 'Bridge', BRIDGE, 'ipfix');
    },
  };
}

/** Measures the start with many flows with sample actions, the effect of a row, and an idle daemon. */
async function operator(add: (row: Row) => void): Promise<void> {
  const ovs = await startOvs({ allowedWarnings: [/./u] });
  const sink = await UdpSink.open();
  try {
    await ovs.addBridge(BRIDGE);
    const row = await createIpfixRow(ovs, BRIDGE, [sink.target], CACHED);
    const idle = await startDaemon(ovs);
    await waitForHook(idle, BRIDGE);
    add({ part: 'ovs', what: 'idle daemon', unit: '% of a core', ...(await idleShare(idle)), goal: '< 0.5' });
    add({ part: 'ovs', what: 'idle daemon', value: residentMegabytes(idle.pid), unit: 'MB', goal: '< 80' });
    await idle.stop();
    await addCollectorSet(ovs, BRIDGE, 1, row);
    await addSampleFlows(ovs, REWRITTEN_FLOWS);
    await setSampler(ovs, 'packet-in');
    await besideFlows(ovs, add, { what: `${REWRITTEN_FLOWS} flows, rewritten`, readyGoal: '< 3000' });
    // The row of a set alone is redirected, so its flows are only read.
    await ovs.vsctl(
      '--all',
      'destroy',
      'Flow_Sample_Collector_Set',
      '--',
      'clear',
      'Bridge',
      BRIDGE,
      'ipfix',
    );
    await createCollectorSet(ovs, BRIDGE, 1, sink.target);
    await addSampleFlows(ovs, FOLLOWED_FLOWS);
    await setSampler(ovs, 'datapath');
    const what = `${FOLLOWED_FLOWS} flows, left alone`;
    await besideFlows(ovs, add, { what, readyGoal: '< 1000', stopGoal: '< 1000' });
  } finally {
    await sink.close();
    await ovs.abandon();
  }
}

/** Measures start and stop, those of the program included, beside flows with `sample` actions. */
async function besideFlows(
  ovs: Ovs,
  add: (row: Row) => void,
  { what, readyGoal, stopGoal }: { what: string; readyGoal: string; stopGoal?: string },
): Promise<void> {
  const readyMs: number[] = [];
  const stopMs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const begin = performance.now();
    const daemon = await startDaemon(ovs, { readyTimeoutMs: READY_MS_MAX });
    const ready = performance.now();
    await daemon.stop();
    readyMs.push(ready - begin);
    stopMs.push(performance.now() - ready);
  }
  const row = { part: 'ovs', unit: 'ms' } as const;
  add({ ...row, what: `ready beside ${what}`, ...summary(readyMs), goal: readyGoal });
  add({
    ...row,
    what: `stopped beside ${what}`,
    ...summary(stopMs),
    ...(stopGoal === undefined ? {} : { goal: stopGoal }),
  });
}

/** Adds flows with `sample` actions, or replaces those that there are. */
async function addSampleFlows(ovs: Ovs, count: number): Promise<void> {
  const flow = `priority=$i,udp,tp_dst=$((i % 60000)),actions=sample(probability=655,collector_set_id=1),NORMAL`;
  const lines = `i=1; while [ $i -le ${count} ]; do echo "${flow}"; i=$((i + 1)); done`;
  await ovs.run('sh', '-c', `${lines} | ovs-ofctl add-flows ${BRIDGE} -`);
}

async function idleShare(daemon: Daemon): Promise<{ value: number }> {
  await setTimeout(IDLE_MS);
  const before = cpuMicros(daemon.pid);
  const begin = performance.now();
  await setTimeout(IDLE_MS);
  return { value: (cpuMicros(daemon.pid) - before) / (performance.now() - begin) / 10 };
}

function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/u.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
