// Messages and the MTU of the path, with real interfaces and a real router: nothing is fragmented where the interface shows the MTU, and
// where only the router knows it, messages become short after its first refusal.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pcapFile } from '../support/captures.ts';
import { udpFrame } from '../support/frames.ts';
import type { BackgroundProgram } from '../support/process.ts';
import { FAR_ADDRESSES, type Namespace, routedHosts } from '../support/routed-hosts.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

const SECOND = 1_000_000;
const BEGIN = 1_700_000_000 * SECOND;
const PORT = 4739;
const FLOWS = 200;

/** A collector that prints the size of each message. */
const PRINT_SIZES = `const socket = require('node:dgram').createSocket(process.argv[1]);
socket.on('message', (bytes) => console.log(bytes.length));
socket.bind(${PORT}, () => console.error('listening'));`;

async function startSizes(host: Namespace, type: 'udp4' | 'udp6'): Promise<BackgroundProgram> {
  const program = await host.start(process.execPath, '-e', PRINT_SIZES, type);
  await waitFor(() => program.stderr.includes('listening'), { what: 'the collector listens' });
  return program;
}

const sizesOf = ({ stdout }: BackgroundProgram) => stdout.split('\n').filter(Boolean).map(Number);

/** Writes a capture with `FLOWS` flows in each of some seconds. */
async function capture(t: TestContext, seconds: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'path-mtu-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const packets = Array.from({ length: seconds * FLOWS }, (_, index) => ({
    micros: BEGIN + Math.floor(index / FLOWS) * SECOND,
    frame: udpFrame({ sourcePort: 1 + index }),
  }));
  const file = join(folder, 'flows.pcap');
  await writeFile(file, pcapFile(packets));
  return file;
}

interface Summary {
  readonly messageBytesMax: number;
  readonly collectors: readonly {
    readonly pathMtu: number;
    readonly recordsSent: number;
    readonly messagesSent: number;
    readonly errors: Readonly<Record<string, number>>;
  }[];
}

async function replay(
  host: Namespace,
  file: string,
  to: string,
  ...flags: readonly string[]
): Promise<Summary> {
  const program = await host.start(
    process.execPath,
    DAEMON_FILE,
    'replay',
    file,
    '--to',
    to,
    '--format',
    'json',
    ...flags,
  );
  await program.exited;
  assert.equal(program.exit?.exitCode, 0, program.stderr);
  return JSON.parse(program.stdout) as Summary;
}

const needs = tier('daemon', 'namespaces');

test(
  'no message is fragmented on an interface with an MTU of 1000, or of 1300 over IPv6',
  needs,
  async (t) => {
    for (const [mtu, type, to, created, limit] of [
      [1000, 'udp4', `${FAR_ADDRESSES.ipv4}:${PORT}`, 'FragCreates', 972],
      [1300, 'udp6', `[${FAR_ADDRESSES.ipv6}]:${PORT}`, 'Ip6FragCreates', 1252],
    ] as const) {
      const { near, far } = await routedHosts(t, mtu, 1500);
      const address = type === 'udp4' ? FAR_ADDRESSES.ipv4 : FAR_ADDRESSES.ipv6;
      await waitFor(async () => near.run('ping', '-n', '-c', '1', '-W', '1', address).then(() => true), {
        what: 'the path is there',
      });
      const collector = await startSizes(far, type);
      t.after(() => collector.stop());
      const before = await near.counter(created);
      const summary = await replay(near, await capture(t, 1), to);
      assert.equal(await near.counter(created), before, 'no fragment was created');
      const [status] = summary.collectors;
      assert.deepEqual([status?.pathMtu, summary.messageBytesMax, status?.recordsSent], [mtu, limit, FLOWS]);
      await waitFor(() => sizesOf(collector).length === status?.messagesSent, {
        what: 'all messages have arrived',
      });
      const longest = Math.max(...sizesOf(collector));
      assert.ok(longest <= limit && longest > limit - 200, `the longest message has ${longest} bytes`);
      // The counter does count: a datagram that is longer than the MTU is fragmented.
      await near.run('sh', '-c', `ping -n -c 1 -W 1 -M dont -s 1400 ${address} || true`);
      assert.ok((await near.counter(created)) > before);
      t.diagnostic(
        `MTU ${mtu}: ${sizesOf(collector).length} messages, the longest of ${longest} bytes, 0 fragments`,
      );
    }
  },
);

test(
  'after a router has refused a message, messages have the size that every path must carry',
  needs,
  async (t) => {
    const { near, router, far } = await routedHosts(t, 1500, 1000);
    const collector = await startSizes(far, 'udp4');
    t.after(() => collector.stop());
    const flags = ['--speed', 'recorded', '--cache-active-timeout', '1'];
    const summary = await replay(near, await capture(t, 4), `${FAR_ADDRESSES.ipv4}:${PORT}`, ...flags);
    const [status] = summary.collectors;
    assert.deepEqual([status?.pathMtu, summary.messageBytesMax], [576, 548]);
    assert.ok((status?.errors['EMSGSIZE'] ?? 0) >= 1);
    assert.ok((await router.counter('FragFails')) >= 1, 'the router has refused a message');
    await waitFor(() => sizesOf(collector).length > 10, { what: 'short messages arrive' });
    const sizes = sizesOf(collector);
    assert.ok(
      sizes.slice(-10).every((size) => size <= 548),
      sizes.join(' '),
    );
    t.diagnostic(
      `${await router.counter('FragFails')} refusals, ${status?.errors['EMSGSIZE']} reports, ` +
        `${await near.counter('FragCreates')} fragments of ${status?.messagesSent} messages`,
    );
  },
);
