// Two processes that write files into one folder: each has a `FileFolder` of its own, as a daemon has.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FileSession } from '../../src/export/file-session.ts';
import type { FileFolder } from '../../src/export/files/file-folder.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { NumberedExporter, numbersOf, range, targetOf } from '../support/delivery.ts';
import { namesIn, openFolder, partIn, readFileRecords, readFiles } from '../support/file-collector.ts';
import { waitFor } from '../support/wait.ts';

/** Starts an exporter to files in the folder. */
function start(t: TestContext, folder: FileFolder): NumberedExporter {
  const parts = { clock: systemClock, log: silentLogger, folder };
  const numbered = new NumberedExporter([targetOf('file:a.ipfix')], (target, listener) => {
    return new FileSession(target, listener, parts, { retryMinMs: 20, retryMaxMs: 40 });
  });
  t.after(() => numbered.exporter.stop());
  return numbered;
}

function openShared(t: TestContext): FileFolder {
  const folder = openFolder();
  t.after(() => rmSync(folder.path, { recursive: true, force: true }));
  return folder;
}

async function write(numbered: NumberedExporter, count: number): Promise<void> {
  const { recordsSent } = numbered.collector();
  numbered.send(count);
  await waitFor(() => numbered.collector().recordsSent === recordsSent + count, { what: 'it is written' });
}

test('a process leaves the file alone that another one is writing, and no file is replaced or mixed', async (t) => {
  const folder = openShared(t);
  const first = start(t, folder);
  await write(first, 10);
  const second = start(t, openFolder({ path: folder.path }));
  await write(second, 20);
  assert.deepEqual(namesIn(folder.path), ['.a.ipfix.part', '.a.ipfix.part']);
  await write(first, 10);
  await write(second, 20);
  await Promise.all([first.exporter.stop(), second.exporter.stop()]);
  assert.deepEqual(readdirSync(folder.path).toSorted(), ['a-2.ipfix', 'a.ipfix'], 'no socket is left');
  const contents = namesIn(folder.path).map((name) => readFileRecords(join(folder.path, name)));
  assert.deepEqual(
    contents.map(({ records, problems }) => `${records.length} ${problems.length}`).toSorted(),
    ['20 0', '40 0'],
  );
  for (const { records } of contents) {
    assert.deepEqual(numbersOf(records), range(0, records.length));
  }
  assert.deepEqual([first.collector().recordsLost, second.collector().recordsLost], [0, 0]);
});

test('of several processes that find the file of a killed one, one completes it', async (t) => {
  const folder = openShared(t);
  const before = start(t, folder);
  await write(before, 10);
  const content = readFileSync(join(folder.path, partIn(folder.path)));
  const after = openShared(t);
  // The socket of a process that was killed: no process listens at it.
  const token = '0123456789abcdef';
  const path = join(after.path, `.ovs-ipfix-${token}.sock`);
  const script =
    'require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))';
  assert.equal(spawnSync(process.execPath, ['-e', script, path]).signal, 'SIGKILL');
  const left = readdirSync(after.path);
  for (let file = 0; file < 20; file += 1) {
    writeFileSync(join(after.path, `.f${10 + file}.ipfix.${token}.part`), content);
  }
  const folders = [after, ...Array.from({ length: 3 }, () => openFolder({ path: after.path }))];
  await Promise.all(folders.map((each) => each.ready()));
  assert.deepEqual(left, [`.ovs-ipfix-${token}.sock`], 'the killed process has left its socket');
  assert.deepEqual(
    readdirSync(after.path).toSorted(),
    range(10, 30).map((file) => `f${file}.ipfix`),
  );
  assert.equal(readFiles(after.path).records.length, 200);
});
