import assert from 'node:assert/strict';
import {
  existsSync,
  linkSync,
  lstatSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FileSession } from '../../src/export/file-session.ts';
import type { FileFolder } from '../../src/export/files/file-folder.ts';
import { fileName } from '../../src/export/files/file-pattern.ts';
import { SESSION_DEFAULTS } from '../../src/export/socket-session.ts';
import { type Clock, systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { NumberedExporter, numbersOf, range, targetOf } from '../support/delivery.ts';
import { namesIn, openFolder, partIn, readFileRecords, readFiles } from '../support/file-collector.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { waitFor } from '../support/wait.ts';
import { CountingListener, numberedMessage } from './session-contract.ts';

/** The system's clock with another time of day. */
class WallClock implements Clock {
  wallMs = Date.UTC(2026, 0, 2, 3, 4, 5);
  monotonicMicros = () => systemClock.monotonicMicros();
  wallMicros = () => this.wallMs * 1000;
  setTimer = (callback: () => void, delayMs: number) => systemClock.setTimer(callback, delayMs);
}

/** Starts an exporter to files in the folder, which the test removes. */
function start(t: TestContext, folder: FileFolder, pattern: string, queueBytesMax = 1_000_000) {
  const parts = { clock: systemClock, log: silentLogger, folder };
  const numbered = new NumberedExporter([targetOf(`file:${pattern}`)], (target, listener) => {
    return new FileSession(target, listener, parts, { retryMinMs: 20, retryMaxMs: 40, queueBytesMax });
  });
  t.after(async () => {
    await numbered.exporter.stop();
    rmSync(folder.path, { recursive: true, force: true });
  });
  return numbered;
}

const written = (numbered: NumberedExporter, count: number) =>
  waitFor(() => numbered.collector().recordsSent === count, { what: `${count} records are written` });

test('names are those of UTC', () => {
  const wallMs = Date.UTC(2026, 0, 2, 3, 4, 5);
  assert.equal(fileName('a%Y-%m-%d.%H%M%S%S.ipfix', wallMs), 'a2026-01-02.0304050'.concat('5.ipfix'));
});

test('each time has a file, which gets its name when the time is over, and can be read by itself', async (t) => {
  const clock = new WallClock();
  const folder = openFolder({}, clock);
  const numbered = start(t, folder, '%Y%m%d%H%M.ipfix');
  numbered.send(10);
  await written(numbered, 10);
  assert.deepEqual(namesIn(folder.path), ['.202601020304.ipfix.part']);
  assert.deepEqual(numbered.collector().files, { current: '202601020304.ipfix', written: 0, removed: 0 });
  clock.wallMs += 60_000;
  await waitFor(() => namesIn(folder.path).join(' ') === '202601020304.ipfix', { what: 'it is complete' });
  numbered.send(10);
  await written(numbered, 20);
  clock.wallMs -= 60_000;
  numbered.send(10);
  await written(numbered, 30);
  await numbered.exporter.stop();
  const names = ['202601020304-2.ipfix', '202601020304.ipfix', '202601020305.ipfix'];
  assert.deepEqual(namesIn(folder.path), names);
  const contents = names.map((name) => readFileRecords(join(folder.path, name)));
  assert.deepEqual(
    contents.map(({ records, problems }) => [numbersOf(records), problems]),
    [
      [range(20, 30), []],
      [range(0, 10), []],
      [range(10, 20), []],
    ],
  );
  assert.equal(statSync(join(folder.path, names[0] ?? '')).mode & 0o777, 0o640);
  const { recordsSent, recordsLost, files } = numbered.collector();
  assert.deepEqual(
    [recordsSent, recordsLost, files],
    [30, 0, { current: undefined, written: 3, removed: 0 }],
  );
});

test('a file ends at its size, and the oldest ones of the target are removed at the size of the folder', async (t) => {
  const folder = openFolder({ fileBytesMax: 20_000, folderBytesMax: 100_000 });
  writeFileSync(join(folder.path, 'other.ipfix'), Buffer.alloc(10_000));
  const numbered = start(t, folder, 'all.ipfix');
  for (let batch = 1; batch <= 40; batch += 1) {
    numbered.send(50);
    await written(numbered, batch * 50);
  }
  await numbered.exporter.stop();
  const { files } = numbered.collector();
  const sizes = namesIn(folder.path).map((name) => statSync(join(folder.path, name)).size);
  assert.ok(sizes.reduce((sum, size) => sum + size, 0) <= 100_000, `${sizes.join(' ')} bytes`);
  assert.ok(sizes.every((size) => size <= 22_000));
  assert.ok(existsSync(join(folder.path, 'other.ipfix')));
  assert.ok((files?.removed ?? 0) > 5);
  assert.equal(namesIn(folder.path).length - 1, (files?.written ?? 0) - (files?.removed ?? 0));
  rmSync(join(folder.path, 'other.ipfix'));
  const numbers = numbersOf(readFiles(folder.path).records).toSorted((a, b) => a - b);
  assert.deepEqual(numbers, range(2000 - numbers.length, 2000), 'the newest records are there');
});

test('a folder that is full of other files is an error, and what waits is written when there is room', async (t) => {
  const folder = openFolder({ fileBytesMax: 20_000, folderBytesMax: 40_000 });
  const other = join(folder.path, 'other.ipfix');
  writeFileSync(other, Buffer.alloc(30_000));
  const numbered = start(t, folder, 'all.ipfix', 40_000);
  await waitFor(
    () => {
      numbered.send(10);
      return numbered.collector().recordsLostBy.queueFull > 0;
    },
    { what: 'the queue is full' },
  );
  const full = numbered.collector();
  assert.ok((full.errors['EDQUOT'] ?? 0) > 0);
  assert.ok(full.backlogBytes <= 40_000);
  await waitFor(() => numbered.collector().state !== 'open', { what: 'the folder is an error' });
  assert.ok(existsSync(other), 'files of others stay');
  rmSync(other);
  await waitFor(() => numbered.collector().backlogCount === 0, {
    what: 'the queue is written',
    timeoutMs: 20_000,
  });
  await numbered.exporter.stop();
  const { recordsSent, recordsLost, recordsLostBy } = numbered.collector();
  assert.equal(recordsLost, recordsLostBy.queueFull);
  assert.equal(readFiles(folder.path).records.length, recordsSent);
});

test('a folder that is away for a while loses nothing', async (t) => {
  const folder = openFolder({}, new WallClock());
  const numbered = start(t, folder, '%Y%m%d%H%M.ipfix');
  await waitFor(() => numbered.collector().state === 'open', { what: 'the folder is there' });
  renameSync(folder.path, `${folder.path}-away`);
  numbered.send(20);
  await waitFor(() => (numbered.collector().errors['ENOENT'] ?? 0) > 1, { what: 'errors are counted' });
  renameSync(`${folder.path}-away`, folder.path);
  await written(numbered, 20);
  await numbered.exporter.stop();
  assert.deepEqual(numbersOf(readFiles(folder.path).records), range(0, 20));
  assert.equal(numbered.collector().recordsLost, 0);
});

test('existing files and symbolic links are never written, followed or replaced', async (t) => {
  const outside = openFolder();
  const victim = join(outside.path, 'victim');
  writeFileSync(victim, 'as it was');
  const folder = openFolder();
  symlinkSync(victim, join(folder.path, 'a.ipfix'));
  symlinkSync(join(outside.path, 'new'), join(folder.path, '.a-2.ipfix.part'));
  writeFileSync(join(folder.path, 'a-3.ipfix'), 'as it was');
  const numbered = start(t, folder, 'a.ipfix');
  numbered.send(10);
  await written(numbered, 10);
  await numbered.exporter.stop();
  assert.deepEqual(namesIn(outside.path), ['victim']);
  assert.equal(readFileSync(victim, 'utf8'), 'as it was');
  assert.equal(readFileSync(join(folder.path, 'a-3.ipfix'), 'utf8'), 'as it was');
  assert.ok(lstatSync(join(folder.path, 'a.ipfix')).isSymbolicLink());
  const ours = namesIn(folder.path).filter(
    (name) => !['a.ipfix', 'a-3.ipfix', '.a-2.ipfix.part'].includes(name),
  );
  assert.deepEqual(
    ours.map((name) => readFileRecords(join(folder.path, name)).records.length),
    [10],
  );
  rmSync(outside.path, { recursive: true });
});

test('files of a killed process are completed with their whole messages at the start', async (t) => {
  const first = openFolder();
  const before = start(t, first, 'a.ipfix');
  before.send(10);
  await written(before, 10);
  const part = readFileSync(join(first.path, partIn(first.path)));
  const folder = openFolder();
  const at = (name: string) => join(folder.path, name);
  writeFileSync(at('a.ipfix'), 'another file');
  writeFileSync(at('.a.ipfix.part'), Buffer.concat([part, part.subarray(0, 100)]));
  writeFileSync(at('.b.ipfix.part'), 'no message');
  writeFileSync(at('.notes.part'), 'of others');
  writeFileSync(at('c.ipfix'), part);
  linkSync(at('c.ipfix'), at('.c.ipfix.part'));
  const victim = join(first.path, 'victim');
  writeFileSync(victim, 'as it was');
  symlinkSync(victim, at('.d.ipfix.part'));
  linkSync(victim, at('.e.ipfix.part'));
  const numbered = start(t, folder, 'z.ipfix');
  numbered.send(1);
  await written(numbered, 1);
  await numbered.exporter.stop();
  const left = ['.d.ipfix.part', '.e.ipfix.part', '.notes.part'];
  assert.deepEqual(namesIn(folder.path), [...left, 'a-2.ipfix', 'a.ipfix', 'c.ipfix', 'z.ipfix']);
  assert.deepEqual(readFileSync(at('a-2.ipfix')), part);
  assert.equal(readFileSync(victim, 'utf8'), 'as it was');
});

test('two exporters with one pattern write files of their own', async (t) => {
  const folder = openFolder();
  const numbered = [start(t, folder, 'a.ipfix'), start(t, folder, 'a.ipfix')];
  for (const each of numbered) {
    each.send(100);
  }
  await Promise.all(numbered.map((each) => written(each, 100)));
  await Promise.all(numbered.map((each) => each.exporter.stop()));
  assert.deepEqual(namesIn(folder.path), ['a-2.ipfix', 'a.ipfix']);
  for (const name of namesIn(folder.path)) {
    const { records, problems } = readFileRecords(join(folder.path, name));
    assert.deepEqual([numbersOf(records), problems], [range(0, 100), []]);
  }
});

test('the oldest file is the one that was changed first', async (t) => {
  const folder = openFolder({ fileBytesMax: 20_000, folderBytesMax: 60_000 });
  for (const [name, seconds] of [
    ['01.ipfix', 3000],
    ['02.ipfix', 1000],
    ['03.ipfix', 2000],
    ['3x.ipfix', 1],
  ] as const) {
    writeFileSync(join(folder.path, name), Buffer.alloc(12_000));
    utimesSync(join(folder.path, name), seconds, seconds);
  }
  const numbered = start(t, folder, '%d.ipfix');
  numbered.send(1);
  await written(numbered, 1);
  assert.deepEqual(
    namesIn(folder.path).filter((name) => !name.startsWith('.')),
    ['01.ipfix', '03.ipfix', '3x.ipfix'],
  );
});

test('a file whose disk fails is a collector that has failed: another one gets the records until it works again', async (t) => {
  const folders = [openFolder(), openFolder()];
  const numbered = new NumberedExporter(
    [targetOf('file:0.ipfix'), targetOf('file:1.ipfix')],
    (target, listener) => {
      const folder = folders[Number(target.host[0])]!;
      const parts = { clock: systemClock, log: silentLogger, folder };
      return new FileSession(target, listener, parts, { retryMinMs: 20, retryMaxMs: 40 });
    },
    { mode: 'failover', failbackSeconds: 0 },
  );
  t.after(async () => {
    await numbered.exporter.stop();
    for (const { path } of folders) {
      rmSync(path, { recursive: true, force: true });
    }
  });
  const path = folders[0]?.path ?? '';
  await waitFor(() => numbered.collector(0).state === 'open', { what: 'the folder is there' });
  renameSync(path, `${path}-away`);
  numbered.send(10);
  await waitFor(() => numbered.collector(1).isInUse && !numbered.collector(0).isInUse, {
    what: 'it has failed',
  });
  numbered.send(10);
  await waitFor(() => numbered.collector(1).recordsSent === 10, { what: 'the other collector has them' });
  renameSync(`${path}-away`, path);
  await waitFor(() => numbered.collector(0).isInUse, { what: 'it is used again' });
  await waitFor(() => numbered.collector(0).recordsSent === 10, { what: 'what waited is written' });
  await numbered.exporter.stop();
  assert.deepEqual(
    folders.map((folder) => numbersOf(readFiles(folder.path).records)),
    [range(0, 10), range(10, 20)],
  );
});

/** A session whose disk does not answer an append until `answer` is called; a clock that the test controls. */
function stalled(t: TestContext) {
  const folder = openFolder();
  const clock = new ManualClock();
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  let appends = 0;
  const create = folder.create.bind(folder);
  folder.create = async (pattern) => {
    const created = await create(pattern);
    const append = created.file.append.bind(created.file);
    created.file.append = async (messages) => {
      appends += 1;
      await answered;
      await append(messages);
    };
    return created;
  };
  const parts = { clock, log: silentLogger, folder };
  const session = new FileSession(targetOf('file:a.ipfix'), new CountingListener(), parts);
  session.start();
  for (let serial = 0; serial < 100; serial += 1) {
    session.send(numberedMessage(serial), 16, 1);
  }
  t.after(() => rmSync(folder.path, { recursive: true, force: true }));
  const isAppending = () => waitFor(() => appends === 1, { what: 'messages are appended' });
  return { folder, clock, answer, session, isAppending };
}

test('what is being written at a stop has been sent when the disk answers, and the rest is lost', async (t) => {
  const { folder, clock, answer, session, isAppending } = stalled(t);
  await isAppending();
  const stopping = session.stop();
  await clock.advanceMs(SESSION_DEFAULTS.drainMs);
  answer();
  assert.equal(await stopping, 36);
  const { recordsSent, recordsLost, recordsDeliveryUnknown, files } = session.status();
  assert.deepEqual([recordsSent, recordsLost, recordsDeliveryUnknown, files?.written], [64, 36, 0, 1]);
  assert.equal(statSync(join(folder.path, 'a.ipfix')).size, 64 * 16);
});

test('what is being written at a stop is of unknown delivery when the disk does not answer', async (t) => {
  const { folder, clock, answer, session, isAppending } = stalled(t);
  await isAppending();
  const stopping = session.stop();
  await clock.advanceMs(SESSION_DEFAULTS.drainMs);
  await clock.advanceMs(1000);
  assert.equal(await stopping, 36);
  const counts = () => {
    const { recordsSent, recordsLost, recordsDeliveryUnknown } = session.status();
    return [recordsSent, recordsLost, recordsDeliveryUnknown];
  };
  assert.deepEqual(counts(), [64, 36, 64]);
  answer();
  await waitFor(() => existsSync(join(folder.path, 'a.ipfix')), { what: 'the disk has answered' });
  assert.deepEqual(counts(), [64, 36, 64]);
});
