// `ovs-ipfix top` in terminals of several sizes, and while the daemon stops, hangs and starts again as another process.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { OverviewDocument } from '../../src/report/traffic/overview-document.ts';
import type { TopDocument } from '../../src/report/traffic/top-screen.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { Log } from '../../src/runtime/log.ts';
import { CommandRegistry } from '../../src/unixctl/commands.ts';
import { UnixctlServer } from '../../src/unixctl/server.ts';
import { Terminal } from '../support/terminal.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

const OVERVIEW: OverviewDocument = {
  host: 'host-1',
  time: 1_700_000_000,
  startTime: '2023-11-14T22:00:00Z',
  upSeconds: 100,
  version: '0.2.0',
  pid: 7,
  isReady: true,
  historySeconds: 100,
  state: { mood: 'good', text: 'Flows of 1 bridge are exported to 1 collector.' },
  losses: { mood: 'good', text: 'Nothing was lost in the last minute.' },
  bits: 1_000_000,
  packets: 100,
  records: 3,
  flows: 12,
  lost: [],
  collectors: [
    {
      target: '192.0.2.1:4739',
      transport: 'udp',
      exporters: 1,
      exportersDown: 0,
      state: 'open',
      downSince: undefined,
      reason: undefined,
      action: undefined,
      recordsPerSecond: 3,
      recordsSent: 300,
      lost: 0,
      unknown: 0,
      waiting: 0,
      waitingBytes: 0,
      series: { sent: [], lost: [], waiting: [] },
    },
  ],
  events: [],
  conditions: [],
  conditionsOmitted: 0,
};

function documentOf(host: string, bands: number): TopDocument {
  const end = (address: string) => ({ address, interface: 'web-1', bits: 1000, packets: 1 });
  return {
    overview: { ...OVERVIEW, host },
    traffic: {
      windowSeconds: 300,
      seconds: 100,
      slotSeconds: 1,
      by: 'interface',
      words: [],
      bands: Array.from({ length: bands }, (_, index) => ({
        label: `vm-${index + 1}`,
        kind: 'value',
        words: [`interface=vm-${index + 1}`],
        meanBits: 1_000_000 / bands,
        meanPackets: 100 / bands,
      })),
      conversations: 9,
      talkers: Array.from({ length: 9 }, (_, index) => ({
        bridge: 'br0',
        application: 'TCP 443 (https)',
        client: end(`10.0.0.${index}`),
        server: end('192.0.2.10'),
        bits: 2000,
        packets: 2,
        share: 0.1,
        words: ['port=443'],
      })),
      bits: 1_000_000,
      packets: 100,
      allBits: 1_000_000,
      allPackets: 100,
    },
  };
}

/** A run directory in which daemons can be started that answer to `top` alone. */
async function runDirectory(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'top-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const start = async (pid: number | undefined, answer: () => string | Promise<string>) => {
    const commands = new CommandRegistry('ovs-ipfix 0.2.0');
    commands.register('top', '[word]...', 0, 16, answer);
    const log = new Log({ clock: systemClock, destination: () => {}, level: 'off' });
    const path = join(folder, `ovs-ipfix.${pid}.ctl`);
    const server = new UnixctlServer({ path, commands, clock: systemClock, log: log.logger('unixctl') });
    await server.start();
    t.after(() => server.stop());
    return server;
  };
  const top = (columns: number, rows: number) => {
    const command = [process.execPath, DAEMON_FILE, 'top', '--interval', '1'];
    const terminal = Terminal.start(command, { columns, rows, environment: { OVS_RUNDIR: folder } });
    t.after(() => terminal.kill());
    return terminal;
  };
  return { start, top };
}

/** A process that lives until the end of the test. */
function otherProcess(t: TestContext): ChildProcess {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

const answerOf = (document: TopDocument) => () => JSON.stringify(document);

test('top fits into a terminal of any size: no line is wrapped, none is lost', tier('daemon'), async (t) => {
  const { start, top } = await runDirectory(t);
  await start(process.pid, answerOf(documentOf('host-1', 8)));
  for (const [columns, rows] of [
    [80, 24],
    [40, 10],
    [200, 60],
    [20, 2],
  ] as const) {
    const terminal = top(columns, rows);
    await terminal.waitForText('q quit, w window');
    const { screen } = terminal;
    const facts = `${columns} × ${rows}:\n${screen.join('\n')}`;
    if (rows > 2) {
      assert.match(screen[0] ?? '', /^host-1: ovs-ipfix.* 22:13:20 UTC$/u, facts);
      assert.match(screen[1] ?? '', /^Flows of 1 bridge are exported to 1/u, facts);
      assert.ok(
        screen.some((line) => line.startsWith('collector 192.0.2.1:4739 open')),
        facts,
      );
    }
    assert.ok(
      screen.some((line) => line.includes('q quit')),
      facts,
    );
    if (columns === 40) {
      assert.ok(screen.join(' ').replaceAll(/ +/gu, ' ').includes('exported to 1 collector.'), facts);
    }
    terminal.type('q');
    assert.equal(await terminal.exited, 0);
    assert.ok(terminal.output.trimEnd().endsWith('\u001b[?7h\u001b[?25h\u001b[?1049l'));
  }
});

test(
  'top says that the daemon is away, and shows the next one, another process',
  tier('daemon'),
  async (t) => {
    const { start, top } = await runDirectory(t);
    const first = await start(process.pid, answerOf(documentOf('host-1', 3)));
    const terminal = top(60, 20);
    await terminal.waitForText('vm-3');
    await first.stop();
    await terminal.waitForText('No daemon runs');
    assert.ok(
      terminal.screen.every((line) => line.length <= 60) && terminal.screen.join(' ').includes('OVS_RUNDIR'),
      terminal.screen.join('\n'),
    );
    await start(otherProcess(t).pid, answerOf(documentOf('host-2', 2)));
    await terminal.waitForText('host-2: ovs-ipfix');
    await terminal.waitForText('vm-2');
    terminal.type('q');
    assert.equal(await terminal.exited, 0);
  },
);

test('top ends at once by q while the daemon does not answer', tier('daemon'), async (t) => {
  const { start, top } = await runDirectory(t);
  let isAsked = false;
  let answers = 0;
  let release: (text: string) => void = () => {};
  t.after(() => release(''));
  await start(process.pid, () => {
    answers += 1;
    if (answers === 1) {
      return JSON.stringify(documentOf('host-1', 2));
    }
    isAsked = true;
    return new Promise<string>((resolve) => {
      release = resolve;
    });
  });
  const terminal = top(80, 24);
  await terminal.waitForText('vm-2');
  await waitFor(() => isAsked, { what: 'it is asked again', timeoutMs: 10_000 });
  const begin = performance.now();
  terminal.type('q');
  assert.equal(await terminal.exited, 0);
  const ms = performance.now() - begin;
  assert.ok(ms < 2500, `it ended after ${ms} ms; the answer is waited for 5 s`);
});
