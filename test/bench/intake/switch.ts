// The daemon with a real Open vSwitch: packets enter a bridge by packet-outs, all of them are sampled, and the kernel's account
// of the process gives the daemon's processor time for each.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { OpenFlowConnection } from '../../../src/node-openflow/index.ts';
import { startDaemon } from '../../support/daemon.ts';
import { udpFrame } from '../../support/frames.ts';
import { createIpfixRow, waitForBridge, waitForHook } from '../../support/ipfix-rows.ts';
import { startOvs } from '../../support/ovs.ts';
import { UdpSink } from '../../support/udp-sink.ts';
import { waitFor } from '../../support/wait.ts';
import { type BenchPart, type Row, scaled } from '../row.ts';

const BRIDGE = 'br0';
const PACKETS = 200_000;
/** Ticks of /proc/PID/stat in a second. */
const TICKS = 100;
const CASES = [
  { name: '40,000/s', rate: 40_000, maxRate: 50_000, queueSize: 512 },
  { name: 'below the default cap, 4,000/s', rate: 4000, maxRate: 5000, queueSize: 0 },
] as const;

export const switchPart: BenchPart = async (told) => {
  const rows: Row[] = [];
  for (const one of CASES) {
    const { lost, dropped, micros, seconds, received } = await run(one);
    const reached = Math.round(received / seconds);
    const share = (micros * reached) / 1e6;
    const note = `${reached}/s reached, ${received} packet-ins`;
    for (const row of [
      {
        part: 'intake',
        what: `real switch, ${one.name}: lost`,
        value: lost,
        unit: 'packet-ins',
        goal: '0',
        note,
      },
      {
        part: 'intake',
        what: `real switch, ${one.name}: dropped by the meter`,
        value: dropped,
        unit: 'packets',
      },
      { part: 'intake', what: `real switch, ${one.name}: daemon`, value: micros, unit: 'us/packet-in' },
      {
        part: 'intake',
        what: `real switch, ${one.name}: daemon's share of a core`,
        value: 100 * share,
        unit: '%',
        ...(one.rate === 40_000 ? { goal: '< 33' } : {}),
      },
    ]) {
      rows.push(row);
      told(row);
    }
  }
  return rows;
};

async function run({ rate, maxRate, queueSize }: (typeof CASES)[number]) {
  const ovs = await startOvs({ allowedWarnings: [/./u] });
  const sink = await UdpSink.open();
  try {
    await ovs.addBridge(BRIDGE);
    await ovs.addDummyPort(BRIDGE, 'p1');
    await ovs.vsctl('set', 'Bridge', BRIDGE, `external_ids:ovs-ipfix-max-rate=${maxRate}`);
    if (queueSize > 0) {
      await ovs.vsctl('set', 'Bridge', BRIDGE, `other_config:controller-queue-size=${queueSize}`);
    }
    await createIpfixRow(ovs, BRIDGE, [sink.target], {
      sampling: 1,
      cache_active_timeout: 60,
      cache_max_flows: 100_000,
    });
    const daemon = await startDaemon(ovs);
    await waitForHook(daemon, BRIDGE);
    const packets = scaled(rate >= 40_000 ? PACKETS : PACKETS / 10);
    const before = cpuMicros(daemon.pid);
    const begin = performance.now();
    const sender = spawn(process.execPath, [
      process.argv[1] ?? '',
      'send',
      join(ovs.rundir, `${BRIDGE}.mgmt`),
      String(packets),
      String(rate),
    ]);
    await once(sender, 'exit');
    const seconds = (performance.now() - begin) / 1000;
    const { sampler } = await waitForBridge(
      daemon,
      BRIDGE,
      'the meter has counted all packets',
      ({ sampler: now }) => now.observedPackets >= packets && now.inTransit === 0,
    );
    const micros = (cpuMicros(daemon.pid) - before) / sampler.received;
    await daemon.stop();
    const { lost, droppedByMeter: dropped, received } = sampler;
    return { lost, dropped, micros, seconds, received };
  } finally {
    await sink.close();
    await ovs.abandon();
  }
}

function cpuMicros(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS;
}

/** The sender, in its own process: packet-outs to the flow tables at a rate, a burst each millisecond. */
export async function runSender(path: string, packets: number, rate: number): Promise<void> {
  const socket = connect(path);
  const connection = new OpenFlowConnection(socket, { versions: [4] });
  await connection.ready;
  const frames = Array.from({ length: 64 }, (_, index) => udpFrame({ sourcePort: 1000 + index }));
  const OUTPUT_TABLE = 0xffff_fff9;
  const begin = performance.now();
  for (let sent = 0; sent < packets; ) {
    const due = Math.min(packets, Math.ceil(((performance.now() - begin) * rate) / 1000));
    for (; sent < due; sent += 1) {
      connection.send({
        type: 'packet_out',
        bufferId: 0xffff_ffff,
        inPort: 1,
        actions: [{ type: 'output', port: OUTPUT_TABLE, maxLength: 0 }],
        packet: frames[sent % frames.length] ?? Buffer.alloc(0),
      });
    }
    await waitFor(() => socket.writableLength < 65_536, { what: 'the switch reads', intervalMs: 1 });
    await new Promise<void>((resolve) => setTimeout(resolve, 1));
  }
  await connection.probe();
  connection.close();
}
