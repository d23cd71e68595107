// The live page in Debian's chromium, beside a daemon with real traffic, and the access control of its server.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { WebSocket } from 'ws';
import { WEB_CLIENTS_MAX } from '../../src/web/live-feed.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { exportingBridge } from '../support/exporting-bridge.ts';
import { ethernet, icmp, ipv4, tcp, udpFrame } from '../support/frames.ts';
import { daemonStatus, setIpfixRow } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { openBrowser, openPage, pageAddress } from '../support/page.ts';
import { type ProgramError, runProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';

/** How far the page scrolls horizontally. */
const SIDEWAYS = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';

/** Opens a part of the page that is folded. */
async function unfold(page: Page, title: string): Promise<void> {
  await page.locator('summary', { hasText: title }).click();
}

let ovs: Ovs;
let daemon: Daemon;
let url: string;
let browser: Browser | undefined;

before(async () => {
  ovs = await startOvs({
    // Warnings of ovs-vswitchd about the name without an address and the target over TCP, while it exports for the row.
    allowedWarnings: [/no-such-host\.invalid|collector tcp:|no collectors could be initialized/],
  });
  daemon = await startDaemon(ovs, { arguments: ['--web', '127.0.0.1:0'] });
  url = await pageAddress(daemon);
});

after(() =>
  endInOrder(
    async () => browser?.close(),
    () => daemon.stop(),
    () => ovs.stop(),
  ),
);

/** Returns the server's status for a WebSocket request; 101 when it accepts the client. */
async function upgradeStatus(to: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  const socket = new WebSocket(`${to.replace('http', 'ws')}ws`, { headers });
  return new Promise((resolve) => {
    socket.once('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0);
      socket.terminate();
    });
    socket.once('open', () => {
      resolve(101);
      socket.terminate();
    });
    socket.on('error', () => {});
  });
}

test(
  'shows exporter, counts, collector, flows and records as status does',
  tier('ovs', 'daemon', 'browser'),
  async (t) => {
    browser ??= await openBrowser();
    const br = await exportingBridge(t, ovs, daemon, {
      cache_active_timeout: 60,
      cache_max_flows: 100,
      sampling: 1,
    });
    const frame = (port: number) => udpFrame({ sourcePort: port, destinationPort: 53 });
    await br.sample(frame(1001), frame(1001), frame(1002));
    const { page, faults } = await openPage(t, browser, url);
    for (const title of ['Bridges', 'Flows in the caches', 'Last records']) {
      await unfold(page, title);
    }
    const node = page.locator(`[data-exporter="${br.name}"]`);
    const status = (await daemonStatus(daemon)).bridges.find(({ bridge }) => bridge === br.name);
    assert.equal(status?.sampling?.exporter.samples, 3);
    await node.locator('[data-count="samples"]', { hasText: /^3$/u }).waitFor();
    await page.locator('td', { hasText: '10.0.0.1:1001' }).first().waitFor();
    await page.locator('.health.good', { hasText: 'Flows of 1 bridge are exported' }).waitFor();
    await page.locator(`.collectors [data-collector="${br.sink.target}"] [data-state="open"]`).waitFor();
    await page.locator(`[data-tile="flows"] .value`, { hasText: /^2\b/u }).waitFor();

    await daemon.appctl('flush', br.name);
    await node.locator('[data-count="records"]', { hasText: /^2$/u }).waitFor();
    await page.locator('#records').locator('td', { hasText: 'forced' }).first().waitFor();
    assert.deepEqual(faults, []);
  },
);

test(
  'shows the condition of a row with its action, until it clears',
  tier('ovs', 'daemon', 'browser'),
  async (t) => {
    browser ??= await openBrowser();
    const br = await exportingBridge(t, ovs, daemon);
    const { page } = await openPage(t, browser, url);
    await setIpfixRow(ovs, br.row, { 'external_ids:ovs-ipfix-nonsense': '1' });
    const condition = page.locator('[aria-label="conditions"] li', { hasText: 'unknown-key' });
    await condition.waitFor();
    assert.match(await condition.locator('.action').innerText(), /\w+/u);
    await page.getByRole('button', { name: 'Examine with the doctor' }).click();
    await page.getByText(/^\d+ findings?, 1 of them above/u).waitFor();
    assert.match(
      await condition.locator('.command code').innerText(),
      /^ovs-vsctl remove IPFIX \S+ external_ids/u,
    );
    const shots = process.env['SCREENSHOT_FOLDER'];
    if (shots !== undefined) {
      await page.screenshot({ path: join(shots, 'condition.png') });
    }
    await ovs.vsctl('remove', 'IPFIX', br.row, 'external_ids', 'ovs-ipfix-nonsense');
    await condition.waitFor({ state: 'detached' });
  },
);

test('shows a collector that goes down and comes up', tier('ovs', 'daemon', 'browser'), async (t) => {
  browser ??= await openBrowser();
  const other = await UdpSink.open();
  const { port, target } = other;
  const br = await exportingBridge(t, ovs, daemon);
  await setIpfixRow(ovs, br.row, { targets: `["${br.sink.target}","${target}"]` });
  const { page } = await openPage(t, browser, url);
  const state = (name: string) => page.locator(`[data-collector="${target}"] [data-state="${name}"]`);
  await state('open').waitFor();
  const sentence = (mood: string) =>
    page.locator('[data-sentence="state"]', { has: page.locator(`.mark.${mood}`) });
  await sentence('good').waitFor();

  await other.close();
  const send = () => br.sample(udpFrame({ sourcePort: 1, destinationPort: 2 }));
  await send();
  await state('failing').waitFor();
  await sentence('warning')
    .getByText(/1 of \d+ collectors cannot be reached/u)
    .waitFor();
  await page.locator(`[data-collector="${br.sink.target}"] .mark.good`).waitFor();
  const collector = page.locator(`[data-collector="${target}"]`);
  await collector.getByText(/^down since \d\d:\d\d:\d\d, \d+ s: .*ECONNREFUSED/u).waitFor();
  await collector.getByText('Start the collector').waitFor();
  await page.locator('.events li', { hasText: `collector ${target} cannot be reached` }).waitFor();

  const again = await UdpSink.open({ port });
  t.after(() => again.close());
  const isUp = async () => {
    await send();
    return (await state('open').count()) === 1;
  };
  await waitFor(isUp, { what: 'the page shows the collector as open', timeoutMs: 20_000, intervalMs: 500 });
  assert.ok(again.datagrams.length > 0);
  await sentence('good').waitFor();
  await page.locator('.events li', { hasText: `collector ${target} can be reached again` }).waitFor();
});

test('shows a collector without an address', tier('ovs', 'daemon', 'browser'), async (t) => {
  browser ??= await openBrowser();
  const br = await exportingBridge(t, ovs, daemon, {
    targets: '["127.0.0.1:9","no-such-host.invalid:4739"]',
  });
  const { page } = await openPage(t, browser, url);
  const down = page.locator('[data-collector="no-such-host.invalid:4739"]');
  await down.locator('.mark.bad').waitFor();
  await page.locator('[data-sentence="state"]', { hasText: /can(?:not)? be reached/u }).waitFor();
  await setIpfixRow(ovs, br.row, { targets: `["${br.sink.target}"]` });
  await page.locator(`[data-collector="${br.sink.target}"] .mark.good`).waitFor();
  await down.waitFor({ state: 'detached' });
});

test(
  'shows that the daemon is not connected, and reconnects by itself',
  tier('ovs', 'daemon', 'browser'),
  async (t) => {
    browser ??= await openBrowser();
    const { page } = await openPage(t, browser, url);
    await daemon.stop();
    await page.locator('.link.waiting').waitFor();
    daemon = await startDaemon(ovs, { arguments: ['--web', new URL(url).host] });
    await page.locator('.link.live').waitFor();
    await page.getByText(`pid ${daemon.pid}`).waitFor();
  },
);

test(
  'shows interface, VM, flags and ICMP of flows in words, and searches the caches for a VM',
  tier('ovs', 'daemon', 'browser'),
  async (t) => {
    browser ??= await openBrowser();
    const br = await exportingBridge(t, ovs, daemon, {
      cache_active_timeout: 60,
      cache_max_flows: 1000,
      'external_ids:ovs-ipfix-record-format': 'extended',
    });
    await ovs.addDummyPort(br.name, 'tap-web');
    await ovs.vsctl('set', 'Interface', br.port, 'external_ids:vm-name=db-7');
    await ovs.vsctl('set', 'Interface', 'tap-web', 'external_ids:vm-name="web 1"');
    await waitFor(async () => /web 1$/mu.test(await daemon.appctl('interfaces', br.name)), {
      what: 'the VM is attached',
    });
    const ENDS = { source: '10.0.0.8', destination: '10.0.0.9' };
    const syn = ethernet({}, ipv4(ENDS, tcp({ source: 40_000, destination: 443, flags: 0x02 })));
    const ping = ethernet({}, ipv4(ENDS, icmp({ type: 8 })));
    // More flows of another VM than the page shows, all larger.
    const larger = Array.from({ length: 30 }, (_, port) =>
      udpFrame({ sourcePort: port + 1, dataBytes: 900 }),
    );
    await br.sample(...larger);
    await ovs.inject('tap-web', syn, ping);
    await br.waitForStatus('32 samples', ({ exporter }) => exporter.samples >= 32);

    const shots = process.env['SCREENSHOT_FOLDER'];
    for (const width of [1280, 390]) {
      const { page, faults } = await openPage(t, browser, url, { width });
      await unfold(page, 'Flows in the caches');
      const section = page.locator('#flows');
      await section
        .locator('td', { hasText: `${br.port} (db-7)` })
        .first()
        .waitFor();
      assert.equal(await section.locator('td', { hasText: 'web 1' }).count(), 0);

      const filter = page.getByRole('searchbox', { name: 'filter of flows' });
      await filter.fill('web 1');
      await section
        .locator('td', { hasText: /^tap-web \(web 1\) in 16777218 ingress$/u })
        .first()
        .waitFor();
      await section.locator('td', { hasText: /^TCP \.{6}S\.$/u }).waitFor();
      await section.locator('td', { hasText: /^ICMP echo request$/u }).waitFor();
      assert.equal(await section.locator('tbody tr').count(), 2);
      await filter.fill('interface=tap-web proto=tcp');
      await section.getByText('1 of 1, by octets').waitFor();
      if (shots !== undefined) {
        await page.locator('.u-over').first().waitFor();
        await page.screenshot({ path: join(shots, `flows-${width}.png`), fullPage: true });
        await section.screenshot({ path: join(shots, `section-${width}.png`) });
      }
      assert.deepEqual(faults, []);
      await filter.fill('web 2');
      await section.getByText('No interface is named "web 2"').waitFor();
      await filter.fill('');
      await section
        .locator('td', { hasText: `${br.port} (db-7)` })
        .first()
        .waitFor();
      assert.equal(await page.evaluate(SIDEWAYS), 0);
    }
  },
);

test(
  'shows which sampler each bridge has, and the account of the datapath',
  tier('ovs', 'daemon', 'browser'),
  async (t) => {
    browser ??= await openBrowser();
    const byPacketIns = await exportingBridge(t, ovs, daemon);
    await ovs.vsctl('set', 'Bridge', byPacketIns.name, 'external_ids:ovs-ipfix-sampler=packet-in');
    const br = await exportingBridge(t, ovs, daemon);
    await ovs.vsctl('set', 'Bridge', br.name, 'external_ids:ovs-ipfix-sampler=datapath');
    const { datapath, samplerChoice } = await br.waitForStatus(
      'the datapath samples',
      (status) => status.samplerChoice?.sampler === 'datapath',
    );
    const since = samplerChoice?.since.slice(11, 19);
    const { page, faults } = await openPage(t, browser, url);
    await unfold(page, 'Sampling arithmetic');
    const cells = (name: string) => page.locator(`[data-sampler="${name}"] td`);
    await cells(br.name).first().getByText(`datapath since ${since}: ovs-ipfix-sampler`).waitFor();
    const counts = [datapath?.packets.exported, datapath?.packets.received, 0, 0].map(String);
    assert.deepEqual(await cells(br.name).allInnerTexts(), [
      `datapath since ${since}: ovs-ipfix-sampler`,
      '655 of 65,535',
      ...counts,
    ]);
    await cells(byPacketIns.name).first().getByText('packet-in: ovs-ipfix-sampler').waitFor();
    assert.match(
      await daemon.appctl('status'),
      new RegExp(`sampler +datapath since ${since}: ovs-ipfix-sampler`, 'u'),
    );
    const shots = process.env['SCREENSHOT_FOLDER'];
    for (const width of [1280, 390]) {
      const { page: other } = await openPage(t, browser, url, { width });
      await unfold(other, 'Sampling arithmetic');
      await other.locator(`[data-sampler="${br.name}"]`).waitFor();
      assert.equal(await other.evaluate(SIDEWAYS), 0, `${width}`);
      if (shots !== undefined) {
        await other.screenshot({ path: join(shots, `samplers-${width}.png`), fullPage: true });
      }
    }
    assert.deepEqual(faults, []);
  },
);

test(
  'works by keyboard, on a phone and in dark colours, without horizontal scrolling',
  tier('ovs', 'daemon', 'browser'),
  async (t) => {
    browser ??= await openBrowser();
    const br = await exportingBridge(t, ovs, daemon, { cache_active_timeout: 60, cache_max_flows: 100 });
    await br.sample(udpFrame({}));
    const shots = process.env['SCREENSHOT_FOLDER'];
    for (const width of [1280, 390]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        const { page, faults } = await openPage(t, browser, url, { width, colorScheme });
        await page.keyboard.press('Tab');
        assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the state');
        for (let press = 0; press < 4; press += 1) {
          await page.keyboard.press('Tab');
        }
        await page.keyboard.press('Enter');
        await page.getByRole('button', { name: 'Resume', pressed: true }).waitFor();
        await page.keyboard.press('Enter');
        await page.getByRole('button', { name: 'Pause', pressed: false }).waitFor();
        for (const title of ['Bridges', 'Raw values', 'Last records']) {
          await unfold(page, title);
        }
        await page.locator(`[data-exporter="${br.name}"]`).waitFor();
        await page.getByText('"schema": "ovs-ipfix/status"').waitFor();
        assert.equal(await page.evaluate(SIDEWAYS), 0, `${width}`);
        if (shots !== undefined) {
          await page.locator('.u-over').first().waitFor();
          await page.screenshot({ path: join(shots, `${width}-${colorScheme}.png`), fullPage: true });
        }
        assert.deepEqual(faults, []);
      }
    }
  },
);

test('shows what waits for a collector over TCP', tier('ovs', 'daemon', 'browser'), async (t) => {
  browser ??= await openBrowser();
  const br = await exportingBridge(t, ovs, daemon);
  // A port of UDP only: no process accepts connections there.
  const target = `tcp:${br.sink.target}`;
  await setIpfixRow(ovs, br.row, { targets: `["${br.sink.target}","${target}"]` });
  await br.waitForStatus('both collectors', ({ exporter }) => exporter.collectors.length === 2);
  const { page } = await openPage(t, browser, url);
  await br.sample(udpFrame({ sourcePort: 1, destinationPort: 2 }));
  await page.locator(`[data-collector="${target}"]`, { hasText: ', 1 message waiting' }).waitFor();
  // It is lost here: a stop would report it.
  await setIpfixRow(ovs, br.row, { targets: `["${br.sink.target}"]` });
  await br.waitForStatus('one collector', ({ exporter }) => exporter.collectors.length === 1);
});

test('refuses other origins, other names, other methods and other paths', tier('ovs', 'daemon'), async () => {
  assert.equal(await upgradeStatus(url), 101);
  assert.equal(await upgradeStatus(url, { Origin: new URL(url).origin }), 101);
  assert.equal(await upgradeStatus(url, { Origin: 'https://evil.example' }), 403);
  assert.equal(await upgradeStatus(url, { Origin: 'null' }), 403);
  assert.equal(await upgradeStatus(url, { Host: 'evil.example' }), 400);
  assert.equal(await upgradeStatus(`${url}no/`), 404);
  const answers = await Promise.all([
    fetch(url, { method: 'POST' }),
    fetch(`${url}nothing`),
    fetch(`${url}../package.json`),
    fetch(`${url}ws`),
    fetch(url, { headers: { Origin: 'https://evil.example' } }),
  ]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [405, 404, 404, 426, 403],
  );
  const page = await fetch(url);
  assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'none'; script-src 'self';/u);
  assert.equal((await fetch(`${url}page.js`, { headers: { Range: 'bytes=5-2' } })).status, 200);
  const json = (await (await fetch(`${url}status.json`)).json()) as { schema: string };
  assert.equal(json.schema, 'ovs-ipfix/status');
  const metrics = await fetch(`${url}metrics`);
  assert.match(metrics.headers.get('content-type') ?? '', /^text\/plain/u);
  assert.match(await metrics.text(), /^ovs_ipfix_ready 1$/mu);
});

test('closes the WebSocket of a client that sends anything', tier('ovs', 'daemon'), async () => {
  const socket = new WebSocket(`${url.replace('http', 'ws')}ws`);
  await once(socket, 'open');
  socket.send('hello');
  const [code] = (await once(socket, 'close')) as [number];
  assert.equal(code, 1003);
});

test('requires the token of every client', tier('ovs', 'daemon'), async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'web-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'token');
  const token = '0123456789abcdef';
  await writeFile(file, `${token}\n`);
  const other = await startDaemon(ovs, {
    arguments: ['--web', '127.0.0.1:0', '--web-token-file', file],
    waitForReady: false,
  });
  t.after(() => other.stop());
  const at = await pageAddress(other);
  assert.equal((await fetch(at)).status, 401);
  assert.equal((await fetch(`${at}metrics`)).status, 401);
  assert.equal(await upgradeStatus(at), 401);
  assert.equal((await fetch(`${at}?token=wrong`)).status, 401);
  const odd = connect(Number(new URL(at).port), '127.0.0.1');
  odd.write('GET //[ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  assert.match(String((await once(odd, 'data'))[0]), /^HTTP\/1\.1 401 /u);
  assert.equal((await fetch(at, { headers: { Authorization: `Bearer ${token}` } })).status, 200);
  assert.equal(await upgradeStatus(at, { Authorization: `Bearer ${token}` }), 101);
  const given = await fetch(`${at}?token=${token}`, { redirect: 'manual' });
  assert.equal(given.status, 303);
  const cookie = given.headers.get('set-cookie') ?? '';
  assert.match(cookie, /; HttpOnly; SameSite=Strict/u);
  assert.equal((await fetch(at, { headers: { Cookie: cookie.split(';', 1)[0] ?? '' } })).status, 200);
});

test(
  'refuses an address that other hosts can reach without a token or --web-insecure',
  tier('ovs', 'daemon'),
  async () => {
    const run = (...args: readonly string[]) =>
      runProgram(process.execPath, [DAEMON_FILE, 'run', '--db', ovs.dbEndpoint, ...args], {
        environment: ovs.environment,
      });
    const refused = async (sentence: RegExp, ...args: readonly string[]) =>
      assert.rejects(run(...args), (error: ProgramError) => {
        assert.equal(error.exitCode, 1);
        assert.match(error.stderr, sentence);
        return true;
      });
    await refused(/--web: 0\.0\.0\.0:9550 can be reached from other hosts/u, '--web', '0.0.0.0:9550');
    await refused(/--web: "here" is not a valid address; write ADDRESS:PORT/u, '--web', 'here');
    await refused(/have no effect without --web/u, '--web-insecure');
    await refused(/cannot be read: /u, '--web', ':9550', '--web-token-file', '/nowhere');
    await refused(
      /cannot listen on 127\.0\.0\.1:\d+: .*Choose another address with --web/u,
      '--web',
      new URL(url).host,
    );
  },
);

test('exports every record beside fifty browsers that never read', tier('ovs', 'daemon'), async (t) => {
  const { host, hostname, port } = new URL(url);
  const slow: Socket[] = [];
  t.after(() => slow.forEach((socket) => socket.destroy()));
  for (let index = 0; index < 50; index += 1) {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    socket.write(
      `GET /ws HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    socket.pause();
    slow.push(socket);
  }
  const br = await exportingBridge(t, ovs, daemon);
  const before = (await daemonStatus(daemon)).program.residentBytes;
  const frames = Array.from({ length: 40 }, (_, index) => udpFrame({ sourcePort: 1 + index }));
  for (let round = 0; round < 10; round += 1) {
    await br.sample(...frames);
  }
  await br.sink.waitForPackets(400, 10_000);
  const { program } = await daemonStatus(daemon);
  assert.ok(
    program.residentBytes - before < 200 * 1024 * 1024,
    `${before} to ${program.residentBytes} bytes`,
  );
});

test('refuses more browsers than the limit', tier('ovs', 'daemon'), async (t) => {
  const sockets: WebSocket[] = [];
  t.after(() => sockets.forEach((socket) => socket.terminate()));
  const refused = await waitFor(
    async () => {
      const status = await new Promise<number>((resolve) => {
        const socket = new WebSocket(`${url.replace('http', 'ws')}ws`);
        sockets.push(socket);
        socket.on('error', () => {});
        socket.once('open', () => resolve(101));
        socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
      });
      return status !== 101 && status;
    },
    { what: 'a browser is refused', timeoutMs: 20_000 },
  );
  assert.equal(refused, 503);
  assert.ok(sockets.length <= WEB_CLIENTS_MAX + 1);
  const { web } = await daemonStatus(daemon);
  assert.equal(web?.clients, WEB_CLIENTS_MAX);
  assert.ok(web.refused > 0);
});
