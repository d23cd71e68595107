// How SIGINT and SIGTERM end `ovs-ipfix replay` while it waits: for a pipe, or for a collector.

import assert from 'node:assert/strict';
import { mkdtemp, open, readdir, readlink, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { writeCapture } from '../bench/replay/capture-file.ts';
import { pcapFile } from '../support/captures.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { udpFrame } from '../support/frames.ts';
import { type BackgroundProgram, runProgram } from '../support/process.ts';
import { replayEnd, runReplay, startReplay } from '../support/replay.ts';
import { StreamSink } from '../support/stream-sink.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'replay-ending-'));
});

after(() => rm(folder, { recursive: true, force: true }));

const packets = [1, 2].map((sourcePort) => ({
  frame: udpFrame({ sourcePort }),
  micros: 1_700_000_000_000_000,
}));
/** The second flow ends the first one at once, so that a test sees when both were read; the second one stays in the cache. */
const AT_ONCE = ['--speed', 'recorded', '--cache-max-flows', '1'];

async function namedPipe(name: string): Promise<string> {
  const file = join(folder, name);
  await runProgram('mkfifo', [file]);
  return file;
}

/** Returns whether the program has opened a file, which it does when it handles signals. */
async function hasOpened(program: BackgroundProgram, file: string): Promise<boolean> {
  const descriptors = `/proc/${program.pid}/fd`;
  const links = (await readdir(descriptors)).map((name) => readlink(join(descriptors, name)).catch(() => ''));
  return (await Promise.all(links)).includes(file);
}

test(
  'records that were under way when a collector closes the connection are missing in the summary',
  tier('daemon'),
  async (t) => {
    const file = join(folder, 'closed.pcap');
    writeCapture(file, { packets: 6000, flows: 6000, distribution: 'uniform', seconds: 60, seed: 3 });
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      const isFirst = connections === 1;
      socket.on('data', () => isFirst && socket.resetAndDestroy()).on('error', () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const { exitCode, summary } = await runReplay(
      file,
      '--to',
      `tcp:127.0.0.1:${port}`,
      '--cache-active-timeout',
      '0',
    );
    assert.equal(connections, 2);
    assert.equal(exitCode, 1);
    const [collector] = summary?.collectors ?? [];
    assert.ok((collector?.recordsDeliveryUnknown ?? 0) > 0);
    assert.match(summary?.shortfalls.join() ?? '', /records? may not have arrived at tcp:127\.0\.0\.1/u);
  },
);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} ends the replay of an idle pipe: its packets are exported`, tier('daemon'), async (t) => {
    const pipe = await namedPipe(`written-${signal}`);
    const onInput = ['sh', '-c', 'exec 3<>"$0"; exec "$@" <&3', pipe];
    for (const [name, via] of [
      [pipe, []],
      ['-', onInput],
    ] as const) {
      const sink = await FlowRecordSink.open();
      t.after(() => sink.close());
      const program = await startReplay([name, '--to', sink.target, ...AT_ONCE], via);
      t.after(() => program.stop('SIGKILL'));
      const writer = await open(pipe, 'w');
      t.after(() => writer.close());
      await writer.write(pcapFile(packets));
      await sink.waitForPackets(1);
      program.signal(signal);
      const { exitCode, summary } = await replayEnd(program);
      assert.deepEqual([exitCode, summary?.packets, summary?.isInterrupted], [0, 2, true], name);
      await sink.waitForPackets(2);
    }
  });

  test(`${signal} ends the replay of a pipe that has no writer`, tier('daemon'), async (t) => {
    const pipe = await namedPipe(`unwritten-${signal}`);
    const program = await startReplay([pipe, '--to', '127.0.0.1:9']);
    t.after(() => program.stop('SIGKILL'));
    await waitFor(() => hasOpened(program, pipe), { what: 'the pipe is open', timeoutMs: 10_000 });
    program.signal(signal);
    const { exitCode, summary } = await replayEnd(program);
    assert.deepEqual([exitCode, summary?.packets, summary?.isInterrupted], [0, 0, true]);
  });
}

test('a pipe is read to its end when its writer closes it', tier('daemon'), async (t) => {
  const sink = await FlowRecordSink.open();
  t.after(() => sink.close());
  const pipe = await namedPipe('closed');
  const program = await startReplay([pipe, '--to', sink.target]);
  t.after(() => program.stop('SIGKILL'));
  const writer = await open(pipe, 'w');
  await writer.write(pcapFile(packets));
  await writer.close();
  const { exitCode, summary } = await replayEnd(program);
  assert.deepEqual([exitCode, summary?.packets, summary?.isInterrupted], [0, 2, false]);
});

test(
  'a second signal ends a replay whose collector takes nothing, with exit code 1',
  tier('daemon'),
  async (t) => {
    const sink = await StreamSink.open({ isPaused: true });
    t.after(() => sink.close());
    const file = join(folder, 'many.pcap');
    writeCapture(file, { packets: 600_000, flows: 500_000, distribution: 'uniform', seconds: 60, seed: 4 });
    const program = await startReplay([file, '--to', sink.target, '--cache-max-flows', '1000']);
    t.after(() => program.stop('SIGKILL'));
    await waitFor(() => sink.connectionCount > 0, {
      what: 'the collector has a connection',
      timeoutMs: 10_000,
    });
    program.signal('SIGINT');
    program.signal('SIGTERM');
    const { exitCode, summary } = await replayEnd(program);
    assert.equal(exitCode, 1);
    assert.match(
      summary?.shortfalls.join(' ') ?? '',
      /A second signal ended the replay before all records were sent/u,
    );
  },
);
