// Commands whose standard output cannot be written: its disk is full, or the reader of a pipe has ended.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProgramError, runForOutput } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';

const DOCTOR = 'doctor --db unix:/nonexistent --unixctl /nonexistent';
const REPLAY = 'replay /dev/null --to 127.0.0.1:9';
/** A pipe without a reader. */
const CLOSED = 'exec 3> >(true); wait $!;';

/** Runs a line of the shell, in which `ovs-ipfix` is the program; resolves to its exit code and standard error. */
async function shell(line: string): Promise<readonly [number | undefined, string]> {
  const ovsIpfix = `ovs-ipfix() { '${process.execPath}' '${DAEMON_FILE}' "$@"; };`;
  try {
    return [0, (await runForOutput('bash', ['-c', `${ovsIpfix} ${line}`])).stderr];
  } catch (error) {
    assert.ok(error instanceof ProgramError);
    return [error.exitCode, error.stderr];
  }
}

test('a full disk ends a command with a sentence', tier('daemon'), async () => {
  for (const command of [DOCTOR, REPLAY]) {
    assert.deepEqual(
      await shell(`ovs-ipfix ${command} > /dev/full`),
      [1, 'ovs-ipfix: Standard output cannot be written: ENOSPC: no space left on device, write.\n'],
      command,
    );
  }
});

test('a reader that has ended ends a command quietly', tier('daemon'), async () => {
  for (const command of [DOCTOR, REPLAY]) {
    assert.deepEqual(await shell(`${CLOSED} ovs-ipfix ${command} >&3`), [1, ''], command);
  }
});

test('a pid file that cannot be opened ends the daemon with a sentence', tier('daemon'), async () => {
  const [exitCode, stderr] = await shell('ovs-ipfix run --db unix:/nonexistent --pidfile=/nonexistent/pid');
  assert.equal(exitCode, 1);
  assert.match(stderr, /^ovs-ipfix: The pid file \/nonexistent\/pid cannot be opened: [^\n]*\n$/u);
});
