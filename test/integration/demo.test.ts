// `ovs-ipfix demo` as a new user runs it: its verdict, that the verdict can be a failure, and that it leaves nothing.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BackgroundProgram, type ProgramExit } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

/** Runs as root without the capability to make namespaces, like an ordinary user; setpriv keeps the files readable. */
const WITHOUT_NAMESPACES =
  process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-all'] : [];
const DEMO_TIMEOUT_MS = 50_000;

/** A run of the demo with its own temporary folder, which must be empty afterwards. */
class Demo {
  readonly folder: string;
  readonly program: BackgroundProgram;

  private constructor(folder: string, program: BackgroundProgram) {
    this.folder = folder;
    this.program = program;
  }

  static async start(t: TestContext, args: readonly string[], prefix: readonly string[] = []): Promise<Demo> {
    const folder = await mkdtemp(join(tmpdir(), 'demo-'));
    const [program = '', ...rest] = [...prefix, process.execPath, DAEMON_FILE, 'demo', ...args];
    const demo = new Demo(
      folder,
      await BackgroundProgram.start(program, rest, { environment: { TMPDIR: folder } }),
    );
    t.after(async () => {
      await demo.program.stop();
      await rm(folder, { recursive: true, force: true });
    });
    return demo;
  }

  /** Waits until its output matches. */
  async said(pattern: RegExp): Promise<RegExpExecArray> {
    const state = await waitFor(
      () => pattern.exec(this.program.stdout) ?? (this.program.exit === undefined ? false : 'ended'),
      { what: `the demo says ${pattern}`, timeoutMs: DEMO_TIMEOUT_MS },
    );
    if (state === 'ended') {
      throw new Error(`It has ended: ${this.program.stdout}${this.program.stderr}`);
    }
    return state;
  }

  /** Waits for its end, and fails if it leaves a file or a process. */
  async end(): Promise<ProgramExit> {
    const exit = await waitFor(() => this.program.exit, {
      what: 'the demo has ended',
      timeoutMs: DEMO_TIMEOUT_MS,
    });
    assert.deepEqual(await readdir(this.folder), []);
    assert.deepEqual(await this.processes(''), []);
    return exit;
  }

  /** Returns the processes whose command line includes the demo's folder and this word. */
  async processes(word: string): Promise<number[]> {
    const found: number[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (line.includes(this.folder) && line.includes(word)) {
        found.push(Number(pid));
      }
    }
    return found;
  }
}

/** Returns the command lines of the children of a process. */
async function childrenOf(pid: number): Promise<string[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const lines = children
    .trim()
    .split(' ')
    .map((child) => readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => ''));
  return Promise.all(lines);
}

function assertVerdict({ program }: Demo, exit: ProgramExit): void {
  assert.equal(exit.exitCode, 0, program.stdout + program.stderr);
  assert.match(program.stdout, /\nready\n/);
  assert.match(program.stdout, /active 10\.0\.0\.\d+ > 10\.0\.0\.\d+\n/);
  assert.match(program.stdout, /forced 10\.0\.0\.\d+/);
  assert.match(program.stdout, /row, flows and meters are as they were before/);
  assert.match(program.stdout, /All counts agree, and everything is cleaned up\.\n$/);
  assert.equal(program.stderr, '');
  const long = program.stdout.split('\n').filter((line) => line.length > 80 && !line.includes(tmpdir()));
  assert.deepEqual(long, []);
}

test(
  'one round with network namespaces agrees with the counters',
  tier('ovs', 'namespaces', 'daemon'),
  async (t) => {
    const demo = await Demo.start(t, ['--once']);
    assertVerdict(demo, await demo.end());
    assert.match(demo.program.stdout, /ping -c 5/);
  },
);

test('one round with injected frames agrees with what was sent', tier('ovs', 'daemon'), async (t) => {
  const demo = await Demo.start(t, ['--once'], WITHOUT_NAMESPACES);
  assertVerdict(demo, await demo.end());
  const { stdout } = demo.program;
  assert.match(stdout, /netdev-dummy\/receive/);
  for (const kind of [
    'VLAN-tagged',
    'ARP',
    'ICMP',
    'UDP over IPv4',
    'TCP over IPv4',
    'ICMPv6',
    'UDP over IPv6',
    'TCP over IPv6',
  ]) {
    assert.match(stdout, new RegExp(`^${kind} +(\\d+) +\\1 +\\1 +\\d+$`, 'm'));
  }
});

test('SIGINT ends the demo with a last flush and the verdict', tier('ovs', 'daemon'), async (t) => {
  const demo = await Demo.start(t, [], WITHOUT_NAMESPACES);
  await demo.said(/records agree with the switch/);
  demo.program.signal('SIGINT');
  demo.program.signal('SIGINT');
  assertVerdict(demo, await demo.end());
});

test(
  'Ctrl-C in a terminal, which signals all programs of the demo, ends it with the verdict while a ping runs',
  tier('ovs', 'namespaces', 'daemon'),
  async (t) => {
    const demo = await Demo.start(t, [], ['setsid']);
    const { pid } = demo.program;
    await demo.said(/\nready\n/);
    await waitFor(async () => (await childrenOf(pid)).some((line) => line.startsWith('ping\0')), {
      what: 'a ping runs',
      timeoutMs: 10_000,
    });
    process.kill(-pid, 'SIGINT');
    const { exitCode } = await demo.end();
    assert.equal(exitCode, 0, demo.program.stdout + demo.program.stderr);
    assert.match(demo.program.stdout, /All counts agree, and everything is cleaned up\.\n$/);
    assert.equal(demo.program.stderr, '');
  },
);

for (const [how, prefix, needs] of [
  ['namespaces', [], tier('ovs', 'namespaces', 'daemon')],
  ['injected frames', WITHOUT_NAMESPACES, tier('ovs', 'daemon')],
] as const) {
  test(
    `the page is named first, and shows the traffic of VMs until Ctrl-C, with ${how}`,
    needs,
    async (t) => {
      const demo = await Demo.start(t, [], prefix);
      const [, address = ''] = await demo.said(/(http:\/\/127\.0\.0\.1:\d+\/)\n/);
      const { stdout } = demo.program;
      assert.ok(stdout.indexOf(address) < 200, 'it is in the first lines');
      await demo.said(/client-1, web-1, db-1, dns-1 keep talking/);
      const page = await fetch(address);
      assert.deepEqual([page.status, page.headers.get('content-type')?.split(';')[0]], [200, 'text/html']);
      for (const words of [
        'interface=web-1&dport=5432',
        'interface=db-1&sport=5432',
        'interface=client-1&dport=53',
      ]) {
        const hasFlows = async () => {
          const answer = await fetch(`${address}flows.json?${words}`);
          return ((await answer.json()) as { readonly matched: number }).matched > 0;
        };
        await waitFor(hasFlows, {
          what: `the page has flows of ${words}`,
          timeoutMs: 15_000,
          intervalMs: 200,
        });
      }
      demo.program.signal('SIGINT');
      assertVerdict(demo, await demo.end());
    },
  );
}

test(
  '--collector nfdump feeds nfcapd, and shows what nfdump shows',
  tier('ovs', 'nfdump', 'daemon'),
  async (t) => {
    const demo = await Demo.start(t, ['--collector', 'nfdump'], WITHOUT_NAMESPACES);
    await demo.said(/\$ nfdump -q -r /);
    await demo.said(/10\.0\.0\.1:\d+ -> +10\.0\.0\.2:\d+ /);
    demo.program.signal('SIGINT');
    const { exitCode } = await demo.end();
    assert.equal(exitCode, 0, demo.program.stdout + demo.program.stderr);
    assert.match(demo.program.stdout, /nfdump shows all \d+ packets\./);
    assert.doesNotMatch(demo.program.stdout, /from > to/, 'records are not shown a second time');
  },
);

test('--seconds ends the demo', tier('ovs', 'daemon'), async (t) => {
  const demo = await Demo.start(t, ['--seconds', '10'], WITHOUT_NAMESPACES);
  const exit = await demo.end();
  assert.equal(exit.exitCode, 0, demo.program.stdout + demo.program.stderr);
  assert.match(demo.program.stdout, /forced 10\.0\.0\./);
});

test('the demo fails when its daemon dies, and leaves nothing', tier('ovs', 'daemon'), async (t) => {
  const demo = await Demo.start(t, [], WITHOUT_NAMESPACES);
  await demo.said(/\nready\n/);
  const [pid, ...others] = await demo.processes('run');
  assert.deepEqual(others, []);
  assert.ok(pid !== undefined);
  process.kill(pid, 'SIGKILL');
  const exit = await demo.end();
  assert.equal(exit.exitCode, 1);
  assert.match(demo.program.stderr, /was killed by SIGKILL/);
});

test('the demo fails on a record of packets that were not sent', tier('ovs', 'daemon'), async (t) => {
  const demo = await Demo.start(t, ['--once'], WITHOUT_NAMESPACES);
  const port = Number((await demo.said(/targets=\\"127\.0\.0\.1:(\d+)/))[1]);
  await demo.said(/\nready\n/);
  // RFC 7011: a message of domain 9 with template 300 (packetDeltaCount, 8 bytes) and one record of 5 packets.
  const message = Buffer.from(
    '000a0028' +
      '65000000' +
      '00000000' +
      '00000009' +
      '0002000c012c0001' +
      '00020008' +
      '012c000c' +
      '0000000000000005',
    'hex',
  );
  const socket = createSocket('udp4');
  socket.send(message, port, '127.0.0.1', () => socket.close());
  const exit = await demo.end();
  assert.equal(exit.exitCode, 1, demo.program.stdout);
  assert.match(demo.program.stderr, /other: 0 packets .* were sent, .* and the records have 5 packets/);
});
