// The traffic on the live page in Debian's chromium: three VMs send at known rates, and the page has to say so within 2%.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import type { TrafficDocument } from '../../src/report/traffic/traffic-document.ts';
import type { LiveMessage } from '../../src/web/live-message.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { type ExportingBridge, exportingBridge } from '../support/exporting-bridge.ts';
import { ethernet, ipv4, tcp, udpFrame } from '../support/frames.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { openBrowser, openPage, pageAddress } from '../support/page.ts';
import { runProgram } from '../support/process.ts';
import { SteadyTraffic } from '../support/steady-traffic.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

/** How far the page scrolls horizontally. */
const SIDEWAYS = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
/** Counts how often the chart is taken off the page. */
const WATCH_PLOT = `
  window.plotsRemoved = 0;
  new MutationObserver((changes) => {
    window.plotsRemoved += changes.filter(({ removedNodes }) =>
      [...removedNodes].some((node) => node.classList?.contains('chart'))).length;
  }).observe(document.body, { childList: true, subtree: true });`;
/** The largest difference to the truth. */
const TOLERANCE = 0.02;
const SECONDS = 10;
const options = tier('ovs', 'daemon', 'browser');

let ovs: Ovs;
let daemon: Daemon;
let url: string;
let browser: Browser | undefined;
let br: ExportingBridge | undefined;
let traffic: SteadyTraffic | undefined;
/** Ends what lives as long as the file. */
const endings: (() => Promise<void>)[] = [];

before(async () => {
  ovs = await startOvs();
  daemon = await startDaemon(ovs, { arguments: ['--web', '127.0.0.1:0'] });
  url = await pageAddress(daemon);
});

after(() =>
  endInOrder(
    async () => traffic?.stop(),
    async () => browser?.close(),
    () => daemon.stop(),
    ...endings,
    () => ovs.stop(),
  ),
);

function webFrame(client: string, isAnswer: boolean, bytes: number): Buffer {
  const server = '192.0.2.10';
  const ends = isAnswer ? { source: server, destination: client } : { source: client, destination: server };
  const ports = isAnswer ? { source: 443, destination: 40_000 } : { source: 40_000, destination: 443 };
  return ethernet({}, ipv4(ends, tcp(ports, new Uint8Array(bytes))));
}

/** The bridge with VMs and their traffic, for all tests of the file. */
async function start(): Promise<{ br: ExportingBridge; traffic: SteadyTraffic }> {
  if (br === undefined || traffic === undefined) {
    const file = { after: (end: () => Promise<void>) => endings.push(end) };
    br = await exportingBridge(file as unknown as TestContext, ovs, daemon, {
      cache_active_timeout: 5,
      cache_max_flows: 1000,
    });
    for (const [index, vm] of ['web-1', 'web-2', 'db-1'].entries()) {
      await ovs.addDummyPort(br.name, `tap${index}`);
      await ovs.vsctl('set', 'Interface', `tap${index}`, `external_ids:vm-name=${vm}`);
    }
    const { name, port } = br;
    await waitFor(async () => /db-1$/mu.test(await daemon.appctl('interfaces', name)), {
      what: 'the VMs are attached',
    });
    traffic = SteadyTraffic.start(ovs, [
      { port: 'tap0', frame: webFrame('10.0.0.11', false, 100), framesPerTick: 10 },
      { port, frame: webFrame('10.0.0.11', true, 1200), framesPerTick: 20 },
      { port: 'tap1', frame: webFrame('10.0.0.12', false, 900), framesPerTick: 8 },
      {
        port: 'tap2',
        frame: udpFrame({
          source: '10.0.0.21',
          destination: '10.0.1.1',
          sourcePort: 5353,
          destinationPort: 53,
          dataBytes: 400,
        }),
        framesPerTick: 12,
      },
    ]);
  }
  return { br, traffic };
}

async function find(query: string): Promise<TrafficDocument> {
  const response = await fetch(`${url}flows.json?${query}`);
  assert.equal(response.status, 200, await response.clone().text());
  return (await response.json()) as TrafficDocument;
}

/** Waits until a figure is equal to the truth of that moment. */
async function waitForTruth(what: string, figure: () => Promise<number>, truth: () => number): Promise<void> {
  await waitFor(
    async () => {
      const value = await figure();
      assert.ok(Math.abs(value - truth()) <= TOLERANCE * truth(), `${value} in place of ${truth()}`);
      return true;
    },
    { what, timeoutMs: 25_000, intervalMs: 300 },
  );
}

/** Reads a tile: `1.23 Mbit/s` in bits. */
async function tile(page: Page, name: string): Promise<number> {
  const text = await page.locator(`[data-tile="${name}"] .value`).innerText();
  const [, number, prefix] =
    /^([\d.,]+)([kM]?)\s*([kM]?)/u.exec(text.replaceAll(/\s+/gu, ' ').replace(/ ([kM])/u, '$1')) ?? [];
  return Number(number) * (prefix === 'M' ? 1e6 : prefix === 'k' ? 1e3 : 1);
}

test('has the rates of three VMs within 2% of the truth after ten seconds', options, async (t) => {
  browser ??= await openBrowser();
  const { traffic: sent } = await start();
  const { page, faults } = await openPage(t, browser, url);
  const truth = () => sent.rate(SECONDS);
  await waitForTruth(
    'traffic',
    () => tile(page, 'bits'),
    () => truth().bits,
  );
  await waitForTruth(
    'packets',
    () => tile(page, 'packets'),
    () => truth().packets,
  );
  for (const [vm, port] of [
    ['web-1', 'tap0'],
    ['web-2', 'tap1'],
    ['db-1', 'tap2'],
  ] as const) {
    await waitForTruth(
      vm,
      async () => (await find('window=10s')).bands.find(({ label }) => label === vm)?.meanBits ?? 0,
      () => sent.rate(SECONDS, (flow) => flow.port === port).bits,
    );
    // The chart has the mean of its window, which is longer: the shares are the same.
    const share = sent.rate(SECONDS, (flow) => flow.port === port).bits / truth().bits;
    const shown = await page.locator(`[data-band="${vm}"] .quiet`).innerText();
    assert.ok(
      Math.abs(Number.parseFloat(shown) / 100 - share) < 0.01,
      `${vm}: ${shown} in place of ${share}`,
    );
  }
  const conversation = page.locator('[data-talker="10.0.0.11 192.0.2.10"]');
  await conversation.getByText('web-1').waitFor();
  await conversation.getByText('TCP 443 (https)').waitFor();
  assert.deepEqual(faults, []);
});

test(
  'filters everything by a click, and shows the same after a reload, with the history',
  options,
  async (t) => {
    browser ??= await openBrowser();
    const { traffic: sent } = await start();
    const { page, faults } = await openPage(t, browser, url);
    await page.locator('[data-band="web-1"] button').click();
    await page.getByRole('button', { name: 'remove interface=web-1' }).waitFor();
    await page.locator('[data-band="db-1"]').waitFor({ state: 'detached' });
    assert.equal(await page.locator('[data-talker]').count(), 1);
    // What is sent to the VM is selected as well.
    const both = () => sent.rate(SECONDS, ({ port }) => port === 'tap0' || port.startsWith('p')).bits;
    const filtered = async () => {
      const { bits, allBits } = await find('window=10s&interface=web-1');
      return bits / allBits;
    };
    await waitForTruth('share of web-1', filtered, () => both() / sent.rate(SECONDS).bits);
    await page.getByRole('combobox', { name: 'by' }).selectOption('application');
    await page.locator('[data-band="TCP 443 (https)"]').waitFor();

    const before = Date.now() / 1000;
    await page.reload();
    await page.getByRole('button', { name: 'remove interface=web-1' }).waitFor();
    await page.locator('[data-band="TCP 443 (https)"]').waitFor();
    await page.locator('.plot').focus();
    const values = page.locator('[data-values]');
    await waitFor(
      async () => {
        await page.keyboard.press('ArrowLeft');
        return Number(await values.getAttribute('data-values')) < before;
      },
      { what: 'the chart has what was before the reload', timeoutMs: 20_000 },
    );
    await values.getByText('TCP 443 (https)').waitFor();
    await page.getByRole('button', { name: 'remove interface=web-1' }).click();
    await page.locator('[data-band="UDP 53 (dns)"]').waitFor();

    await page.getByRole('searchbox', { name: 'filter of traffic' }).fill('proto=nonsense');
    await page.keyboard.press('Enter');
    await page.getByText('"nonsense" is not a whole number').waitFor();
    // The refused request is an error on the console of the browser.
    assert.ok(
      faults.every((fault) => fault.includes('400')),
      faults.join('\n'),
    );
  },
);

test(
  'shows what a click selects when answers are slow, and when the first one is refused',
  options,
  async (t) => {
    browser ??= await openBrowser();
    await start();
    const { page } = await openPage(t, browser, url);
    await page.locator('[data-band="db-1"]').waitFor();
    // Each answer takes longer than the time between two updates.
    let isSlow = true;
    let refusals = 0;
    await page.route('**/flows.json?*', async (route) => {
      if (isSlow) {
        const response = await route.fetch();
        await delay(1500);
        // The page may have asked for another view meanwhile.
        await route.fulfill({ response }).catch(() => {});
      } else if (refusals === 0 && route.request().url().includes('by=application')) {
        refusals += 1;
        await route.fulfill({ status: 503, body: 'Too many different views are asked for; try again.' });
      } else {
        await route.continue();
      }
    });
    await page.locator('[data-band="web-1"] button').click();
    await page.locator('[data-band="db-1"]').waitFor({ state: 'detached', timeout: 10_000 });
    await page.locator('[data-band="web-1"]').waitFor();
    isSlow = false;
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.evaluate(WATCH_PLOT);
    await page.getByRole('combobox', { name: 'by' }).selectOption('application');
    await page.locator('[data-band="TCP 443 (https)"]').waitFor({ timeout: 10_000 });
    assert.equal(refusals, 1);
    assert.equal(await page.evaluate('window.plotsRemoved'), 0, 'the chart stays while there is no answer');
    await page.getByText('Too many different views').waitFor({ state: 'detached' });
  },
);

test('is readable on a phone and in dark colours, paused, in UTC and over an hour', options, async (t) => {
  browser ??= await openBrowser();
  await start();
  const shots = process.env['SCREENSHOT_FOLDER'];
  await waitFor(async () => (await find('window=1h')).times.length > 0, {
    what: 'a slot of ten seconds',
    timeoutMs: 15_000,
  });
  for (const width of [1440, 390]) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, faults } = await openPage(t, browser, url, { width, colorScheme });
      await page.locator('[data-band="web-1"]').waitFor();
      await page.locator('.u-over').waitFor();
      assert.equal(await page.evaluate(SIDEWAYS), 0, `${width}`);
      const height = await page.locator('.plot').evaluate((element) => element.clientHeight);
      assert.ok(height >= 200, `the chart is ${height} pixels high`);
      // The mouse shows the values of a time, and none where the history has nothing.
      const over = page.locator('.u-over');
      const { width: end = 0 } = (await over.boundingBox()) ?? {};
      await over.hover({ position: { x: 5, y: 60 } });
      assert.equal(await page.locator('[data-values]').count(), 0);
      await over.hover({ position: { x: end - 5, y: 60 } });
      await page.locator('[data-values]').getByText('web-1').waitFor();
      if (shots !== undefined) {
        await page.screenshot({ path: join(shots, `traffic-${width}-${colorScheme}.png`), fullPage: true });
      }
      await page.getByRole('button', { name: 'UTC' }).click();
      await page.getByRole('button', { name: '1 h' }).click();
      await page.getByRole('button', { name: 'Pause' }).click();
      await page.locator('.link', { hasText: 'paused' }).waitFor();
      await page.locator('.age', { hasText: /data [2-9] s old/u }).waitFor();
      assert.deepEqual(faults, []);
    }
  }
});

test('loads itself again, with the view, when the daemon was upgraded', options, async (t) => {
  browser ??= await openBrowser();
  await start();
  const { page } = await openPage(t, browser, url);
  await page.getByRole('button', { name: 'UTC' }).click();
  let loads = 0;
  page.on('load', () => {
    loads += 1;
  });
  let isUpgraded = false;
  await page.routeWebSocket(/\/ws$/u, (socket) => {
    socket.connectToServer().onMessage((text) => {
      const version = isUpgraded ? '"version":"99.0.0"' : '$&';
      socket.send(String(text).replace(/"version":\s*"[^"]+"/u, version));
    });
  });
  await page.reload();
  await page.getByText('live', { exact: true }).waitFor();
  isUpgraded = true;
  await page.getByText('ovs-ipfix 99.0.0').waitFor();
  assert.equal(loads, 2);
  await page.locator('button[aria-pressed="true"]', { hasText: 'UTC' }).waitFor();
});

test('many conditions and collectors are folded, so that the chart is in sight', options, async (t) => {
  browser ??= await openBrowser();
  await start();
  const { page, faults } = await openPage(t, browser, url);
  let updates = 0;
  await page.routeWebSocket(/\/ws$/u, (socket) => {
    socket.connectToServer().onMessage((text) => {
      updates += 1;
      const { overview } = JSON.parse(String(text)) as LiveMessage;
      const [collector] = overview.collectors;
      const conditions = Array.from({ length: 50 }, (_, index) => ({
        code: 'unknown-key',
        severity: 'warning',
        where: `row ${index}`,
        message: 'A message.',
        action: 'An action.',
      }));
      const collectors = Array.from({ length: 50 }, (_, index) => ({
        ...collector,
        target: `192.0.2.${index}:4739`,
      }));
      socket.send(JSON.stringify({ overview: { ...overview, conditions, collectors } }));
    });
  });
  await page.reload();
  await page.locator('[data-band="web-1"]').waitFor();
  const top = await page.locator('.plot').evaluate((element) => element.getBoundingClientRect().top);
  assert.ok(top < 900, `the chart begins at ${top} pixels`);
  assert.equal(await page.getByText('row 2', { exact: true }).isVisible(), true);
  assert.equal(await page.getByText('row 49').isVisible(), false);
  await page.locator('summary', { hasText: '47 more' }).click();
  await page.getByText('row 49').waitFor();
  // It stays open when the next updates arrive.
  const before = updates;
  await waitFor(() => updates > before + 1, { what: 'two updates' });
  assert.equal(await page.getByText('row 49').isVisible(), true);
  await page.locator('summary', { hasText: '40 more' }).click();
  await page.getByText('192.0.2.49:4739').waitFor();
  assert.deepEqual(faults, []);
});

test('names with markup are shown as they are, and filter', options, async (t) => {
  browser ??= await openBrowser();
  const { br: bridge } = await start();
  const name = '<img src=x onerror="document.title=1">&lt;b> = #1';
  await ovs.vsctl('set', 'Interface', 'tap1', `external_ids:vm-name=${JSON.stringify(name)}`);
  await waitFor(async () => (await daemon.appctl('interfaces', bridge.name)).includes(name), {
    what: 'the VM has its name',
  });
  const { page, faults } = await openPage(t, browser, url);
  await page.locator('.legend .name', { hasText: name }).click();
  await page.getByRole('button', { name: `remove interface=${name}` }).waitFor();
  await page.locator('[data-talker]').getByText(name).waitFor();
  await page.reload();
  await page.locator('[data-talker]').getByText(name).waitFor();
  await page.locator('summary', { hasText: 'Flows in the caches' }).click();
  await page.locator('#flows').getByText(name).first().waitFor();
  assert.equal(await page.locator('img').count(), 0);
  assert.notEqual(await page.title(), '1');
  assert.deepEqual(faults, []);
  await ovs.vsctl('set', 'Interface', 'tap1', 'external_ids:vm-name=web-2');
});

test('top prints the same figures once into a pipe', options, async () => {
  const { traffic: sent } = await start();
  const run = (...args: readonly string[]) =>
    runProgram(process.execPath, [DAEMON_FILE, 'top', '--unixctl', daemon.controlPath, ...args], {
      environment: ovs.environment,
    });
  await waitForTruth(
    'top',
    async () =>
      (JSON.parse(await run('--format', 'json', '--window', '10s')) as { traffic: TrafficDocument }).traffic
        .bits,
    () => sent.rate(SECONDS).bits,
  );
  const text = await run('--by', 'application', 'interface=db-1');
  assert.match(text, /^Flows of 1 bridge are exported to 1 collector\.$/mu);
  assert.match(text, /^UDP 53 \(dns\) .* 100\.0%/mu);
  assert.doesNotMatch(text, /https/u);
  assert.deepEqual(
    text.split('\n').filter((line) => line.length > 80),
    [],
  );
  await assert.rejects(run('colour=red'), /"colour=red" is not a valid filter/u);
});

test('top refreshes a terminal until q, and leaves it as it was', tier('ovs', 'daemon'), async (t) => {
  await start();
  const command = [process.execPath, DAEMON_FILE, 'top', '--interval', '1', '--unixctl', daemon.controlPath];
  const terminal = spawn('script', ['-qec', command.join(' '), '/dev/null'], {
    env: { ...process.env, ...ovs.environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => terminal.kill());
  let output = '';
  terminal.stdout.setEncoding('utf8');
  terminal.stdout.on('data', (text: string) => {
    output += text;
  });
  const shows = (text: string) => waitFor(() => output.includes(text), { what: text, timeoutMs: 15_000 });
  await shows('w window (5m), b by (interface)');
  await shows('web-1');
  // Two screens, without a key.
  await waitFor(() => output.split('q quit').length > 3, { what: 'it is refreshed', timeoutMs: 15_000 });
  terminal.stdin.write('b');
  await shows('b by (protocol)');
  await shows('by protocol; estimates');
  terminal.stdin.write('q');
  const [exitCode] = (await once(terminal, 'exit')) as [number];
  assert.equal(exitCode, 0);
  assert.ok(output.trimEnd().endsWith('\u001b[?25h\u001b[?1049l'), JSON.stringify(output.slice(-80)));
});
