// Flows that are divided between files, and between a file and a collector over TCP: each record is in one place, also when one of them
// fails for a while.

import assert from 'node:assert/strict';
import { renameSync, rmSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import type { CollectorTarget, SessionListener } from '../../src/export/collector-session.ts';
import { FileSession } from '../../src/export/file-session.ts';
import type { FileFolder } from '../../src/export/files/file-folder.ts';
import { TcpSession } from '../../src/export/tcp-session.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { NumberedExporter, numbersOf, range, targetOf } from '../support/delivery.ts';
import { openFolder, readFiles } from '../support/file-collector.ts';
import { StreamSink } from '../support/stream-sink.ts';
import { waitFor } from '../support/wait.ts';

const SOON = { retryMinMs: 20, retryMaxMs: 40 };
const BALANCE = { mode: 'balance', failbackSeconds: 0 } as const;
const parts = { clock: systemClock, log: silentLogger };

/** Starts an exporter whose files are in the folder that `folderOf` returns. */
function start(
  t: TestContext,
  targets: readonly string[],
  folderOf: (target: CollectorTarget) => FileFolder,
) {
  const openSession = (target: CollectorTarget, listener: SessionListener) =>
    target.transport === 'tcp'
      ? new TcpSession(target, listener, parts, SOON)
      : new FileSession(target, listener, { ...parts, folder: folderOf(target) }, SOON);
  const numbered = new NumberedExporter(targets.map(targetOf), openSession, BALANCE);
  t.after(() => numbered.exporter.stop());
  return numbered;
}

function open(t: TestContext): FileFolder {
  const folder = openFolder();
  t.after(() => rmSync(folder.path, { recursive: true, force: true }));
  return folder;
}

const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);
const sent = (numbered: NumberedExporter, count: number) =>
  waitFor(() => numbered.collector(0).recordsSent + numbered.collector(1).recordsSent === count, {
    what: `${count} records are handed over`,
  });

test('two files of one folder have each record once, and each a part of them', async (t) => {
  const folder = open(t);
  const numbered = start(t, ['file:a.ipfix', 'file:b.ipfix'], () => folder);
  for (let count = 200; count <= 1000; count += 200) {
    numbered.send(200);
    await sent(numbered, count);
  }
  await numbered.exporter.stop();
  const { records, problems } = readFiles(folder.path);
  assert.deepEqual([sorted(numbersOf(records)), problems], [range(0, 1000), []]);
  for (const index of [0, 1]) {
    const { recordsSent, recordsLost, files } = numbered.collector(index);
    assert.ok(recordsSent > 300, `${recordsSent} records in the file ${index}`);
    assert.deepEqual([recordsLost, files?.written], [0, 1]);
  }
});

test('the flows of a file whose disk fails go to the other one, and what waited is written when it works', async (t) => {
  const folders = [open(t), open(t)];
  const numbered = start(t, ['file:0.ipfix', 'file:1.ipfix'], ({ host }) => folders[Number(host[0])]!);
  await waitFor(() => numbered.collector(0).state === 'open', { what: 'the folder is there' });
  const path = folders[0]?.path ?? '';
  renameSync(path, `${path}-away`);
  numbered.send(100);
  await waitFor(() => !numbered.collector(0).isInUse, { what: 'it has failed', timeoutMs: 10_000 });
  await waitFor(() => numbered.collector(0).backlogCount > 0, { what: 'its records wait' });
  const { recordsSent: before } = numbered.collector(1);
  assert.ok(before > 20 && before < 80, `${before} records in the other file`);
  numbered.send(200);
  await waitFor(() => numbered.collector(1).recordsSent === before + 200, { what: 'it has all' });
  renameSync(`${path}-away`, path);
  await waitFor(() => numbered.collector(0).isInUse, { what: 'it is used again', timeoutMs: 10_000 });
  numbered.send(200);
  await sent(numbered, 500);
  await numbered.exporter.stop();
  const numbers = folders.flatMap((folder) => numbersOf(readFiles(folder.path).records));
  assert.deepEqual(sorted(numbers), range(0, 500));
  assert.ok(numbered.collector(0).recordsSent > 100 - before, 'flows go to it again');
  assert.deepEqual([numbered.collector(0).recordsLost, numbered.collector(1).recordsLost], [0, 0]);
});

test('a file and a collector over TCP share flows, and the file takes all while the collector is away', async (t) => {
  const folder = open(t);
  const sink = await StreamSink.open();
  t.after(() => sink.close());
  const numbered = start(t, [sink.target, 'file:a.ipfix'], () => folder);
  numbered.send(200);
  await sent(numbered, 200);
  await waitFor(() => sink.records.length === numbered.collector(0).recordsSent, { what: 'they arrive' });
  const before = sink.records.length;
  assert.ok(before > 50 && before < 150, `${before} records over TCP`);
  const port = await sink.close();
  await waitFor(() => !numbered.collector(0).isInUse, { what: 'it has failed', timeoutMs: 10_000 });
  numbered.send(200);
  await sent(numbered, 400);
  assert.equal(numbered.collector(0).recordsSent, before);
  await sink.reopen(port);
  await waitFor(() => numbered.collector(0).isInUse, { what: 'it is used again', timeoutMs: 10_000 });
  numbered.send(200);
  await sent(numbered, 600);
  await numbered.exporter.stop();
  await waitFor(() => sink.records.length === numbered.collector(0).recordsSent, { what: 'all arrive' });
  const numbers = [...numbersOf(sink.records), ...numbersOf(readFiles(folder.path).records)];
  assert.deepEqual([sorted(numbers), sink.problems], [range(0, 600), []]);
  assert.ok(sink.records.length > before);
});
