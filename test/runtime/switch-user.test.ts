// Which users' sockets may send samples of the datapath.

import assert from 'node:assert/strict';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSwitchUser } from '../../src/runtime/switch-user.ts';

const OWN = process.getuid?.() ?? 0;
/** The user of ovs-vswitchd; only root can give a file to another user. */
const SWITCH_USER = OWN === 0 ? 12_345 : OWN;
const STRANGER = 23_456;

test('the owner of the OpenFlow socket may send, and root, but no other user', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'switch-user-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'br0.mgmt');
  const endpoint = { kind: 'unix', path } as const;
  const trusted = () => [0, SWITCH_USER, STRANGER].filter((user) => isSwitchUser(endpoint, user));
  assert.deepEqual(trusted(), [0], 'before ovs-vswitchd has made the socket');
  writeFileSync(path, '');
  chownSync(path, SWITCH_USER, -1);
  assert.deepEqual(trusted(), [0, SWITCH_USER]);
  const remote = { kind: 'tcp', host: '127.0.0.1', port: 6653 } as const;
  assert.deepEqual(
    [0, SWITCH_USER, STRANGER].filter((user) => isSwitchUser(remote, user)),
    [0],
  );
});
