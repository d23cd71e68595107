// A control socket with a few commands, for the tests of the server and of its clients.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '../../src/runtime/clock.ts';
import { Log } from '../../src/runtime/log.ts';
import { askUnixctl } from '../../src/unixctl/client.ts';
import { CommandRegistry } from '../../src/unixctl/commands.ts';
import { UnixctlError } from '../../src/unixctl/errors.ts';
import { UnixctlServer, type UnixctlServerOptions } from '../../src/unixctl/server.ts';

/** Starts it; it stops with the test. */
export async function startServer(t: TestContext, options: Partial<UnixctlServerOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'unixctl-'));
  const path = join(folder, 'ovs-ipfix.1.ctl');
  const lines: string[] = [];
  const log = new Log({ clock: systemClock, destination: (line) => lines.push(line), level: 'debug' });
  const commands = new CommandRegistry('ovs-ipfix 1.2.3');
  commands.register('echo', '[word]...', 1, 3, (args) => args.join(' '));
  commands.register('later', '', 0, 0, async () => {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    return 'it took a while\n';
  });
  commands.register('refuse', '', 0, 0, () => {
    throw new UnixctlError('UNIXCTL_REFUSED', 'bridge br0 has no hook yet');
  });
  commands.register('break', '', 0, 0, () => {
    throw new TypeError('two facts disagree');
  });
  const server = new UnixctlServer({
    path,
    commands,
    clock: systemClock,
    log: log.logger('unixctl'),
    ...options,
  });
  await server.start();
  t.after(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const ask = (command: string, ...args: string[]) => askUnixctl(path, command, args, { clock: systemClock });
  return { server, path, lines, ask, commands };
}
