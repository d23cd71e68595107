import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LIMITED_KEYS_MAX, Log } from '../../src/runtime/log.ts';
import { readToken } from '../../src/web/token.ts';
import { ManualClock } from '../support/manual-clock.ts';

function openLog() {
  const clock = new ManualClock(Date.UTC(2024, 1, 29, 12, 34, 56, 7) * 1000);
  const lines: string[] = [];
  const log = new Log({ clock, destination: (line) => lines.push(line) });
  return { clock, lines, log };
}

test("writes lines in the format of OVS's vlog files", () => {
  const { log, lines } = openLog();
  const logger = log.logger('reconciler');
  logger.info('bridge br0: hooked');
  logger.warn('a warning');
  logger.module('unixctl').error('an error');
  logger.debug('below the level');
  assert.deepEqual(lines, [
    '2024-02-29T12:34:56.007Z|00001|reconciler|INFO|bridge br0: hooked',
    '2024-02-29T12:34:56.007Z|00002|reconciler|WARN|a warning',
    '2024-02-29T12:34:56.007Z|00003|unixctl|ERR|an error',
  ]);
});

test('writes a message of several lines as several lines, and escapes control characters', () => {
  const { log, lines } = openLog();
  log.logger('m').info('one\ntwo \u001b[31m\r\u2028');
  assert.deepEqual(
    lines.map((line) => line.split('|').slice(1).join('|')),
    ['00001|m|INFO|one', '00002|m|INFO|two \\x1b[31m\\x0d\\u2028'],
  );
});

test('truncates a long message', () => {
  const { log, lines } = openLog();
  log.logger('m').info('x'.repeat(100_000));
  assert.equal(lines[0]?.split('|')[4]?.length, 4096 + 3);
});

test('sets the level of all modules or of one', () => {
  const { log, lines } = openLog();
  const [a, b] = [log.logger('a'), log.logger('b')];
  log.setLevel('debug', 'a');
  a.debug('1');
  b.debug('2');
  log.setLevel('off', 'b');
  b.error('3');
  assert.deepEqual(
    [...log.levels()],
    [
      ['a', 'debug'],
      ['b', 'off'],
    ],
  );
  log.setLevel('warn');
  a.info('4');
  b.warn('5');
  assert.deepEqual(
    lines.map((line) => line.at(-1)),
    ['1', '5'],
  );
});

test('drops and counts repeated lines, and logs the count before the next one', () => {
  const { log, lines, clock } = openLog();
  const logger = log.logger('session');
  const limited = logger.limited('send failed', { perMinute: 6, burst: 3 });
  for (let count = 0; count < 5; count += 1) {
    limited.warn(`failed ${count}`);
    clock.advance(1_000_000);
  }
  logger.warn('unlimited');
  clock.advance(10_000_000);
  // The same key has the same limit, also when the logger is made again.
  logger.limited('send failed').warn('failed again');
  log.logger('other').limited('send failed').warn('another module');
  assert.deepEqual(
    lines.map((line) => line.split('|').slice(2).join('|')),
    [
      'session|WARN|failed 0',
      'session|WARN|failed 1',
      'session|WARN|failed 2',
      'session|WARN|unlimited',
      'session|WARN|Dropped 2 log messages in last 12 seconds (most recently, 11 seconds ago) due to excessive rate',
      'session|WARN|failed again',
      'other|WARN|another module',
    ],
  );
});

test('does not count a line below its level against the limit', () => {
  const { log, lines } = openLog();
  const limited = log.logger('m').limited('key', { perMinute: 1, burst: 1 });
  limited.debug('silent');
  limited.info('heard');
  assert.equal(lines.length, 1);
});

test('drops the oldest key beyond the limit of keys', () => {
  const { log, lines } = openLog();
  const logger = log.logger('m');
  const say = (key: string) => logger.limited(key, { perMinute: 1, burst: 1 }).info(key);
  say('first');
  say('first');
  assert.equal(lines.length, 1);
  for (let count = 0; count < LIMITED_KEYS_MAX; count += 1) {
    say(`key ${count}`);
  }
  lines.length = 0;
  say('first');
  assert.equal(lines.length, 1);
});

test('writes a file immediately, and reopens it by name after logrotate has moved it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'log-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'ovs-ipfix.log');
  const log = new Log({ clock: new ManualClock(), destination: { file } });
  log.logger('m').info('before');
  assert.match(await readFile(file, 'utf8'), /\|before\n$/);
  await rename(file, `${file}.1`);
  log.reopen();
  log.logger('m').info('after');
  assert.match(await readFile(file, 'utf8'), /^[^\n]*\|00002\|m\|INFO\|after\n$/);
  assert.match(await readFile(`${file}.1`, 'utf8'), /\|before\n$/);
  log.close();
});

test('writes all lines of a turn by its end, and when it is closed', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'log-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'ovs-ipfix.log');
  const log = new Log({ clock: new ManualClock(), destination: { file } });
  const logger = log.logger('m');
  logger.info('one');
  logger.info('two');
  assert.match(readFileSync(file, 'utf8'), /^[^\n]*\|one\n$/u, 'the first is written at once');
  await new Promise(setImmediate);
  assert.match(readFileSync(file, 'utf8'), /\|one\n[^\n]*\|00002\|m\|INFO\|two\n$/u);
  logger.info('three');
  logger.info('four');
  log.close();
  assert.match(readFileSync(file, 'utf8'), /\|three\n[^\n]*\|four\n$/u);
});

test('loses and counts lines when the disk is full, without ending the process', () => {
  const log = new Log({ clock: new ManualClock(), destination: { file: '/dev/full' } });
  for (let count = 0; count < 100; count += 1) {
    log.logger('m').info('x'.repeat(4000));
  }
  assert.ok(log.lostCount > 0);
});

test('refuses a file that cannot be opened with a sentence that names the flag', () => {
  const file = join(tmpdir(), 'no-such-folder', 'ovs-ipfix.log');
  assert.throws(() => new Log({ clock: new ManualClock(0), destination: { file } }), {
    code: 'LOG_FILE',
    message:
      `The log file "${file}" cannot be opened: ENOENT: no such file or directory, open '${file}'. ` +
      'Make sure that its folder exists and that ovs-ipfix may write to it, or name another file with --log-file.',
  });
});

test('refuses pipes without another end, at which a start would wait', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pipes-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'pipe');
  execFileSync('mkfifo', [file]);
  assert.throws(() => new Log({ clock: new ManualClock(), destination: { file } }), { code: 'LOG_FILE' });
  assert.throws(() => readToken(file), /^Error: --web-token-file: .*pipe cannot be read: it is a pipe\.$/u);
});
