// The program as a package installs it: in its own folder, started through a symbolic link in PATH, and upgraded while a
// daemon runs.

import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { Daemon } from '../support/daemon.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { pageAddress } from '../support/page.ts';
import { BackgroundProgram, runProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

let ovs: Ovs;
let folder: string;

before(async () => {
  ovs = await startOvs();
  folder = await mkdtemp(join(tmpdir(), 'ovs-ipfix-installed-'));
  const share = join(folder, 'share');
  await mkdir(join(folder, 'bin'));
  for (const name of ['ovs-ipfix.cjs', 'parts', 'ovs-ipfix-pidfile', 'web']) {
    await cp(join(dirname(DAEMON_FILE), name), join(share, name), { recursive: true });
  }
  await symlink(join(share, 'ovs-ipfix.cjs'), join(folder, 'bin', 'ovs-ipfix'));
});

after(async () => {
  await ovs.stop();
  await rm(folder, { recursive: true });
});

test(
  'page and pid file work through a symbolic link, and survive a replaced or removed page and program',
  tier('ovs', 'daemon'),
  async (t) => {
    const program = await BackgroundProgram.start(
      join(folder, 'bin', 'ovs-ipfix'),
      ['run', '--db', ovs.dbEndpoint, '--pidfile', '--web', '127.0.0.1:0'],
      { environment: ovs.environment },
    );
    t.after(() => program.stop('SIGTERM'));
    const ready = async () => (await ovs.appctl('-t', 'ovs-ipfix', 'ready')) === 'ready\n';
    await waitFor(ready, { what: 'the daemon is ready, and found by its name' });
    const address = await pageAddress(new Daemon(ovs, program));
    const get = async (path: string) => {
      const answer = await fetch(new URL(path, address));
      return { status: answer.status, body: await answer.text() };
    };
    assert.match((await get('/')).body, /<title>ovs-ipfix/u);
    assert.equal((await get('/page.css')).status, 200);

    const style = join(folder, 'share', 'web', 'page.css');
    await writeFile(`${style}.new`, '/* another version, of another length */');
    await rename(`${style}.new`, style);
    assert.equal((await get('/page.css')).body, '/* another version, of another length */');
    await rm(join(folder, 'share', 'web'), { recursive: true });
    assert.equal((await get('/page.css')).status, 404);
    // Of an upgrade while the daemon runs; the doctor is used for the first time.
    const parts = join(folder, 'share', 'parts');
    await rename(parts, `${parts}.removed`);
    assert.equal((await get('/doctor.json')).status, 200);
    await rename(`${parts}.removed`, parts);
    assert.equal(await ready(), true);
  },
);

test('the program prints its version when started through a symbolic link', tier('daemon'), async () => {
  assert.match(await runProgram(join(folder, 'bin', 'ovs-ipfix'), ['--version']), /^\d+\.\d+\.\d+\n$/u);
});
