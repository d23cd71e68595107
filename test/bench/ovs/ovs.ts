// The effect on forwarding: packets through a bridge in user space between two network namespaces, with nothing enabled, with
// our hook at its default cap, and with ovs-vswitchd's own exporter. And the cost for an operator: the time until the daemon
// is ready, and the resources of an idle daemon.

import { readFileSync } from 'node:fs';
import { type Daemon, startDaemon } from '../../support/daemon.ts';
import { createIpfixRow, waitForHook } from '../../support/ipfix-rows.ts';
import { NamespaceHost } from '../../support/namespace-host.ts';
import { type Ovs, startOvs } from '../../support/ovs.ts';
import { tier } from '../../support/tiers.ts';
import { UdpSink } from '../../support/udp-sink.ts';
import { waitFor } from '../../support/wait.ts';
import { type BenchPart, type Row, SCALE, summary } from '../row.ts';

const BRIDGE = 'br0';
const ROUNDS = 3;
const SECONDS = Math.max(1, Math.round(4 * SCALE));
const TICKS = 100;
const SAMPLE_FLOWS = 10_000;

interface Load {
  readonly packetsPerSecond: number;
  /** Processor time of ovs-vswitchd. */
  readonly microsPerPacket: number;
}

type Setting = {
  readonly name: string;
  readonly goal?: string;
  set(place: Place): Promise<() => Promise<void>>;
};

interface Place {
  readonly ovs: Ovs;
  readonly sink: UdpSink;
  readonly hosts: readonly [NamespaceHost, NamespaceHost];
}

const NOTHING: Setting = { name: 'nothing enabled', set: async () => async () => {} };

const SETTINGS: readonly Setting[] = [
  {
    name: 'hook at the default cap',
    goal: '>= 0.97',
    set: ({ ovs, sink }) => withDaemon(ovs, sink, { sampling: 400 }),
  },
  { name: 'hook at the default cap, 1 in 1', set: ({ ovs, sink }) => withDaemon(ovs, sink, { sampling: 1 }) },
  { name: 'built-in, 1 in 400', set: ({ ovs, sink }) => builtIn(ovs, sink, { sampling: 400 }) },
  {
    name: 'built-in, 1 in 1, cached',
    set: ({ ovs, sink }) => builtIn(ovs, sink, { sampling: 1, ...CACHED }),
  },
];
const CACHED = { cache_active_timeout: 60, cache_max_flows: 100_000 };

export const ovsPart: BenchPart = async (told) => {
  const rows: Row[] = [];
  const add = (row: Row): void => {
    rows.push(row);
    told(row);
  };
  const { skip } = tier('ovs', 'daemon', 'namespaces', 'iperf3');
  if (skip !== false) {
    process.stderr.write(`  SKIPPED: forwarding: ${skip}\n`);
  } else {
    await forwarding(add);
  }
  await operator(add);
  return rows;
};

async function forwarding(add: (row: Row) => void): Promise<void> {
  const place = await openPlace();
  try {
    const nothing: Load[] = [];
    const loads = SETTINGS.map((): Load[] => []);
    for (let round = 0; round < ROUNDS; round += 1) {
      nothing.push(await measure(place, NOTHING));
      for (const [index, setting] of SETTINGS.entries()) {
        loads[index]?.push(await measure(place, setting));
      }
    }
    const part = 'ovs';
    const packets = nothing.map(({ packetsPerSecond }) => packetsPerSecond);
    add({ part, what: 'forwarded, nothing enabled', unit: 'packets/s', ...summary(packets) });
    for (const [index, { name, goal }] of SETTINGS.entries()) {
      const ratio = (pick: (load: Load) => number) =>
        summary((loads[index] ?? []).map((load, round) => pick(load) / pick(nothing[round] ?? load)));
      const forwarded = ratio(({ packetsPerSecond }) => packetsPerSecond);
      add({
        part,
        what: `forwarded, ${name}`,
        unit: 'ratio',
        ...forwarded,
        ...(goal === undefined ? {} : { goal }),
      });
      add({
        part,
        what: `vswitchd CPU/packet, ${name}`,
        unit: 'ratio',
        ...ratio((load) => load.microsPerPacket),
      });
    }
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

/** Sends small datagrams as fast as iperf3 does, for some seconds. */
async function measure(place: Place, setting: Setting): Promise<Load> {
  const { ovs, hosts } = place;
  const end = await setting.set(place);
  const server = await hosts[1].start('iperf3', '-s', '-1', '--forceflush');
  await waitFor(() => /listening/u.test(server.stdout), { what: 'iperf3 listens' });
  const before = { packets: await delivered(ovs), micros: cpuMicros(ovs.vswitchdPid) };
  const begin = performance.now();
  await hosts[0].run('iperf3', '-c', '10.9.0.2', '-u', '-b', '0', '-l', '18', '-t', String(SECONDS));
  const seconds = (performance.now() - begin) / 1000;
  const packets = (await delivered(ovs)) - before.packets;
  const micros = cpuMicros(ovs.vswitchdPid) - before.micros;
  await server.stop();
  await end();
  return { packetsPerSecond: packets / seconds, microsPerPacket: micros / packets };
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
): Promise<() => Promise<void>> {
  await createIpfixRow(ovs, BRIDGE, [sink.target], { ...CACHED, ...columns });
  const daemon = await startDaemon(ovs);
  await waitForHook(daemon, BRIDGE);
  return async () => {
    await daemon.stop();
    await ovs.vsctl('clear', 'Bridge', BRIDGE, 'ipfix');
  };
}

async function builtIn(
  ovs: Ovs,
  sink: UdpSink,
  columns: Record<string, number>,
): Promise<() => Promise<void>> {
  await createIpfixRow(ovs, BRIDGE, [sink.target], columns);
  return async () => {
    await ovs.vsctl('clear', 'Bridge', BRIDGE, 'ipfix');
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
    const set = ['--', '--id=@br', 'get', 'Bridge', BRIDGE];
    await ovs.vsctl(
      ...set,
      '--',
      'create',
      'Flow_Sample_Collector_Set',
      'bridge=@br',
      'id=1',
      `ipfix=${row}`,
    );
    await ovs.run('sh', '-c', flowsCommand());
    const readyMs: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const begin = performance.now();
      const daemon = await startDaemon(ovs, { readyTimeoutMs: 30_000 });
      readyMs.push(performance.now() - begin);
      await daemon.stop();
    }
    const what = `ready beside ${SAMPLE_FLOWS} flows with sample actions`;
    add({
      part: 'ovs',
      what,
      unit: 'ms',
      ...summary(readyMs),
      goal: '< 3000',
      note: 'start of the program included',
    });
  } finally {
    await sink.close();
    await ovs.abandon();
  }
}

function flowsCommand(): string {
  const flow = `priority=$i,udp,tp_dst=$((i % 60000)),actions=sample(probability=655,collector_set_id=1),NORMAL`;
  return `i=1; while [ $i -le ${SAMPLE_FLOWS} ]; do echo "${flow}"; i=$((i + 1)); done | ovs-ofctl add-flows ${BRIDGE} -`;
}

async function idleShare(daemon: Daemon): Promise<{ value: number }> {
  const before = cpuMicros(daemon.pid);
  const begin = performance.now();
  const ms = Math.max(2000, 10_000 * SCALE);
  await new Promise<void>((resolve) => setTimeout(resolve, ms));
  return { value: (cpuMicros(daemon.pid) - before) / (performance.now() - begin) / 10 };
}

function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/u.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
