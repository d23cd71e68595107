// What is attached to the interface of a flow, in `flows`, /flows.json and the metrics of a real Open vSwitch, and names that would
// move a terminal's cursor, forge a line of the log or reverse a page: they are escaped wherever they are shown.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FlowsDocument } from '../../src/web/live-message.ts';
import { FLOW_SEARCHES_MAX } from '../../src/web/server.ts';
import type { Daemon } from '../support/daemon.ts';
import { type ExportingBridge, exportingBridge } from '../support/exporting-bridge.ts';
import { udpFrame } from '../support/frames.ts';
import { createIpfixRow, waitForHook } from '../support/ipfix-rows.ts';
import type { Ovs } from '../support/ovs.ts';
import { pageAddress } from '../support/page.ts';
import type { ProgramError } from '../support/process.ts';
import { runProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { withDaemon } from '../support/with-daemon.ts';

const COLUMNS = { cache_active_timeout: 60, cache_max_flows: 100 };
const ORIGINAL = { ...COLUMNS, 'external_ids:ovs-ipfix-record-format': 'original' };
const EXTENDED = { ...COLUMNS, 'external_ids:ovs-ipfix-record-format': 'extended' };
/** What no name may bring to a reader: control characters but the line breaks of the output, and bidirectional controls. */
const UNSAFE = /[^\P{Cc}\n]|[\u202a-\u202e\u2066-\u2069]/u;

describe('names of interfaces and bridges', tier('ovs', 'daemon'), () => {
  let ovs: Ovs;
  let daemon: Daemon;
  let url: string;

  withDaemon(
    (running) => {
      ({ ovs, daemon } = running);
    },
    { daemon: { arguments: ['--web', '127.0.0.1:0'] } },
  );

  const setName = (port: string, name: string) =>
    ovs.transact({
      op: 'update',
      table: 'Interface',
      where: [['name', '==', port]],
      row: { external_ids: ['map', [['vm-name', name]]] },
    });
  const get = async (path: string) => fetch(`${(url ??= await pageAddress(daemon))}${path}`);
  const flowsJson = async (query: string) =>
    (await (await get(`flows.json?${query}`)).json()) as FlowsDocument;

  /** Waits until `interfaces` shows this as attached to the bridge's port. */
  const attached = async (br: ExportingBridge, name: string) =>
    waitFor(async () => (await daemon.appctl('interfaces', br.name)).includes(` ${name}\n`), {
      what: `${name} is attached`,
    });

  test('flows show the VM, and are found by interface, VM or number', async (t) => {
    const br = await exportingBridge(t, ovs, daemon, EXTENDED);
    const other = await exportingBridge(t, ovs, daemon, ORIGINAL);
    await setName(br.port, 'web-1');
    await attached(br, 'web-1');
    await br.sample(udpFrame({ sourcePort: 7 }));
    await other.sample(udpFrame({ sourcePort: 8 }));
    const flows = (...words: readonly string[]) => daemon.appctl('flows', ...words);

    const all = await flows(`bridge=${br.name}`);
    assert.match(all, /^start +lasted proto +packets octets interface +from > to$/mu);
    assert.match(
      all,
      new RegExp(`^\\S+ +0\\.000 UDP +1 +\\d+ ${br.port} \\(web-1\\) 10\\.0\\.0\\.1:7 > `, 'mu'),
    );
    assert.match(all, /^ {4}in 16777217 ingress$/mu);
    const original = await flows(`bridge=${other.name}`);
    assert.match(original, /^start +lasted proto +packets octets from > to$/mu);
    for (const word of ['web-1', br.port, '16777217']) {
      assert.match(await flows(`interface=${word}`), /^1 of 1 flows that match, of 2 in the caches/u, word);
      const { matched, rows } = await flowsJson(`interface=${word}`);
      assert.equal(matched, 1);
      assert.equal(rows[0]?.['interfaceName'], br.port);
      assert.equal(rows[0]['interfaceDescription'], 'web-1');
      assert.equal(rows[0]['direction'], 'ingress');
    }
    assert.match(await flows('interface=web-1', 'proto=tcp'), /^0 of 0 flows/u);
    await assert.rejects(flows('interface=web-2'), (error: ProgramError) => {
      assert.match(error.stderr, /No interface is named "web-2", and none has it attached/u);
      return true;
    });

    const metrics = await (await get('metrics')).text();
    const labels = `bridge="${br.name}",interface="${br.port}",ifindex="16777217",vm="web-1"`;
    assert.ok(metrics.includes(`ovs_ipfix_interface_info{${labels}} 1\n`), metrics);
    assert.ok(metrics.includes(`ovs_ipfix_interfaces_without_info{bridge="${br.name}"} 0\n`));
  });

  test('/flows.json refuses what `flows` refuses, too many words and too many searches', async () => {
    const refused = async (query: string, status: number, sentence: RegExp) => {
      const response = await get(`flows.json?${query}`);
      assert.equal(response.status, status);
      assert.match(await response.text(), sentence);
    };
    await refused('colour=red', 400, /"colour=red" is not a valid filter/u);
    await refused('bridge=none', 400, /Nothing is exported for bridge none/u);
    await refused('top=101', 400, /is not a whole number/u);
    await refused(`top=1${'&proto=udp'.repeat(16)}`, 400, /more than 16 parameters/u);
    const statuses = await Promise.all(
      Array.from({ length: 40 }, async () => (await get('flows.json')).status),
    );
    assert.ok(
      statuses.every((status) => status === 200 || status === 503),
      String(statuses),
    );
    assert.ok(statuses.filter((status) => status === 200).length >= FLOW_SEARCHES_MAX);
    assert.equal((await get('flows.json')).status, 200);
  });

  test('control characters of names reach neither terminal nor log, page or metrics', async (t) => {
    const br = await exportingBridge(t, ovs, daemon, EXTENDED);
    const evil = 'web\u001b[2J\u009b31m\u202e\r\nready';
    const safe = 'web\\x1b[2J\\x9b31m\\u202e\\x0d\\x0aready';
    await setName(br.port, evil);
    await attached(br, safe);
    await br.sample(udpFrame({ sourcePort: 9 }));
    const bridge = 'br\u001bx\nready';
    const shownBridge = 'br\\x1bx\\x0aready';
    await ovs.vsctl('add-br', bridge, '--', 'set', 'Bridge', bridge, 'datapath_type=dummy');
    t.after(() => ovs.vsctl('del-br', bridge));
    await createIpfixRow(ovs, bridge, [br.sink.target], {
      sampling: 1,
      ...EXTENDED,
      'external_ids:ovs-ipfix-x': '1',
    });
    await waitForHook(daemon, shownBridge);

    const run = (...args: readonly string[]) =>
      runProgram(process.execPath, [DAEMON_FILE, ...args], { environment: ovs.environment });
    const outputs = {
      flows: await daemon.appctl('flows', `interface=${safe}`),
      interfaces: await daemon.appctl('interfaces'),
      sampling: await daemon.appctl('sampling'),
      conditions: await daemon.appctl('conditions'),
      status: await run('status', '--unixctl', daemon.controlPath),
      'status json': await daemon.appctl('status', 'json'),
      'flows.json': await (await get('flows.json')).text(),
      'status.json': await (await get('status.json')).text(),
      metrics: await (await get('metrics')).text(),
      log: daemon.log,
    };
    for (const [name, output] of Object.entries(outputs)) {
      assert.doesNotMatch(output, UNSAFE, name);
      // A line break in a name does not make a line of its own.
      assert.doesNotMatch(output, name === 'status' ? /\nready/u : /^ready/mu, name);
    }
    for (const name of ['flows', 'interfaces', 'flows.json', 'metrics'] as const) {
      const said = name === 'flows.json' || name === 'metrics' ? safe.replaceAll('\\', '\\\\') : safe;
      assert.ok(outputs[name].includes(said), `${name}: ${outputs[name]}`);
    }
    for (const name of ['interfaces', 'sampling', 'conditions', 'status', 'log'] as const) {
      assert.ok(outputs[name].includes(shownBridge), `${name}: ${outputs[name]}`);
    }
    assert.match(outputs.flows, /^1 of 1 flows that match/u);
    assert.equal(await daemon.appctl('flush', shownBridge), '0 flows sent\n');
  });
});
