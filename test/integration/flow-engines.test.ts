// `--engine`: what a replay and the daemon use, and what happens where WebAssembly cannot have its memory.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pcapFile } from '../support/captures.ts';
import { startDaemon } from '../support/daemon.ts';
import { lastFirst } from '../support/end-in-order.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { udpFrame } from '../support/frames.ts';
import { createIpfixRow } from '../support/ipfix-rows.ts';
import { startOvs } from '../support/ovs.ts';
import { replayEnd, startReplay } from '../support/replay.ts';
import { tier } from '../support/tiers.ts';

/** Less address space than one memory of WebAssembly reserves, and enough for Node. */
const LIMITED = ['bash', '-c', 'ulimit -v 6000000 && exec "$0" "$@"'];

let folder: string;
let capture: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flow-engines-'));
  capture = join(folder, 'capture.pcap');
  await writeFile(capture, pcapFile([{ frame: udpFrame({ sourcePort: 1 }), micros: 1_700_000_000_000_000 }]));
});

after(() => rm(folder, { recursive: true, force: true }));

for (const [engine, via, expected] of [
  ['auto', [], 'wasm'],
  ['wasm', [], 'wasm'],
  ['typescript', [], 'typescript'],
  ['auto', LIMITED, 'typescript'],
] as const) {
  const where = via.length === 0 ? '' : ' under a limit of address space';
  test(`replay --engine ${engine}${where} uses ${expected}`, tier('daemon'), async (t) => {
    const sink = await FlowRecordSink.open();
    t.after(() => sink.close());
    const { exitCode, summary, stderr } = await replayEnd(
      await startReplay([capture, '--to', sink.target, '--engine', engine], via),
    );
    assert.deepEqual([exitCode, summary?.engine, summary?.packetsInFlows], [0, expected, 1]);
    const isWarned = stderr.includes('the flow engine in WebAssembly cannot be used');
    assert.equal(isWarned, engine === 'auto' && expected === 'typescript', stderr);
    await sink.waitForPackets(1);
  });
}

test('replay --engine wasm is refused where there is no memory for it', tier('daemon'), async () => {
  const program = await startReplay([capture, '--to', '127.0.0.1:9', '--engine', 'wasm'], LIMITED);
  const { exitCode, summary, stderr } = await replayEnd(program);
  assert.deepEqual([exitCode, summary], [1, undefined]);
  assert.match(
    stderr,
    /The flow engine in WebAssembly cannot be used \(.*\); "--engine auto" uses that in TypeScript/u,
  );
});

test('the daemon exports with the engine in WebAssembly', tier('ovs', 'daemon'), async (t) => {
  const atEnd = lastFirst(t);
  const ovs = await startOvs();
  atEnd(() => ovs.stop());
  const sink = await FlowRecordSink.open();
  atEnd(() => sink.close());
  await ovs.addBridge('br0');
  await ovs.addDummyPort('br0', 'p1');
  await createIpfixRow(ovs, 'br0', [sink.target], {
    sampling: 1,
    cache_active_timeout: 60,
    cache_max_flows: 13,
  });
  const daemon = await startDaemon(ovs, { arguments: ['--engine', 'wasm'] });
  atEnd(() => daemon.kill());
  const frames = [1, 2, 2].map((sourcePort) => udpFrame({ sourcePort }));
  await ovs.inject('p1', ...frames);
  assert.match(await daemon.appctl('status'), / flows, active timeout 60 s, engine wasm$/mu);
  await daemon.stop();
  const records = await sink.waitForPackets(3);
  const counts = records.map(({ fields }) => Number(fields['packetDeltaCount']));
  assert.deepEqual(
    counts.toSorted((a, b) => a - b),
    [1, 2],
  );
});
