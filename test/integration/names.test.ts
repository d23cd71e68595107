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
    {
      ovs: { allowedWarnings: [/\|(collectors|ipfix)\|WARN\|/u, /red/u] },
      daemon: { arguments: ['--web', '127.0.0.1:0'] },
    },
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
      assert.match(await flows(`interface=${word}`), /^1 of 1 flow that matches, of 2 in the caches/u, word);
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
    assert.match(outputs.flows, /^1 of 1 flow that matches/u);
    assert.equal(await daemon.appctl('flush', shownBridge), '0 flows sent\n');
  });

  test('hostile values of rows reach neither terminal nor log, page or metrics', async (t) => {
    const evil = 'x\u001b[31mred\u009b2J\u202e\nready';
    const name = 'hostile\u001b[31m\u202e';
    const br = await exportingBridge(t, ovs, daemon, EXTENDED);
    const text = (value: string) => JSON.stringify(value);
    await ovs.vsctl('add-br', name, '--', 'set', 'Bridge', name, 'datapath_type=dummy');
    t.after(() => ovs.vsctl('del-br', name));
    const key = (name_: string) => ['map', [[name_, evil]]];
    await ovs.transact(
      {
        op: 'insert',
        table: 'IPFIX',
        'uuid-name': 'i',
        row: {
          targets: ['set', [evil, '127.0.0.1:1']],
          external_ids: [
            'map',
            [
              [`ovs-ipfix-${evil}`, evil],
              ['ovs-ipfix-record-format', evil],
              ['ovs-ipfix-options', evil],
              ['ovs-ipfix-template-interval', evil],
            ],
          ],
          other_config: [
            'map',
            [
              ['enable-tunnel-sampling', evil],
              ['virtual_obs_id', evil],
              ['enable-input-sampling', evil],
            ],
          ],
        },
      },
      { op: 'insert', table: 'IPFIX', 'uuid-name': 'none', row: { targets: evil } },
      {
        op: 'update',
        table: 'Bridge',
        where: [['name', '==', name]],
        row: {
          ipfix: ['named-uuid', 'i'],
          external_ids: [
            'map',
            [
              ['ovs-ipfix-sampler', evil],
              ['ovs-ipfix-max-rate', evil],
              [`ovs-ipfix-${evil}`, evil],
            ],
          ],
        },
      },
      {
        op: 'update',
        table: 'Bridge',
        where: [['name', '==', br.name]],
        row: { external_ids: key('ovs-ipfix-max-rate') },
      },
      {
        op: 'insert',
        table: 'Flow_Sample_Collector_Set',
        row: {
          id: 77,
          bridge: ['uuid', await ovs.vsctl('get', 'Bridge', name, '_uuid').then((said) => said.trim())],
          ipfix: ['named-uuid', 'none'],
        },
      },
    );
    t.after(() => ovs.vsctl('--all', 'destroy', 'Flow_Sample_Collector_Set'));
    await waitFor(async () => (await daemon.appctl('conditions')).includes('no-usable-target'), {
      what: text('its conditions'),
    });
    const run = (...args: readonly string[]) =>
      runProgram(process.execPath, [DAEMON_FILE, ...args], { environment: ovs.environment }).catch(
        (error: unknown) => `${(error as ProgramError).stdout}${(error as ProgramError).stderr}`,
      );
    const commands = [
      'exporters',
      'caches',
      'collectors',
      'sampling',
      'conditions',
      'status',
      'interfaces',
      'flows',
      'ready',
      'coverage/show',
      'memory/show',
    ];
    const outputs: Record<string, string> = { log: daemon.log };
    for (const command of commands) {
      outputs[command] = await daemon
        .appctl(command)
        .catch((error: unknown) => (error as ProgramError).stderr);
    }
    outputs['status json'] = await daemon.appctl('status', 'json');
    outputs['refusal'] = await daemon
      .appctl('flows', `bridge=${evil}`)
      .catch((error: unknown) => (error as ProgramError).stderr);
    outputs['status command'] = await run('status', '--unixctl', daemon.controlPath);
    outputs['doctor'] = await run('doctor', '--unixctl', daemon.controlPath);
    outputs['doctor json'] = await run('doctor', '--format', 'json', '--unixctl', daemon.controlPath);
    outputs['doctor elsewhere'] = await run('doctor', '--openflow', `unix:${ovs.rundir}/${evil}/%b`);
    outputs['wrong flag'] = await run('run', '--mark', evil);
    outputs['wrong method'] = await run('doctor', '--db', evil);
    outputs['unreachable'] = await run('release', '--db', `unix:${ovs.rundir}/${evil}`);
    for (const path of [
      'status.json',
      'flows.json',
      'metrics',
      `flows.json?bridge=${encodeURIComponent(evil)}`,
    ]) {
      outputs[path] = await (await get(path)).text();
    }
    const columns = await ovs.vsctl('--no-headings', '--columns=external_ids', 'list', 'IPFIX');
    outputs['problems'] =
      /ovs-ipfix-problem="(?<text>(?:[^"\\]|\\.)*)"/u.exec(columns)?.groups?.['text'] ?? '';
    for (const [what, output] of Object.entries(outputs)) {
      assert.notEqual(output, '', what);
      assert.doesNotMatch(output, UNSAFE, what);
      assert.doesNotMatch(output, /^ready$/mu, what);
    }
    assert.match(outputs['doctor'], /hostile\\x1b\[31m\\u202e/u);
  });
});
