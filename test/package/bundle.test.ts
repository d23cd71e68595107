// The files of the built program: their size, and what a command loads of them and of Node's own modules. `npm run bench -- start`
// measures the time.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { pcapFile } from '../support/captures.ts';
import { udpFrame } from '../support/frames.ts';
import { runProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';

/** Largest size in bytes. A fifth of it is packages; it has grown by transports, histories and captures since 1,250,000. */
const BYTES_MAX = 1_350_000;
/** Most bytes that a command loads. */
const VERSION_BYTES_MAX = 70_000;
const REPLAY_BYTES_MAX = 323_000;

const folder = mkdtempSync(join(tmpdir(), 'bundle-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

function sizeOf(files: readonly string[]): number {
  return files.map((file) => statSync(file).size).reduce((sum, size) => sum + size, 0);
}

test('the program has at most 1.35 MB', tier('daemon'), () => {
  const parts = join(dirname(DAEMON_FILE), 'parts');
  const names = readdirSync(parts).filter((name) => name.endsWith('.cjs'));
  const size = sizeOf([DAEMON_FILE, ...names.map((name) => join(parts, name))]);
  assert.ok(size <= BYTES_MAX, `${size} bytes`);
});

/** What a call of the program has loaded by its end. */
interface Loaded {
  /** Modules of Node that Node does not load by itself. */
  readonly builtins: readonly string[];
  /** Files of the program. */
  readonly files: readonly string[];
}

/** Runs the program with a file that Node loads before it. */
async function loadedBy(...args: readonly string[]): Promise<Loaded> {
  const before = join(folder, 'before.cjs');
  const result = join(folder, 'loaded.json');
  writeFileSync(
    before,
    `const { writeFileSync } = require('node:fs');
    const own = new Set(process.moduleLoadList);
    process.on('exit', () => {
      const builtins = process.moduleLoadList.filter((name) => !own.has(name)).map((name) => name.replace('NativeModule ', ''));
      const files = Object.keys(require.cache).filter((file) => file !== __filename);
      writeFileSync(${JSON.stringify(result)}, JSON.stringify({ builtins, files }));
    });`,
  );
  await runProgram(process.execPath, ['--require', before, DAEMON_FILE, ...args]);
  return JSON.parse(readFileSync(result, 'utf8')) as Loaded;
}

test('--version loads neither a command nor what only commands need', tier('daemon'), async () => {
  const { builtins, files } = await loadedBy('--version');
  assert.deepEqual(
    builtins.filter((name) => /^(assert|child_process|crypto|dgram|dns|http|https|tls|zlib)$/u.test(name)),
    [],
  );
  assert.ok(sizeOf(files) <= VERSION_BYTES_MAX, `${sizeOf(files)} bytes of ${files.join(', ')}`);
});

test('replay over UDP loads neither TLS nor the libraries of other commands', tier('daemon'), async (t) => {
  const sink = await UdpSink.open();
  t.after(() => sink.close());
  const capture = join(folder, 'one.pcap');
  writeFileSync(capture, pcapFile([{ frame: udpFrame({}) }]));
  const { builtins, files } = await loadedBy('replay', capture, '--to', sink.target);
  await sink.waitForCount(1);
  assert.deepEqual(
    builtins.filter((name) => /^(assert|http|https|perf_hooks|tls|zlib|internal\/tls.*)$/u.test(name)),
    [],
  );
  const ofOthers = /\$ZodType|class WebSocket|NXM_NX_|monitor_cond/u;
  assert.deepEqual(
    files.filter((file) => ofOthers.test(readFileSync(file, 'utf8'))),
    [],
  );
  assert.ok(sizeOf(files) <= REPLAY_BYTES_MAX, `${sizeOf(files)} bytes of ${files.join(', ')}`);
});
