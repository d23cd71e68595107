// The collect command as a program: what it prints for the messages of the exporter of 2013, and how it ends.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CONNECTIONS_MAX } from '../../src/commands/collect-server.ts';
import { parseListenAddress } from '../../src/runtime/listen-address.ts';
import { bundleProgram } from '../support/bundled-program.ts';
import { BackgroundProgram, runProgram } from '../support/process.ts';
import { waitFor } from '../support/wait.ts';

const bundled = bundleProgram(join(import.meta.dirname, 'collect-main.ts'));
const runs = JSON.parse(readFileSync(new URL('../vectors/exact-messages.json', import.meta.url), 'utf8')) as {
  datagrams: string[];
}[];
const uncached = (runs[0]?.datagrams ?? []).map((hex) => Buffer.from(hex, 'hex'));
const cached = (runs[1]?.datagrams ?? []).map((hex) => Buffer.from(hex, 'hex'));

/** Starts the command; fulfilled when it listens. */
async function collect(context: TestContext, args: string[], environment: Record<string, string> = {}) {
  const program = await BackgroundProgram.start(process.execPath, [await bundled, ...args], { environment });
  context.after(() => program.stop());
  const port = await waitFor(() => /listening on \S*:(\d+) \(udp, tcp\)\n/.exec(program.stderr)?.[1], {
    what: 'the collector listens',
    timeoutMs: 10_000,
  });
  return { program, port: Number(port) };
}

async function sendUdp(port: number, datagrams: readonly Buffer[], host = '127.0.0.1'): Promise<void> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  for (const datagram of datagrams) {
    await new Promise<void>((resolve, reject) => {
      socket.send(datagram, port, host, (error) => (error ? reject(error) : resolve()));
    });
  }
  socket.close();
}

function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('prints one JSON object a record, with absolute times and its origin', async (context) => {
  const { program, port } = await collect(context, [
    '--listen',
    '127.0.0.1:0',
    '--format',
    'json',
    '--count',
    '3',
  ]);
  await sendUdp(port, cached);
  assert.deepEqual(await program.exited, { exitCode: 0, signal: null });
  const [first, , third] = jsonLines(program.stdout);
  assert.match(String(first?.['exporterAddress']), /^127\.0\.0\.1:\d+$/);
  const { exporterAddress: _, ...rest } = first ?? {};
  assert.deepEqual(rest, {
    transport: 'udp',
    exportTime: '2014-05-13T16:53:31.000000Z',
    observationDomainId: 11,
    sequenceNumber: 1,
    templateId: 259,
    flowStart: '2014-05-13T16:53:20.250000Z',
    flowEnd: '2014-05-13T16:53:23.750000Z',
    observationPointId: 22,
    sourceMacAddress: '02:00:00:00:00:01',
    destinationMacAddress: '02:00:00:00:00:02',
    ethernetType: 2048,
    ethernetHeaderLength: 14,
    ipVersion: 4,
    ipTTL: 64,
    protocolIdentifier: 17,
    ipDiffServCodePoint: 0,
    ipPrecedence: 0,
    ipClassOfService: 0,
    sourceIPv4Address: '10.0.0.1',
    destinationIPv4Address: '10.0.0.2',
    sourceTransportPort: 3000,
    destinationTransportPort: 53,
    flowStartDeltaMicroseconds: 10_750_000,
    flowEndDeltaMicroseconds: 7_250_000,
    packetDeltaCount: 2,
    layer2OctetDeltaCount: 1100,
    flowEndReason: 2,
    octetDeltaSumOfSquares: 979_592,
    minimumIpTotalLength: 86,
    maximumIpTotalLength: 986,
  });
  assert.equal(third?.['flowEnd'], '2014-05-13T16:53:30.250000Z');
  assert.match(program.stderr, /3 records in 4 messages, 0 problems\n$/);
});

test('prints a table of 80 columns with exporter and domain', async (context) => {
  const { program, port } = await collect(context, ['--listen', '127.0.0.1:0', '--count', '13']);
  await sendUdp(port, uncached);
  assert.equal((await program.exited).exitCode, 0);
  const lines = program.stdout.split('\n');
  for (const line of lines) {
    assert.ok(line.length <= 80, line);
  }
  assert.match(lines[2] ?? '', /^from 127\.0\.0\.1:\d+ \(udp\), observation domain 11:$/);
  assert.equal(lines[3], '16:53:20.250   0.000 UDP          1    100 active 10.0.0.1:1000 > 10.0.0.2:2000');
  assert.ok(lines.includes('    [fd00::1]:1000 > [fd00::2]:2000 vlan 100'));
  assert.equal(lines.filter((line) => line.startsWith('from ')).length, 1);
});

test('counts one record, message and problem in the singular', async (context) => {
  const [, first] = uncached;
  assert.ok(first);
  const { program, port } = await collect(context, ['--listen', '127.0.0.1:0']);
  // Its template has not come: the message has a problem, and no record that can be shown.
  await sendUdp(port, [first]);
  await waitFor(() => program.stderr.includes('unknown-template'), { what: 'the problem' });
  await program.stop('SIGTERM');
  assert.match(program.stderr, /\n0 records in 1 message, 1 problem\n$/u);
});

test('prints problems on standard error, and in JSON as objects', async (context) => {
  const [templates, first, second] = uncached;
  assert.ok(templates && first && second);
  const later = Buffer.from(second);
  later.writeUInt32BE(9, 8);
  const datagrams = [first, templates, first, later, first.subarray(0, 50)];
  const json = await collect(context, ['--listen', '127.0.0.1:0', '--format', 'json']);
  await sendUdp(json.port, datagrams);
  await waitFor(() => jsonLines(json.program.stdout).length === 5, {
    what: 'two records and three problems',
  });
  const problems = jsonLines(json.program.stdout).filter((line) => line['problem'] !== undefined);
  assert.deepEqual(
    problems.map((line) => line['problem']),
    ['unknown-template', 'sequence-gap', 'bad-message-length'],
  );
  assert.equal(problems[0]?.['observationDomainId'], 11);
  const table = await collect(context, ['--listen', '127.0.0.1:0']);
  await sendUdp(table.port, datagrams);
  await waitFor(() => table.program.stderr.includes('bad-message-length'), { what: 'the last problem' });
  assert.match(
    table.program.stderr,
    /problem sequence-gap from 127\.0\.0\.1:\d+: 7 data records are missing/,
  );
});

test('receives over TCP as over UDP, with templates of each connection', async (context) => {
  const { program, port } = await collect(context, ['--listen', '[::1]:0', '--format', 'json']);
  const first = connect(port, '::1');
  first.end(Buffer.concat(uncached));
  await waitFor(() => jsonLines(program.stdout).length === 13, { what: '13 records' });
  assert.match(String(jsonLines(program.stdout)[0]?.['exporterAddress']), /^\[::1\]:\d+$/);
  assert.equal(jsonLines(program.stdout)[0]?.['transport'], 'tcp');
  const second = connect(port, '::1');
  second.write(uncached[1] ?? Buffer.alloc(0));
  await waitFor(() => jsonLines(program.stdout).length === 14, { what: 'a problem' });
  assert.equal(jsonLines(program.stdout)[13]?.['problem'], 'unknown-template');
  const closed = once(second, 'close');
  second.write('GET / HTTP/1.1\r\n');
  await closed;
  await waitFor(() => jsonLines(program.stdout).length === 15, { what: 'another problem' });
  assert.equal(jsonLines(program.stdout)[14]?.['problem'], 'bad-stream');
});

test('one address for both families; a second one is refused, and so is one connection too many', async (context) => {
  const two = ['--listen', '127.0.0.1:0', '--listen', '[::1]:0'];
  await assert.rejects(
    runProgram(process.execPath, [await bundled, ...two]),
    /It is given twice\. Give it once; \[::\]:PORT is for IPv4 and IPv6/u,
  );
  const { program, port } = await collect(context, ['--listen', '[::]:0', '--format', 'json']);
  await sendUdp(port, uncached);
  await sendUdp(port, uncached, '::1');
  await waitFor(() => jsonLines(program.stdout).length === 26, { what: 'the records of both' });
  const exporters = new Set(
    jsonLines(program.stdout).map(({ exporterAddress }) => String(exporterAddress).replace(/:\d+$/u, '')),
  );
  assert.deepEqual([...exporters].sort(), ['127.0.0.1', '[::1]']);
  const connections = Array.from({ length: CONNECTIONS_MAX }, () => connect(port, '::1'));
  context.after(() => connections.forEach((connection) => connection.destroy()));
  await Promise.all(connections.map((connection) => once(connection, 'connect')));
  const last = connect(port, '::1').on('error', () => {});
  await once(last, 'close');
  process.kill(program.pid, 'SIGINT');
  await program.exited;
  assert.match(program.stderr, /, 0 problems, connections refused because too many were open: 1\n$/u);
});

test('says what a datagram is that is not IPFIX, also one without a byte', async (context) => {
  const { program, port } = await collect(context, ['--listen', '127.0.0.1:0']);
  const other = (hex: string) => Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(24)]);
  await sendUdp(port, [Buffer.alloc(0), other('0009'), other('0005'), other('00000005')]);
  for (const text of ['0 bytes, fewer', 'NetFlow version 9', 'NetFlow version 5', 'sFlow version 5']) {
    await waitFor(() => program.stderr.includes(text), { what: text });
  }
});

test('ends with a summary and exit code 0 on a signal', async (context) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const { program, port } = await collect(context, ['--listen', '127.0.0.1:0']);
    const idle = connect(port, '127.0.0.1');
    await once(idle, 'connect');
    process.kill(program.pid, signal);
    assert.deepEqual(await program.exited, { exitCode: 0, signal: null });
    assert.match(program.stderr, /\n0 records in 0 messages, 0 problems\n$/);
    idle.destroy();
  }
});

test('exits with 1 for too few records in the time', async (context) => {
  const { program } = await collect(context, ['--listen', '127.0.0.1:0', '--seconds', '1', '--count', '1']);
  assert.equal((await program.exited).exitCode, 1);
});

test('each flag has an environment variable', async (context) => {
  const { program, port } = await collect(context, [], {
    OVS_IPFIX_COLLECT_LISTEN: '127.0.0.1:0',
    OVS_IPFIX_COLLECT_FORMAT: 'json',
    OVS_IPFIX_COLLECT_COUNT: '1',
  });
  await sendUdp(port, uncached);
  assert.equal((await program.exited).exitCode, 0);
  assert.equal(jsonLines(program.stdout).length, 1);
});

test('prints one sentence and exits with 1 for a port in use', async (context) => {
  const taken = createServer().listen(0, '127.0.0.1');
  context.after(() => taken.close());
  await once(taken, 'listening');
  const address = taken.address();
  assert.ok(address !== null && typeof address === 'object');
  await assert.rejects(
    runProgram(process.execPath, [await bundled, '--listen', `127.0.0.1:${address.port}`]),
    (error: { exitCode?: number; stderr?: string }) => {
      assert.equal(error.exitCode, 1);
      assert.match(error.stderr ?? '', /^ovs-ipfix collect cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
      return true;
    },
  );
});

test('parses listen addresses, and refuses others', () => {
  assert.deepEqual(parseListenAddress('192.0.2.1:4739'), { host: '192.0.2.1', port: 4739 });
  assert.deepEqual(parseListenAddress('[::1]:0'), { host: '::1', port: 0 });
  assert.deepEqual(parseListenAddress(':4739'), { host: '0.0.0.0', port: 4739 });
  for (const text of [
    '4739',
    '192.0.2.1',
    '[::1]',
    '::1:4739',
    '[1.2.3.4]:1',
    'a:65536',
    'a:-1',
    'a:1x',
    '',
  ]) {
    assert.equal(parseListenAddress(text), undefined, text);
  }
});
