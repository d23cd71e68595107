// The effect on revalidation: a flood of packets that need a datapath flow each, in user space, with nothing enabled, with the
// datapath sampler at 1 in 1 within the default rate, the same while the daemon is paused (what the flows alone cost, without a
// process that needs the processors as well), and with ovs-vswitchd's own exporter. Measured are the times in which
// ovs-vswitchd revalidates all datapath flows, and the packets of users that it could not handle for lack of one. The longest time is
// that after a change of flows, such as another probability, when it translates each datapath flow again. Flows do not become idle
// meanwhile. The datapath in user space holds at most 65,536 flows.

import { type Daemon, startDaemon } from '../../support/daemon.ts';
import { udpFrame } from '../../support/frames.ts';
import { createIpfixRow, waitForBridge } from '../../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../../support/ovs.ts';
import { tier } from '../../support/tiers.ts';
import { UdpSink } from '../../support/udp-sink.ts';
import { type BenchPart, type Row, SCALE, scaled, summary } from '../row.ts';

const BRIDGE = 'br0';
const PORT = 'p1';
const ROUNDS = 5;
const SECONDS = Math.max(3, Math.round(10 * SCALE));
const FLOWS = scaled(60_000);
/** Frames between two readings. */
const PORTION = 5000;
/** The share of the flows that are installed when the measurement begins; the flood of a busy machine may lose some. */
const INSTALLED_SHARE = 0.9;
/** Milliseconds in which they are: ovs-vswitchd begins with a limit of 10,000 flows, and raises it little by little. */
const FILL_MS_MAX = 60_000;
/** Value of Open_vSwitch.other_config:max-idle in milliseconds. */
const IDLE_MS_MAX = 600_000;
const INJECT_MS_MAX = 60_000;
/** Milliseconds in which the daemon has its rows and has tested the path. */
const PATH_MS_MAX = 20_000;

interface Load {
  /** The median and the longest of the durations while all flows were installed, in milliseconds. */
  readonly dumpMs: number;
  readonly longestMs: number;
  readonly lost: number;
  readonly framesPerSecond: number;
}

interface Setting {
  readonly name: string;
  /** Enables it; resolves to a function that disables it again. */
  set(ovs: Ovs, sink: UdpSink): Promise<() => Promise<void>>;
}

const NOTHING: Setting = { name: 'nothing enabled', set: async () => async () => {} };
const OURS: Setting = { name: 'datapath sampler, 1 in 1', set: withDaemon };
const PAUSED: Setting = { name: 'the same, daemon paused', set: withPausedDaemon };
const BUILT_IN: Setting = {
  name: 'built-in, 1 in 1',
  set: async (ovs, sink) => {
    await createIpfixRow(ovs, BRIDGE, [sink.target], { sampling: 1 });
    return () => clearRow(ovs);
  },
};
const SETTINGS = [NOTHING, OURS, PAUSED, BUILT_IN];

/** Measures it; see the head of the file. */
export const revalidationPart: BenchPart = async (told) => {
  const { skip } = tier('ovs', 'daemon');
  if (skip !== false) {
    process.stderr.write(`  SKIPPED: ${skip}\n`);
    return [];
  }
  const loads = new Map(SETTINGS.map((setting) => [setting, [] as Load[]]));
  const ovs = await startOvs({ allowedWarnings: [/./u] });
  const sink = await UdpSink.open();
  try {
    await ovs.vsctl('set', 'Open_vSwitch', '.', `other_config:max-idle=${IDLE_MS_MAX}`);
    await ovs.addBridge(BRIDGE);
    await ovs.addDummyPort(BRIDGE, PORT, 1);
    await ovs.addDummyPort(BRIDGE, 'p2', 2);
    // The copied port is in the mask of each datapath flow.
    await ovs.ofctl('add-flow', BRIDGE, 'udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],output:2');
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const setting of SETTINGS) {
        const load = await measure(ovs, sink, setting);
        loads.get(setting)?.push(load);
        const shown = `${load.dumpMs} ms (at most ${load.longestMs}), ${load.lost} lost, ${Math.round(load.framesPerSecond)} frames/s`;
        process.stderr.write(`  round ${round + 1}, ${setting.name}: ${shown}\n`);
      }
    }
  } finally {
    await sink.close();
    await ovs.abandon();
  }
  const rows = rowsOf(loads);
  rows.forEach(told);
  return rows;
};

function rowsOf(loads: ReadonlyMap<Setting, readonly Load[]>): readonly Row[] {
  const part = 'revalidation';
  const of = (setting: Setting) => loads.get(setting) ?? [];
  const toNothing = (setting: Setting) =>
    of(setting).map(({ dumpMs }, round) => dumpMs / (of(NOTHING)[round]?.dumpMs ?? Number.NaN));
  return SETTINGS.flatMap((setting): Row[] => [
    {
      part,
      what: `revalidation of ${FLOWS} flows, ${setting.name}`,
      unit: 'ms',
      ...summary(of(setting).map(({ dumpMs }) => dumpMs)),
    },
    {
      part,
      what: `the longest, ${setting.name}`,
      unit: 'ms',
      ...summary(of(setting).map(({ longestMs }) => longestMs)),
    },
    {
      part,
      what: `flow misses lost, ${setting.name}`,
      unit: 'packets',
      ...summary(of(setting).map(({ lost }) => lost)),
    },
    ...(setting === NOTHING
      ? []
      : [
          {
            part,
            what: `revalidation, ${setting.name} to nothing`,
            unit: 'ratio',
            ...summary(toNothing(setting)),
            ...(setting === OURS ? { goal: '<= 1.2' } : {}),
          },
        ]),
  ]);
}

/** Injects one frame of each flow, again and again. */
async function measure(ovs: Ovs, sink: UdpSink, setting: Setting): Promise<Load> {
  await ovs.appctl('revalidator/purge');
  const disable = await setting.set(ovs, sink);
  const frames = Array.from({ length: FLOWS }, (_, index) => udpFrame({ sourcePort: index + 1 }));
  const lostBefore = await lostMisses(ovs);
  const inject = async (first: number) => {
    await ovs.injectMany(BRIDGE, PORT, frames.slice(first, first + PORTION), INJECT_MS_MAX);
    return revalidation(ovs);
  };
  let count = 0;
  const fillEnd = performance.now() + FILL_MS_MAX;
  for (; (await revalidation(ovs)).flows < INSTALLED_SHARE * FLOWS; count += PORTION) {
    if (performance.now() > fillEnd) {
      throw new Error(`ovs-vswitchd does not install ${FLOWS} datapath flows.`);
    }
    await inject(count % FLOWS);
  }
  const durations: number[] = [];
  const begin = performance.now();
  for (count = 0; performance.now() - begin < SECONDS * 1000; count += PORTION) {
    durations.push((await inject(count % FLOWS)).dumpMs);
  }
  const seconds = (performance.now() - begin) / 1000;
  const lost = (await lostMisses(ovs)) - lostBefore;
  await disable();
  return {
    dumpMs: summary(durations).value,
    longestMs: Math.max(...durations),
    lost,
    framesPerSecond: count / seconds,
  };
}

/** Returns the number of datapath flows, and the time of their last revalidation. */
async function revalidation(ovs: Ovs): Promise<{ readonly flows: number; readonly dumpMs: number }> {
  const text = await ovs.appctl('upcall/show');
  const flows = Number(/\(current (\d+)\)/u.exec(text)?.[1]);
  return { flows, dumpMs: Number(/dump duration : (\d+)ms/u.exec(text)?.[1]) };
}

async function lostMisses(ovs: Ovs): Promise<number> {
  return Number(/lost:(\d+)/u.exec(await ovs.appctl('dpctl/show'))?.[1]);
}

async function withDaemon(ovs: Ovs, sink: UdpSink): Promise<() => Promise<void>> {
  const daemon = await samplingDaemon(ovs, sink);
  return () => endDaemon(ovs, daemon);
}

async function withPausedDaemon(ovs: Ovs, sink: UdpSink): Promise<() => Promise<void>> {
  const daemon = await samplingDaemon(ovs, sink);
  process.kill(daemon.pid, 'SIGSTOP');
  return () => {
    process.kill(daemon.pid, 'SIGCONT');
    return endDaemon(ovs, daemon);
  };
}

async function samplingDaemon(ovs: Ovs, sink: UdpSink): Promise<Daemon> {
  await createIpfixRow(ovs, BRIDGE, [sink.target], {
    sampling: 1,
    cache_active_timeout: 60,
    cache_max_flows: 100_000,
  });
  await ovs.vsctl('set', 'Bridge', BRIDGE, 'external_ids:ovs-ipfix-sampler=datapath');
  const daemon = await startDaemon(ovs, { readyTimeoutMs: PATH_MS_MAX });
  await waitForBridge(
    daemon,
    BRIDGE,
    'the datapath samples',
    ({ samplerChoice }) => samplerChoice?.sampler === 'datapath',
    PATH_MS_MAX,
  );
  return daemon;
}

async function endDaemon(ovs: Ovs, daemon: Daemon): Promise<void> {
  // A busy machine may not send 60,000 records in the time of a stop.
  await daemon.kill('SIGTERM');
  await clearRow(ovs);
}

async function clearRow(ovs: Ovs): Promise<void> {
  await ovs.vsctl(
    'clear',
    'Bridge',
    BRIDGE,
    'ipfix',
    '--',
    'remove',
    'Bridge',
    BRIDGE,
    'external_ids',
    'ovs-ipfix-sampler',
  );
}
