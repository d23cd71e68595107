// The effect on the kernel datapath: TCP with segmentation offload between two hosts of a guest (test/kernel/guest.ts), with
// nothing enabled, beside the hook of this version and of an earlier one, and with ovs-vswitchd's own exporter, all at 1 in 400.
// And the samples that are lost at 1 in 16, with the default receive buffer and with a large one. The guest is emulated, so only
// ratios of values of one round mean something.

import { cp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Guest, HOST_ADDRESS } from '../../kernel/guest.ts';
import { GUEST_TIMEOUT_MS, GuestSwitch } from '../../kernel/guest-switch.ts';
import { UdpSink } from '../../support/udp-sink.ts';
import { waitFor } from '../../support/wait.ts';
import { type BenchPart, type EarlierVersion, type Row, SCALE, summary } from '../row.ts';

const ROUNDS = 3;
const SECONDS = Math.max(2, Math.round(10 * SCALE));
/** Seconds of traffic before a measurement, in which a daemon that has just started compiles its code. */
const WARM_UP_SECONDS = 8;
const INTERVAL = 400;
/** Clock ticks a second in /proc/PID/stat. */
const TICKS = 100;
/** Octets of a full frame, by which packets are counted: how many of them a packet of the kernel has varies. */
const FRAME_OCTETS = 1514;
/** The interval at which losses are measured, and the values of net.core.rmem_max: Linux's default, and what the manual advises. */
const LOSS_INTERVAL = 16;
const BUFFERS = [212_992, 4_194_304];
/** The earlier version in the folder that host and guest share, in the guest. */
const EARLIER_PROGRAM = '/work/earlier/ovs-ipfix.cjs';

interface Load {
  readonly bitsPerSecond: number;
  /** Processor time of ovs-vswitchd and of the daemon, in seconds for 1,000,000 full frames. */
  readonly switchSeconds: number;
  readonly daemonSeconds: number;
}

interface Place {
  readonly guest: Guest;
  readonly ovs: GuestSwitch;
  readonly sink: UdpSink;
}

interface Setting {
  readonly name: string;
  /** Enables it; resolves to a function that disables it again. */
  set(place: Place): Promise<() => Promise<void>>;
}

const NOTHING: Setting = { name: 'nothing enabled', set: async () => async () => {} };
const OURS: Setting = { name: 'datapath sampler', set: (place) => withDaemon(place, {}) };
const BUILT_IN: Setting = {
  name: 'built-in',
  set: async (place) => {
    await createRow(place);
    return () => clearRow(place);
  },
};

/** Measures it; see the head of the file. */
export const kernelPart: BenchPart = async (told, against) => {
  const rows: Row[] = [];
  const add = (row: Row): void => {
    rows.push(row);
    told(row);
  };
  const sink = await UdpSink.open();
  const ovs = await GuestSwitch.boot({ suite: process.env['KERNEL_GUEST_SUITE'] });
  const { guest } = ovs;
  try {
    await ovs.addHost({ name: 'a', address: '10.0.0.1/24' });
    await ovs.addHost({ name: 'b', address: '10.0.0.2/24' });
    await ovs.setFlows('priority=0,actions=NORMAL');
    if (against !== undefined) {
      await cp(dirname(against.program), join(guest.folder, 'earlier'), { recursive: true });
    }
    await compare({ guest, ovs, sink }, against, add);
    await losses({ guest, ovs, sink }, add);
  } finally {
    await guest.stop();
    await sink.close();
  }
  return rows;
};

async function compare(
  place: Place,
  against: EarlierVersion | undefined,
  add: (row: Row) => void,
): Promise<void> {
  const earlier: Setting | undefined = against && {
    name: against.name,
    set: (where) => withDaemon(where, { program: EARLIER_PROGRAM }),
  };
  const settings = [NOTHING, OURS, BUILT_IN, ...(earlier === undefined ? [] : [earlier])];
  const loads = new Map(settings.map((setting) => [setting, [] as Load[]]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const setting of settings) {
      const load = await measure(place, setting);
      loads.get(setting)?.push(load);
      const gigabits = (load.bitsPerSecond / 1e9).toFixed(2);
      process.stderr.write(`  round ${round + 1}, ${setting.name}: ${gigabits} Gbit/s\n`);
    }
  }
  const of = (setting: Setting) => loads.get(setting) ?? [];
  for (const setting of settings) {
    const what = `${setting.name}, 1 in ${INTERVAL}`;
    const gigabits = of(setting).map(({ bitsPerSecond }) => bitsPerSecond / 1e9);
    add({ part: 'kernel', what: `TCP, ${what}`, unit: 'Gbit/s', ...summary(gigabits) });
    const unit = 's/1,000,000 frames';
    const ofSwitch = of(setting).map(({ switchSeconds }) => switchSeconds);
    add({ part: 'kernel', what: `vswitchd, ${what}`, unit, ...summary(ofSwitch) });
    const ofDaemon = of(setting).map(({ daemonSeconds }) => daemonSeconds);
    add({ part: 'kernel', what: `daemon, ${what}`, unit, ...summary(ofDaemon) });
  }
  const ratio = (what: string, other: Setting, goal: string, pick: (load: Load) => number) => {
    const values = of(OURS).map((load, round) => pick(load) / pick(of(other)[round] ?? load));
    add({
      part: 'kernel',
      what: `${what}, datapath sampler to ${other.name}`,
      unit: 'ratio',
      ...summary(values),
      goal,
    });
  };
  ratio('TCP', NOTHING, '', ({ bitsPerSecond }) => bitsPerSecond);
  ratio('TCP', BUILT_IN, '>= 0.7', ({ bitsPerSecond }) => bitsPerSecond);
  if (earlier !== undefined) {
    ratio('TCP', earlier, '>= 5', ({ bitsPerSecond }) => bitsPerSecond);
    ratio('vswitchd and daemon', earlier, '<= 0.3', (load) => load.switchSeconds + load.daemonSeconds);
  }
}

/** Measures the share of samples that are lost between ovs-vswitchd and the daemon. */
async function losses(place: Place, add: (row: Row) => void): Promise<void> {
  const { guest, ovs } = place;
  const shares = new Map(BUFFERS.map((bytes) => [bytes, [] as number[]]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const bytes of BUFFERS) {
      await guest.run(`sysctl -qw net.core.rmem_max=${bytes}`);
      const disable = await withDaemon(place, { interval: LOSS_INTERVAL });
      await sendTcp(guest);
      const { exported, lost } = await settledSamples(ovs);
      shares.get(bytes)?.push((100 * lost) / exported);
      process.stderr.write(`  round ${round + 1}, ${bytes} bytes: ${lost} of ${exported} samples lost\n`);
      await disable();
    }
  }
  for (const [bytes, percent] of shares) {
    const what = `samples lost, 1 in ${LOSS_INTERVAL}, net.core.rmem_max=${bytes}`;
    add({ part: 'kernel', what, unit: '%', ...summary(percent) });
  }
}

/** Waits until no sample arrives any more; returns the account of packets. */
async function settledSamples(ovs: GuestSwitch) {
  let last = -1;
  return waitFor(
    async () => {
      const packets = (await ovs.status()).bridges[0]?.sampling?.datapath?.packets;
      const isSettled = packets !== undefined && packets.received === last;
      last = packets?.received ?? -1;
      return isSettled ? packets : false;
    },
    { what: 'no sample arrives any more', timeoutMs: GUEST_TIMEOUT_MS, intervalMs: 1000 },
  );
}

/** Sends TCP as fast as iperf3 does, for some seconds; resolves to the bits a second that arrived. */
async function sendTcp(guest: Guest, duration = SECONDS): Promise<number> {
  const text = await guest.run(
    `ip netns exec b iperf3 -s -1 -D >/dev/null
     until ip netns exec a iperf3 -J -c 10.0.0.2 -t ${duration} >/tmp/iperf3.json; do sleep 0.2; done
     cat /tmp/iperf3.json`,
    { timeoutMs: GUEST_TIMEOUT_MS },
  );
  const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  return end.sum_received.bits_per_second;
}

/** Measures a setting while TCP is sent. */
async function measure(place: Place, setting: Setting): Promise<Load> {
  const { guest, ovs } = place;
  const disable = await setting.set(place);
  await guest.run('ovs-appctl revalidator/wait');
  await sendTcp(guest, WARM_UP_SECONDS);
  const counters = async () => ({
    octets: await ovs.receivedOctets('va'),
    switchSeconds: await processorSeconds(guest, '/run/openvswitch/ovs-vswitchd.pid'),
    daemonSeconds: await processorSeconds(guest, '/tmp/daemon.pid'),
  });
  const before = await counters();
  const bitsPerSecond = await sendTcp(guest);
  const after = await counters();
  await disable();
  const millions = (after.octets - before.octets) / FRAME_OCTETS / 1e6;
  return {
    bitsPerSecond,
    switchSeconds: (after.switchSeconds - before.switchSeconds) / millions,
    daemonSeconds: (after.daemonSeconds - before.daemonSeconds) / millions,
  };
}

/** Returns the processor time of a process by its pid file, in seconds; 0 if there is no file. */
async function processorSeconds(guest: Guest, pidFile: string): Promise<number> {
  const text = await guest.run(`
    if [ -e ${pidFile} ]; then sed 's/.*) //' /proc/$(cat ${pidFile})/stat | cut -d ' ' -f 12,13; fi`);
  return text.split(/\s+/u).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
}

/** Starts the daemon with the datapath sampler, or an earlier `program`, which has no other than packet-ins. */
async function withDaemon(
  place: Place,
  { program, interval }: { readonly program?: string; readonly interval?: number },
): Promise<() => Promise<void>> {
  const { guest, ovs } = place;
  await createRow(place, interval, program === undefined ? 'datapath' : undefined);
  await ovs.startDaemon(program);
  if (program === undefined) {
    await waitFor(async () => (await ovs.status()).bridges[0]?.samplerChoice?.sampler === 'datapath', {
      what: 'the datapath samples',
      timeoutMs: GUEST_TIMEOUT_MS,
      intervalMs: 1000,
    });
  }
  return async () => {
    if ((await ovs.endDaemon('TERM')) !== 0) {
      // The time of a stop has passed, which is real time, not that of the emulated processor.
      await guest.run('node /dist/ovs-ipfix.cjs release');
    }
    await guest.run('rm /tmp/daemon.pid');
    await clearRow(place);
  };
}

async function createRow({ guest, sink }: Place, interval = INTERVAL, sampler?: string): Promise<void> {
  const key = sampler === undefined ? '' : `external_ids:ovs-ipfix-sampler=${sampler}`;
  await guest.run(`ovs-vsctl set Bridge br0 ipfix=@i ${key} \\
    -- --id=@i create IPFIX sampling=${interval} targets='"${HOST_ADDRESS}:${sink.port}"'`);
}

async function clearRow({ guest }: Place): Promise<void> {
  await guest.run('ovs-vsctl clear Bridge br0 ipfix -- remove Bridge br0 external_ids ovs-ipfix-sampler');
}
