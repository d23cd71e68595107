// Background programs and waits of the demo.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { BackgroundProgram, hasProgram, ProgramError, run } from '../../../src/commands/demo/programs.ts';
import { becomes, pause } from '../../../src/commands/demo/wait.ts';
import { bundleProgram } from '../../support/bundled-program.ts';
import { BackgroundProgram as TestProgram } from '../../support/process.ts';
import { waitFor } from '../../support/wait.ts';

const MODULE = join(import.meta.dirname, '../../../src/commands/demo/programs.ts');

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('rejects with the output of a program that fails', async () => {
  await assert.rejects(run(['sh', '-c', 'echo no such thing >&2; exit 3']), (error) => {
    assert.ok(error instanceof ProgramError);
    assert.match(error.message, /^"sh -c .*" has failed: no such thing$/);
    return true;
  });
  assert.equal(await run(['sh', '-c', 'echo $WORD'], { WORD: 'well' }), 'well\n');
  assert.equal(hasProgram('sh'), true);
  assert.equal(hasProgram('a-missing-program'), false);
  await assert.rejects(run(['a-missing-program']), ProgramError);
});

test('runs a program again that a Ctrl-C has killed before it began, once', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'demo-programs-'));
  t.after(() => rm(folder, { recursive: true }));
  const killed = 'test -e "$MARK" || { : > "$MARK"; kill -INT $$; }; echo ran';
  assert.equal(await run(['sh', '-c', killed], { MARK: join(folder, 'mark') }), 'ran\n');
  await assert.rejects(run(['sh', '-c', 'kill -INT $$']), /killed by SIGINT/u);
});

test('does not pass settings of another switch to child processes', async (t) => {
  process.env['OVS_RUNDIR'] = '/elsewhere';
  process.env['OVS_IPFIX_DB'] = 'tcp:elsewhere';
  t.after(() => {
    delete process.env['OVS_RUNDIR'];
    delete process.env['OVS_IPFIX_DB'];
  });
  assert.equal(await run(['sh', '-c', 'echo "[$OVS_RUNDIR$OVS_IPFIX_DB]"']), '[]\n');
});

test('reports a background program that has exited, with its standard error', async () => {
  const program = await BackgroundProgram.start(['sh', '-c', 'echo no such port >&2; exit 4']);
  await waitFor(() => program.end !== undefined, { what: 'the program has ended' });
  assert.equal(program.exitCode, 4);
  assert.throws(() => program.assertRunning(), /sh has ended with exit code 4: no such port/);
});

test('kills a program that ignores SIGTERM', async () => {
  const program = await BackgroundProgram.start([
    'sh',
    '-c',
    'trap "" TERM; echo ready; while :; do sleep 0.1; done',
  ]);
  let isReady = false;
  program.onLine(() => {
    isReady = true;
  });
  await waitFor(() => isReady, { what: 'the trap is set' });
  program.assertRunning();
  await program.stop(100);
  assert.equal(program.end, 'was killed by SIGKILL');
  await program.stop();
});

test('the kernel kills the programs when the demo is killed', async () => {
  const source = `const { BackgroundProgram } = require(${JSON.stringify(await bundleProgram(MODULE))});
    BackgroundProgram.start(['sleep', '60']).then((sleeper) => console.log(sleeper.pid));
    setInterval(() => {}, 1000);`;
  const demo = await TestProgram.start(process.execPath, ['-e', source]);
  const pid = Number(await waitFor(() => /^\d+\n/.exec(demo.stdout)?.[0], { what: 'the program runs' }));
  assert.equal(isAlive(pid), true);
  await demo.stop('SIGKILL');
  await waitFor(() => !isAlive(pid), { what: 'the program is gone' });
});

test('a wait ends when the condition holds, when time is up, and when it is aborted', async () => {
  let looks = 0;
  assert.equal(await becomes(() => (looks += 1) === 3, { timeoutMs: 60_000, intervalMs: 1 }), true);
  assert.equal(looks, 3);
  assert.equal(await becomes(() => false, { timeoutMs: 5, intervalMs: 1 }), false);
  const aborted = new AbortController();
  const waiting = becomes(() => false, { timeoutMs: 60_000, intervalMs: 60_000, signal: aborted.signal });
  aborted.abort();
  assert.equal(await waiting, false);
  await pause(60_000, aborted.signal);
});
