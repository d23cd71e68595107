import assert from 'node:assert/strict';
import { once } from 'node:events';
import { lstat, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/runtime/clock.ts';
import { dial } from '../../src/runtime/endpoint.ts';
import { Log } from '../../src/runtime/log.ts';
import { askUnixctl } from '../../src/unixctl/client.ts';
import { CommandRegistry } from '../../src/unixctl/commands.ts';
import { UnixctlServer } from '../../src/unixctl/server.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ProgramError, runProgram } from '../support/process.ts';
import { waitFor } from '../support/wait.ts';
import { startServer } from './control-server.ts';

/** Sends bytes, and returns the answer until the server closes or `until` arrives. */
async function converse(path: string, bytes: string, until?: string): Promise<string> {
  const socket = connect(path);
  let said = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (until !== undefined && said.includes(until)) {
      socket.destroy();
    }
  });
  // The server may close before it has read everything; what it sent until then is the answer.
  socket.on('error', () => {});
  await new Promise((resolve) => {
    socket.once('close', resolve);
    socket.write(bytes);
  });
  return said;
}

test('answers its own client as it answers ovs-appctl', async (t) => {
  const { ask } = await startServer(t);
  assert.equal(await ask('version'), 'ovs-ipfix 1.2.3\n');
  await assert.rejects(ask('refuse'), { code: 'UNIXCTL_REFUSED', message: 'bridge br0 has no hook yet' });
});

test('refuses a wrong number of arguments with the usage of the command', async (t) => {
  const { ask } = await startServer(t);
  await assert.rejects(ask('echo'), {
    message: 'The command echo takes at least 1 arguments and got 0. Usage: echo [word]...',
  });
  await assert.rejects(ask('echo', '1', '2', '3', '4'), /at most 3 arguments and got 4/);
  await assert.rejects(ask('version', 'x'), /exactly 0 arguments and got 1/);
});

test('reports a failing command to the operator, and logs its stack', async (t) => {
  const { ask, lines } = await startServer(t);
  await assert.rejects(ask('break'), {
    message: 'The command break failed because of a bug; the log has the stack.',
  });
  assert.ok(lines.some((line) => /\|unixctl\|ERR\|.*TypeError: two facts disagree/.test(line)));
});

test('answers requests in order, whether whole, cut at each byte, or several at once', async (t) => {
  const { path } = await startServer(t);
  const requests =
    '{"id":1,"method":"later","params":[]}{"id":"two","method":"echo","params":["}{"]}\n{"id":3,"method":"version","params":[]}';
  const answers =
    '{"id":1,"result":"it took a while\\n","error":null}{"id":"two","result":"}{\\n","error":null}' +
    '{"id":3,"result":"ovs-ipfix 1.2.3\\n","error":null}';
  assert.equal(await converse(path, requests, '1.2.3\\n","error":null}'), answers);
  const socket = connect(path);
  let said = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  for (const byte of requests) {
    await new Promise<void>((resolve) => {
      socket.write(byte, () => resolve());
    });
  }
  await waitFor(() => said === answers, { what: `the answers to single bytes; so far ${said}` });
  socket.destroy();
});

test('closes only the connection that sends an invalid request', async (t) => {
  const { path, ask, lines } = await startServer(t);
  for (const bytes of [
    'GET / HTTP/1.1\r\n\r\n',
    '{"id":1}',
    '{"id":1,"method":"version","params":[1]}',
    '{"id":1,"method":"version"}',
    '{"method":"version","params":[]}',
    '{"id":1,"method":"version","params":[[[[[[["deep"]]]]]]]}',
    '{"id":1,"method":"version","params":}',
    `{"id":1,"method":"echo","params":["${'x'.repeat(70_000)}"]}`,
    '{"id":1,"method":"version","params":[]}'.repeat(1000),
  ]) {
    const said = await converse(path, bytes);
    assert.ok(said.length < 200, `${bytes.slice(0, 60)} was answered with ${said.slice(0, 100)}`);
  }
  assert.equal(await ask('version'), 'ovs-ipfix 1.2.3\n');
  assert.ok(lines.every((line) => !line.includes('|ERR|')));
});

test('at the limit, an idle connection gives way to a new one, and one whose command runs does not', async (t) => {
  const { path, server, commands } = await startServer(t, { connectionsMax: 2 });
  const version = '{"id":1,"method":"version","params":[]}';
  let end: (text: string) => void = () => {};
  commands.register('held', '', 0, 0, () => new Promise<string>((resolve) => (end = resolve)));
  const held = converse(path, '{"id":1,"method":"held","params":[]}', 'done');
  await waitFor(() => server.status().requestCount === 1, { what: 'the command runs' });
  const idle = connect(path).resume();
  await waitFor(() => server.status().connectionCount === 2, { what: 'two connections are open' });
  const closed = once(idle, 'close');
  assert.match(await converse(path, version, '}'), /1\.2\.3/u);
  await closed;
  assert.deepEqual([server.status().evictedCount, server.status().refusedCount], [1, 0]);

  await waitFor(() => server.status().connectionCount === 1, { what: 'that connection is closed' });
  commands.register('held too', '', 0, 0, () => new Promise<string>(() => {}));
  const other = connect(path);
  t.after(() => other.destroy());
  other.write('{"id":1,"method":"held too","params":[]}');
  await waitFor(() => server.status().requestCount === 3, { what: 'two commands run' });
  assert.equal(await converse(path, version), '');
  assert.deepEqual([server.status().evictedCount, server.status().refusedCount], [1, 1]);
  end('done');
  assert.match(await held, /done/u);
});

test('closes an idle connection', async (t) => {
  const clock = new ManualClock();
  const { path, server } = await startServer(t, { clock, idleTimeoutMs: 1000 });
  const [first, second] = [connect(path), connect(path)];
  await waitFor(() => server.status().connectionCount === 2, { what: 'two connections are open' });
  const closed = Promise.all([once(first, 'close'), once(second, 'close')]);
  clock.advance(999_000);
  assert.equal(server.status().connectionCount, 2);
  clock.advance(1000);
  first.resume();
  second.resume();
  await closed;
  await waitFor(() => server.status().connectionCount === 0, { what: 'both are closed' });
});

test('opens the socket for its owner only, and removes it at the stop', async (t) => {
  const { path, server } = await startServer(t);
  assert.equal((await lstat(path)).mode & 0o777, 0o700);
  await server.stop();
  await assert.rejects(lstat(path), { code: 'ENOENT' });
  assert.equal(server.status().state, 'stopped');
});

test('sends an answer in progress when the server stops', async (t) => {
  const { server, ask, commands } = await startServer(t);
  const asked = new Promise<(text: string) => void>((resolve) => {
    commands.register('held', '', 0, 0, () => new Promise<string>(resolve));
  });
  const answer = ask('held');
  const release = await asked;
  const stopped = server.stop();
  release('the last word');
  assert.equal(await answer, 'the last word\n');
  await stopped;
});

test('replaces a stale socket, but not one in use or an ordinary file', async (t) => {
  const { path, server } = await startServer(t);
  const another = new UnixctlServer({
    path,
    commands: new CommandRegistry('x'),
    clock: systemClock,
    log: new Log({ clock: systemClock, destination: () => {} }).logger('unixctl'),
  });
  await assert.rejects(another.start(), { code: 'UNIXCTL_IN_USE' });
  await server.stop();
  await writeFile(path, 'precious');
  await assert.rejects(another.start(), { code: 'UNIXCTL_IN_USE' });
  await rm(path);
  // A process that is killed leaves its socket behind.
  await runProgram(process.execPath, [
    '-e',
    `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]).catch((error: unknown) => assert.ok(error instanceof ProgramError));
  assert.ok((await lstat(path)).isSocket());
  await another.start();
  assert.equal(await askUnixctl(path, 'version', [], { clock: systemClock }), 'x\n');
  await another.stop();
});

test('the client names the errors of the server', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'unixctl-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'x.ctl');
  const ask = (timeoutMs = 5000) => askUnixctl(path, 'version', [], { clock: systemClock, timeoutMs });
  await assert.rejects(ask(), { code: 'UNIXCTL_UNREACHABLE' });
  let answer = '';
  const server = createServer((socket) => {
    socket.on('error', () => {});
    if (answer === 'hang up') {
      socket.end();
    } else {
      socket.write(answer);
    }
  }).listen(path);
  t.after(() => server.close());
  await once(server, 'listening');
  const bad: [string, string][] = [
    ['hang up', 'UNIXCTL_PROTOCOL'],
    ['HTTP/1.1 400', 'UNIXCTL_PROTOCOL'],
    ['{"id":0,"result":null,"error":null}', 'UNIXCTL_PROTOCOL'],
    ['{"id":0,"result":7}', 'UNIXCTL_PROTOCOL'],
    ['{"id":0,"result":"x', 'UNIXCTL_TIMEOUT'],
  ];
  for (const [text, code] of bad) {
    answer = text;
    await assert.rejects(ask(200), { code }, text);
  }
});

test('removes the sockets of killed daemons at the start, and no others', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'unixctl-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  // The kernel keeps the file of a socket whose process was killed.
  const script = `require('node:net').createServer().listen('${join(folder, 'ovs-ipfix.7.ctl')}', () => process.kill(process.pid, 'SIGKILL'))`;
  await assert.rejects(runProgram(process.execPath, ['-e', script]));
  const living = createServer().listen(join(folder, 'ovs-ipfix.8.ctl'));
  await once(living, 'listening');
  t.after(() => void living.close());
  await writeFile(join(folder, 'ovs-ipfix.9.ctl.txt'), '');
  const { server } = await startServer(t, { path: join(folder, 'ovs-ipfix.10.ctl') });
  assert.deepEqual((await readdir(folder)).toSorted(), [
    'ovs-ipfix.10.ctl',
    'ovs-ipfix.8.ctl',
    'ovs-ipfix.9.ctl.txt',
  ]);
  await server.stop();
});

test('names a folder that does not exist', async (t) => {
  const path = join(tmpdir(), 'no-such-folder-of-ovs', 'ovs-ipfix.1.ctl');
  await assert.rejects(startServer(t, { path }), {
    code: 'UNIXCTL_UNREACHABLE',
    message: `Cannot listen at the control socket ${path}: the folder ${dirname(path)} does not exist. Start Open vSwitch, which creates it, or create it, or choose another path with --unixctl.`,
  });
});

test('refuses a path that does not fit into the address of a socket', async (t) => {
  const path = join(tmpdir(), 'x'.repeat(107));
  await assert.rejects(startServer(t, { path }), {
    code: 'UNIXCTL_UNREACHABLE',
    message: `Cannot listen at the control socket ${path}: a path of a unix socket has at most 107 bytes. Choose another path with --unixctl.`,
  });
  await assert.rejects(dial({ kind: 'unix', path }, { clock: systemClock }), { code: 'ENDPOINT_SYNTAX' });
});
