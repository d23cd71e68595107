// The transcripts of the manual: each command of a page runs beside a private Open vSwitch and prints what the page has
// (docs/migration.md has a test of its own, and docs/demo.md is replayed by test/docker). The examples without a prompt run too.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeCapture } from '../bench/replay/capture-file.ts';
import type { Daemon } from '../support/daemon.ts';
import { udpFrame } from '../support/frames.ts';
import { daemonStatus, waitForHook, waitForNoBridge } from '../support/ipfix-rows.ts';
import { indentedBlocks, page, type TranscriptStep, transcripts } from '../support/manual.ts';
import { tier } from '../support/tiers.ts';
import { isAsOnPage, ManualShell, normalised, replayedSteps } from '../support/transcripts.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';

const PAGES = [
  'command-line.md',
  'configuration.md',
  'doctor.md',
  'flow-rewriting.md',
  'operation.md',
  'replay.md',
  'sampling.md',
  'status.md',
  'takeover.md',
];
const FOLDED = { hasSpace: false };
const BRIDGE_ROW =
  'ovs-vsctl -- set Bridge br0 ipfix=@i -- --id=@i create IPFIX targets=\\"127.0.0.1:14739\\" obs_domain_id=123 obs_point_id=456';
const SET_ROW =
  'ovs-vsctl -- --id=@br get Bridge br0 -- --id=@i create IPFIX targets=\\"127.0.0.1:14740\\" ' +
  'cache_active_timeout=10 cache_max_flows=1000 -- create Flow_Sample_Collector_Set bridge=@br id=1 ipfix=@i';
/** Frames of 106 bytes, to port 53 and to port 80. */
const DNS = udpFrame({ destinationPort: 53, dataBytes: 64 });
const WEB = udpFrame({ destinationPort: 80, dataBytes: 64 });
const SAMPLE_ALL = 'sample(probability=65535,collector_set_id=1,obs_domain_id=8,obs_point_id=9)';
const SAMPLE_SOME = 'sample(probability=655,collector_set_id=1,obs_domain_id=7,obs_point_id=9)';
const ROUNDS_MAX = 6;

/** Both collectors of the pages, as sinks. */
async function withSinks(shell: ManualShell, end: (ending: () => Promise<void>) => void): Promise<void> {
  for (const port of [14_739, 14_740]) {
    const sink = await UdpSink.open();
    end(() => sink.close());
    shell.substitute(`127.0.0.1:${port}`, sink.target);
  }
}

/** The two flows with `sample` actions of docs/configuration.md and docs/flow-rewriting.md. */
async function addSamplingFlows(shell: ManualShell): Promise<void> {
  await shell.run(`ovs-ofctl add-flow br0 "ip,actions=${SAMPLE_SOME},NORMAL"`);
  await shell.run(
    `ovs-ofctl add-flow br0 "cookie=0x1234,idle_timeout=600,priority=40000,udp,tp_dst=53,actions=clone(${SAMPLE_ALL},output:2),NORMAL"`,
  );
}

/** A port at which no process listens, for what a page starts a collector at. */
async function useFreePort(shell: ManualShell, target: string): Promise<void> {
  const sink = await UdpSink.open();
  shell.substitute(target, sink.target);
  await sink.close();
}

/** The steps of a page that begin with the words, for a test that replays them itself. */
function transcriptsOf(name: string, words: string): readonly TranscriptStep[] {
  const steps = transcripts(page(name)).filter(({ command }) => command.startsWith(words));
  for (const { command } of steps) {
    replayedSteps.add(`${name}: ${command}`);
  }
  return steps;
}

async function waitForSet(daemon: Daemon): Promise<void> {
  const isRewritten = async () => {
    const { bridges, rows } = await daemonStatus(daemon);
    return (bridges[0]?.flowSampling[0]?.flows ?? 0) > 0 && rows.state === 'idle';
  };
  await waitFor(isRewritten, { what: 'the flows of the set are rewritten' });
}

const options = tier('ovs', 'daemon');

test('operation.md: the hook, its meter, and the log line of its reinstallation', options, async (t) => {
  const shell = await ManualShell.open(t);
  await withSinks(shell, (ending) => t.after(ending));
  const daemon = await shell.startDaemon();
  await shell.run(`${BRIDGE_ROW} sampling=400`);
  await waitForHook(daemon, 'br0');
  const frame = udpFrame({ dataBytes: 8 });
  await shell.ovs.inject('p1', ...Array.from({ length: 50 }, () => frame));
  await shell.replay('operation.md', 'ovs-ofctl', FOLDED);

  const line = indentedBlocks(page('operation.md')).find((block) => block.startsWith('bridge|WARN|'));
  assert.ok(line !== undefined, 'operation.md has the log line');
  await shell.run('ovs-ofctl del-flows br0');
  await waitFor(() => daemon.log.includes(line.trim()), { what: `the log has: ${line}` });
  await daemon.stop();
});

test('flow-rewriting.md: companion actions, and a group that samples nothing', options, async (t) => {
  const shell = await ManualShell.open(t);
  await withSinks(shell, (ending) => t.after(ending));
  await addSamplingFlows(shell);
  const daemon = await shell.startDaemon();
  await shell.run(BRIDGE_ROW);
  await shell.run(SET_ROW);
  await waitForSet(daemon);
  await waitForHook(daemon, 'br0');
  await shell.ovs.inject('p1', DNS, DNS, DNS, ...Array.from({ length: 40 }, () => WEB));
  await shell.replay('flow-rewriting.md', 'ovs-ofctl', FOLDED);

  await shell.run(
    `ovs-ofctl -O OpenFlow15 add-group br0 "group_id=5,type=all,bucket=actions=${SAMPLE_ALL},output:2"`,
  );
  await shell.run('ovs-ofctl add-flow br0 "priority=50000,udp,tp_dst=99,actions=group:5"');
  await shell.replay('flow-rewriting.md', 'ovs-appctl');
  await daemon.stop();
});

test('configuration.md: the examples, the rows of a collector set, and its records', options, async (t) => {
  const shell = await ManualShell.open(t);
  const sink = await UdpSink.open();
  t.after(() => sink.close());
  shell.substitute('192.168.0.34:4739', sink.target);
  const daemon = await shell.startDaemon();
  assert.equal(await shell.runExamples('configuration.md', 'ovs-vsctl --', 'ovs-ofctl add-flow'), 3);
  await waitForHook(daemon, 'br0');
  await waitForSet(daemon);
  await shell.replay('configuration.md', 'ovs-vsctl');

  await shell.run('ovs-vsctl clear Bridge br0 ipfix');
  await addSamplingFlows(shell);
  await useFreePort(shell, '127.0.0.1:14740');
  const [{ command, output } = assert.fail()] = transcriptsOf('configuration.md', 'ovs-ipfix collect');
  for (let round = 1; ; round += 1) {
    await shell.run('ovs-vsctl --all destroy Flow_Sample_Collector_Set');
    await waitFor(async () => (await daemonStatus(daemon)).bridges.length === 0, { what: 'the set is gone' });
    await shell.run(SET_ROW.replace('timeout=10', 'timeout=1'));
    await waitForSet(daemon);
    const collected = await shell.start(command, 'listening on');
    await sampleOneOfEach(shell, daemon);
    const said = await collected();
    if (isAsOnPage(output, said)) {
      break;
    }
    // Two of ten packets were selected at once.
    assert.ok(round < ROUNDS_MAX, said);
  }
  await daemon.stop();
});

/** Three packets to port 53, which are all selected, and packets to port 80 until one is. */
async function sampleOneOfEach(shell: ManualShell, daemon: Daemon): Promise<void> {
  const sampler = async () => (await daemonStatus(daemon)).bridges[0]?.flowSampling[0]?.sampler;
  const before = (await sampler())?.selected ?? 0;
  let received = (await sampler())?.received ?? 0;
  await shell.ovs.inject('p1', DNS, DNS, DNS);
  received += 3;
  while (((await sampler())?.selected ?? 0) < before + 4) {
    await shell.ovs.inject('p1', ...Array.from({ length: 10 }, () => WEB));
    received += 10;
    const sent = received;
    await waitFor(async () => ((await sampler())?.received ?? 0) >= sent, { what: `${sent} packet-ins` });
  }
}

test('takeover.md: an adopted row, and the example of a native one', options, async (t) => {
  const shell = await ManualShell.open(t);
  await withSinks(shell, (ending) => t.after(ending));
  const daemon = await shell.startDaemon();
  await shell.run(`${BRIDGE_ROW} sampling=2 cache_active_timeout=60 cache_max_flows=1000`);
  await waitForHook(daemon, 'br0');
  await shell.replay('takeover.md', 'ovs-vsctl');
  assert.equal(await shell.runExamples('takeover.md', 'ovs-vsctl --'), 1);
  await waitForHook(daemon, 'br0');
  await daemon.stop();
});

test('status.md: status, the largest flows, and the log', options, async (t) => {
  const shell = await ManualShell.open(t);
  await withSinks(shell, (ending) => t.after(ending));
  const daemon = await shell.startDaemon();
  await shell.run(`${BRIDGE_ROW} sampling=1 cache_active_timeout=60 cache_max_flows=1000`);
  await waitForHook(daemon, 'br0');
  await shell.run(`ovs-ofctl add-flow br0 "udp,tp_dst=53,actions=${SAMPLE_ALL},NORMAL"`);
  await shell.run(SET_ROW.replace('timeout=10', 'timeout=60'));
  await waitForSet(daemon);
  await shell.ovs.inject('p1', DNS, DNS, DNS, ...Array.from({ length: 40 }, () => WEB));
  await shell.replay('status.md', 'ovs-appctl -t ovs-ipfix status');
  await shell.replay('status.md', 'ovs-appctl -t ovs-ipfix flows bridge');
  await shell.replay('status.md', 'ovs-appctl -t ovs-ipfix flows window', { ...FOLDED, hasDigits: false });

  const block = indentedBlocks(page('status.md')).find((each) => /^\d{4}-\d\d-\d\dT/u.test(each)) ?? '';
  const lines = block.trimEnd().split('\n').map(withoutTime);
  assert.ok(lines.length > 3, 'status.md has lines of the log');
  const log = shell.inWordsOfPage(daemon.log).split('\n').map(withoutTime);
  for (const line of lines) {
    assert.ok(log.includes(line), `the log has: ${line}\n${log.join('\n')}`);
  }
  await daemon.stop();
});

function withoutTime(line: string): string {
  return normalised(line.replace(/^\S+Z\|\d+\|/u, ''));
}

test('sampling.md: the account of a meter that drops packets', options, async (t) => {
  const shell = await ManualShell.open(t);
  await withSinks(shell, (ending) => t.after(ending));
  const daemon = await shell.startDaemon();
  await shell.run('ovs-vsctl set Bridge br0 external_ids:ovs-ipfix-max-rate=200');
  await shell.run(`${BRIDGE_ROW} sampling=400 cache_active_timeout=60 cache_max_flows=1000`);
  await waitForHook(daemon, 'br0');
  await shell.ovs.injectMany(
    'br0',
    'p1',
    Array.from({ length: 3000 }, () => DNS),
  );
  await waitFor(
    async () => {
      await shell.ovs.inject('p1', DNS);
      const { sampling } = (await daemonStatus(daemon)).bridges[0] ?? {};
      return (sampling?.sampler.droppedByMeter ?? 0) > 1000;
    },
    { what: 'the meter has dropped packets' },
  );
  await shell.replay('sampling.md', 'ovs-appctl', { hasDigits: false });
  await daemon.stop();
});

test('command-line.md: a record of the collector, and release after a kill', options, async (t) => {
  const shell = await ManualShell.open(t);
  await useFreePort(shell, '127.0.0.1:14739');
  const daemon = await shell.startDaemon();
  await shell.run(`${BRIDGE_ROW} sampling=1 cache_active_timeout=1 cache_max_flows=1000`);
  await waitForHook(daemon, 'br0');
  const [{ command, output } = assert.fail()] = transcriptsOf('command-line.md', 'ovs-ipfix collect');
  const collected = await shell.start(command, 'listening on');
  const frame = udpFrame({ destinationPort: 53, dataBytes: 8 });
  await shell.ovs.inject('p1', frame, frame, frame);
  const said = await collected();
  assert.ok(isAsOnPage(output, said), said);

  await shell.run(`ovs-ofctl add-flow br0 "udp,tp_dst=53,actions=${SAMPLE_ALL},NORMAL"`);
  await shell.run(SET_ROW);
  await waitForSet(daemon);
  await daemon.kill();
  await shell.replay('command-line.md', 'ovs-ipfix release', { isRepeated: false });
});

test('doctor.md: what it finds after a kill', options, async (t) => {
  const shell = await ManualShell.open(t);
  await withSinks(shell, (ending) => t.after(ending));
  const daemon = await shell.startDaemon();
  await shell.run(`${BRIDGE_ROW} sampling=64 cache_active_timeout=60 cache_max_flows=1000`);
  await waitForHook(daemon, 'br0');
  await daemon.kill();
  await shell.replay('doctor.md', 'ovs-ipfix doctor', { ...FOLDED, isRepeated: false });
});

test('replay.md: the summary of a capture', options, async (t) => {
  const shell = await ManualShell.open(t);
  const sink = await UdpSink.open();
  t.after(() => sink.close());
  shell.substitute('192.168.0.34:4739', sink.target);
  const shape = { packets: 500_000, flows: 10_000, distribution: 'uniform', seconds: 60, seed: 1 } as const;
  writeCapture(join(shell.ovs.rundir, 'traffic.pcap'), shape);
  await shell.replay('replay.md', 'ovs-ipfix replay', { isRepeated: false });
});

test('README.md: the commands that configure an export', options, async (t) => {
  const shell = await ManualShell.open(t);
  const sink = await UdpSink.open();
  t.after(() => sink.close());
  shell.substitute('192.168.0.34:4739', sink.target);
  const daemon = await shell.startDaemon();
  assert.equal(await shell.runExamples('../README.md', 'ovs-vsctl --', 'ovs-ofctl add-flow'), 3);
  await waitForHook(daemon, 'br0');
  await waitForSet(daemon);
  assert.equal(await shell.runExamples('../README.md', 'ovs-vsctl clear'), 1);
  await waitForNoBridge(daemon, 'br0');
  await daemon.stop();
});

test('status.md: the interfaces of a bridge', options, async (t) => {
  const shell = await ManualShell.open(t);
  const daemon = await shell.startDaemon();
  await shell.run(BRIDGE_ROW);
  await waitForHook(daemon, 'br0');
  // In place of a kernel, the options give the devices of the dummy datapath their ifindex.
  const interfaces: readonly (readonly [name: string, ofport: number, ...columns: string[]])[] = [
    ['tap0', 1, 'options:ifindex=14', 'external_ids:vm-name=web-1'],
    ['int0', 2, 'type=internal', 'options:ifindex=15'],
    ['vx0', 3, 'type=vxlan', 'options:remote_ip=192.0.2.1'],
  ];
  await shell.run('ovs-vsctl del-port p1 -- del-port p2 -- set Interface br0 options:ifindex=13');
  for (const [name, ofport, ...columns] of interfaces) {
    const set = `set Interface ${name} ofport_request=${ofport} ${columns.join(' ')}`;
    await shell.run(`ovs-vsctl add-port br0 ${name} -- ${set}`);
  }
  await shell.replay('status.md', 'ovs-appctl -t ovs-ipfix interfaces');
  await daemon.stop();
});

test('every transcript of these pages was replayed', options, () => {
  for (const name of PAGES) {
    const steps = transcripts(page(name)).map(({ command }) => `${name}: ${command}`);
    assert.ok(steps.length > 0, name);
    assert.deepEqual(
      steps.filter((step) => !replayedSteps.has(step)),
      [],
    );
  }
});

test('a page is compared but for times, numbers of processes and what it leaves out', () => {
  assert.equal(isAsOnPage('a\n...\nd', 'a\nb\nc\nd\n'), true);
  assert.equal(isAsOnPage('a\n...', 'a\nb\n'), true);
  assert.equal(isAsOnPage('...\nb', 'a\nb\nc\n'), false);
  assert.equal(isAsOnPage('...\nc', 'a\nb\n'), false);
  assert.equal(isAsOnPage('n_packets=3, idle_age=2, x', 'n_packets=3, idle_age=7, x\n'), true);
  assert.equal(isAsOnPage('n_packets=3', 'n_packets=4\n'), false);
});
