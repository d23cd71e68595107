// The control socket with ovs-appctl as its client.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ProgramError, runProgram } from '../support/process.ts';
import { tier } from '../support/tiers.ts';
import { startServer } from '../unixctl/control-server.ts';

test('ovs-appctl lists and runs commands, and prints refusals', tier('ovs'), async (t) => {
  const { path } = await startServer(t);
  const appctl = (...args: string[]) => runProgram('ovs-appctl', ['-t', path, ...args]);
  const list = await appctl('list-commands');
  assert.match(list, /^The available commands are:\n {2}break\n {2}echo {20}\[word\]\.\.\.\n/);
  assert.match(list, /\n {2}version\n$/);
  assert.equal(await appctl('version'), 'ovs-ipfix 1.2.3\n');
  assert.equal(await appctl('echo', 'a "quoted" word', 'ü'), 'a "quoted" word ü\n');
  assert.equal(await appctl('later'), 'it took a while\n');
  await assert.rejects(appctl('refuse'), (error: ProgramError) => {
    assert.equal(error.exitCode, 2);
    assert.match(error.stderr, /^bridge br0 has no hook yet\n/);
    return true;
  });
  await assert.rejects(appctl('no-such'), /There is no command "no-such"; list-commands shows all/);
});
