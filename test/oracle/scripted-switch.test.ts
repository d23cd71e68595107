// Compares the scripted switch with a real Open vSwitch: the same dialogue over each version must have the same replies,
// errors, flow monitor updates and forwarded requests.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import {
  type Action,
  FLOW_FLAGS,
  flowMod,
  flowMonitorRequest,
  flowStatsRequest,
  GROUP_ALL,
  type Instruction,
  inPort,
  loadBits,
  METER_ALL,
  METER_FLAGS,
  matchField,
  OPENFLOW_VERSIONS,
  OpenFlowConnection,
  type OpenFlowMessage,
  OpenFlowRequestError,
  type OpenFlowVersion,
  TABLE_ALL,
} from '../../src/node-openflow/index.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { formatMessage } from '../support/scripted-switch/message-text.ts';
import { ScriptedSwitch } from '../support/scripted-switch.ts';
import { tier } from '../support/tiers.ts';
import { unlessDiffers } from '../versions/differences.ts';

const needsOvs = tier('ovs');
const BRIDGE = 'br0';
const PORT = 7;
/** The version of the other client, which makes the changes that the client under test is notified of. */
const OTHER_VERSION: OpenFlowVersion = 5;

let ovs: Ovs;
before(async () => {
  if (needsOvs.skip !== false) {
    return;
  }
  // A flow mod of OpenFlow 1.0 with a table before flow_mod_table_id.
  ovs = await startOvs({ allowedWarnings: [/flow_mod_table_id extension is not enabled/] });
  await ovs.addBridge(BRIDGE, {
    protocols: ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'],
    failMode: 'secure',
  });
  await ovs.addDummyPort(BRIDGE, 'p1', PORT);
});
after(async () => {
  if (needsOvs.skip === false) {
    await ovs.stop();
  }
});

const output = (port: number) => ({ type: 'output', port, maxLength: 0 }) as const;
const apply = (...actions: readonly Action[]): Instruction => ({ type: 'apply_actions', actions });
const sample = {
  type: 'sample',
  probability: 65535,
  collectorSetId: 1,
  observationDomainId: 2,
  observationPointId: 3,
  samplingPort: 0xffff_ffff,
  direction: 0,
} as const;
const copyToUs = {
  type: 'controller2',
  maxLength: 192,
  controllerId: 18_768,
  userdata: Buffer.from('010203', 'hex'),
} as const;

/** The flows of the other client: everything that versions show differently. */
const FLOWS: readonly OpenFlowMessage[] = [
  {
    type: 'flow_mod',
    ...flowMod({
      command: 'add',
      priority: 100,
      cookie: 0x1234n,
      match: [inPort(OTHER_VERSION, PORT), matchField('reg0', 5), matchField('reg3', 1, 0xff)],
      instructions: [
        { type: 'goto_table', tableId: 7 },
        { type: 'write_actions', actions: [output(PORT)] },
        apply(
          loadBits(OTHER_VERSION, 'reg1', 4, 8, 0xa5n),
          { type: 'set_field', field: matchField('reg2', 7) },
          sample,
          copyToUs,
        ),
        { type: 'meter', meterId: 10 },
      ],
    }),
  },
  {
    type: 'flow_mod',
    ...flowMod({
      command: 'add',
      tableId: 3,
      priority: 65_535,
      idleTimeout: 600,
      hardTimeout: 1200,
      importance: 7,
      flags: FLOW_FLAGS.resetCounts,
      match: [matchField('eth_type', 0x800), matchField('reg11', 0, 0x8000_0000)],
      instructions: [apply(output(0xffff_fff9)), { type: 'write_metadata', metadata: 5n, mask: 0xffn }],
    }),
  },
  {
    type: 'flow_mod',
    ...flowMod({
      command: 'add',
      tableId: 3,
      match: [
        matchField('eth_type', 0x800),
        matchField('ip_src', Buffer.of(10, 0, 0, 0), Buffer.of(255, 0, 0, 0)),
        matchField('reg11', 0, 0x8000_0000),
      ],
      instructions: [apply({ type: 'clone', actions: [sample, output(PORT)] }, { type: 'group', value: 4 })],
    }),
  },
  { type: 'flow_mod', ...flowMod({ command: 'add', tableId: 3, match: [matchField('vlan_vid', 0x1005)] }) },
];

const meter = (command: 'add' | 'modify' | 'delete', meterId: number, rate = 1000): OpenFlowMessage => ({
  type: 'meter_mod',
  command,
  meterId,
  flags: command === 'delete' ? 0 : METER_FLAGS.pktps | METER_FLAGS.burst | METER_FLAGS.stats,
  bands: command === 'delete' ? [] : [{ type: 'drop', rate, burstSize: 100 }],
});
const group = (command: 'add' | 'modify' | 'delete', groupId: number): OpenFlowMessage => ({
  type: 'group_mod',
  command,
  groupId,
  groupType: 'all',
  commandBucketId: null,
  properties: Buffer.alloc(0),
  buckets:
    command === 'delete'
      ? []
      : [
          {
            bucketId: null,
            weight: null,
            watchPort: null,
            watchGroup: null,
            actions: [output(PORT)],
            otherProperties: Buffer.alloc(0),
          },
        ],
});
const modify = (
  tableId: number,
  priority: number,
  ...instructions: readonly Instruction[]
): OpenFlowMessage => ({
  type: 'flow_mod',
  ...flowMod({
    command: 'modify_strict',
    tableId,
    priority,
    match: [matchField('eth_type', 0x800), matchField('reg11', 0, 0x8000_0000)],
    instructions,
  }),
});

/** A dialogue of two clients with a switch, and everything that the switch sent. */
class Dialogue {
  readonly said: string[] = [];
  readonly one: OpenFlowConnection;
  readonly other: OpenFlowConnection;

  constructor(open: () => Duplex, version: OpenFlowVersion) {
    this.one = new OpenFlowConnection(open(), {
      versions: [version],
      onMessage: (message) => this.#say('one is told', message),
    });
    this.other = new OpenFlowConnection(open(), {
      versions: [OTHER_VERSION],
      onMessage: (message) => this.#say('the other is told', message),
    });
  }

  /** Sends messages of a client; records the errors, and then what both clients received meanwhile. */
  async send(who: 'one' | 'other', ...messages: readonly OpenFlowMessage[]): Promise<void> {
    this.said.push(`${who}: ${messages.map(formatMessage).join(' | ')}`);
    const errors = await this[who].transact(messages);
    await this.one.request({ type: 'barrier_request' });
    await this.other.request({ type: 'barrier_request' });
    this.said.push(...errors.map(({ errorName, index }) => `refused ${index}: ${errorName}`));
  }

  async ask(what: string, request: Promise<object>): Promise<void> {
    this.said.push(`asked: ${what}`);
    try {
      this.#say('answer', await request);
    } catch (error) {
      if (!(error instanceof OpenFlowRequestError)) {
        throw error;
      }
      this.said.push(`refused: ${error.errorName}`);
    }
  }

  close(): void {
    this.one.close();
    this.other.close();
  }

  /** Records a message with sorted entries, because Open vSwitch's order is that of a hash, and without ages. */
  #say(what: string, message: object): void {
    const { entries, ...rest } = message as { readonly entries?: readonly object[] };
    const lines = (entries ?? []).map((entry) =>
      inspect(
        { ...entry, durationSeconds: 0, durationNanoseconds: 0 },
        { depth: null, breakLength: Infinity },
      ),
    );
    this.said.push(`${what}: ${inspect(rest, { depth: null, breakLength: Infinity })}`);
    this.said.push(...lines.sort().map((line) => `  ${line}`));
  }
}

async function hold(open: () => Duplex, version: OpenFlowVersion): Promise<readonly string[]> {
  const dialogue = new Dialogue(open, version);
  const { one, other } = dialogue;
  try {
    await one.ready;
    await other.ready;
    await other.transact([
      { type: 'flow_mod', ...flowMod({ command: 'delete', tableId: TABLE_ALL }) },
      meter('delete', METER_ALL),
      group('delete', GROUP_ALL),
    ]);
    await settings(dialogue, version);
    await meters(dialogue, version);
    await groups(dialogue);
    await flows(dialogue, version);
    return dialogue.said;
  } finally {
    dialogue.close();
  }
}

async function settings(dialogue: Dialogue, version: OpenFlowVersion): Promise<void> {
  const { one } = dialogue;
  await dialogue.ask('config', one.request({ type: 'get_config_request' }));
  const features = await one.request({ type: 'features_request' });
  dialogue.said.push(`${features.tableCount} tables, ${features.capabilities}, ${features.ports.length > 0}`);
  const { hardware } = await one.request({ type: 'desc_request' });
  dialogue.said.push(hardware);
  if (version === 1) {
    const mod = flowMod({ command: 'add', tableId: 3, match: [matchField('reg1', 1)] });
    await dialogue.send('one', { type: 'flow_mod', ...mod });
    await dialogue.send('one', { type: 'flow_mod_table_id', enabled: true });
  }
  const requestForward = { active: 3, secondary: 0 };
  await dialogue.send(
    'one',
    { type: 'set_controller_id', controllerId: 18_768 },
    { type: 'set_packet_in_format', format: 2 },
    { type: 'set_config', flags: 0, missSendLength: 128 },
    version >= 5 ? { type: 'set_async', requestForward } : { type: 'set_async_config2', requestForward },
  );
  await dialogue.ask('config', one.request({ type: 'get_config_request' }));
  await dialogue.ask('an echo', one.request({ type: 'echo_request', data: Buffer.from('abc') }));
}

async function meters(dialogue: Dialogue, version: OpenFlowVersion): Promise<void> {
  const { one, other } = dialogue;
  await dialogue.send('other', meter('add', 10), meter('add', 11), meter('add', 10), meter('add', 0));
  await dialogue.send('other', meter('modify', 11, 2000), meter('modify', 12));
  if (version === 1) {
    return;
  }
  await dialogue.ask('features', one.request({ type: 'meter_features_request' }));
  await dialogue.ask('meter 11', one.request({ type: 'meter_config_request', meterId: 11 }));
  await dialogue.ask('all meters', one.request({ type: 'meter_config_request', meterId: METER_ALL }));
  await dialogue.ask('meter 12', one.request({ type: 'meter_config_request', meterId: 12 }));
  await dialogue.ask('counters', other.request({ type: 'meter_stats_request', meterId: 11 }));
  await dialogue.ask('no counters', other.request({ type: 'meter_stats_request', meterId: 12 }));
  await dialogue.send('one', meter('delete', 11), meter('delete', 12));
}

async function groups(dialogue: Dialogue): Promise<void> {
  await dialogue.send('other', group('add', 4), group('add', 5), group('add', 5), group('modify', 6));
  await dialogue.ask('groups', dialogue.one.request({ type: 'group_desc_request' }));
}

async function flows(dialogue: Dialogue, version: OpenFlowVersion): Promise<void> {
  const { one } = dialogue;
  const dump = (what: string, filter: Parameters<typeof flowStatsRequest>[0] = {}) =>
    dialogue.ask(what, one.request({ type: 'flow_stats_request', ...flowStatsRequest(filter) }));
  const monitor = (monitorId: number, fields: Partial<Parameters<typeof flowMonitorRequest>[0]> = {}) =>
    one.request({ type: 'flow_monitor_request', ...flowMonitorRequest({ monitorId, ...fields }) });
  const flags = { initial: false, add: true, delete: true, modify: true, actions: false, own: false };

  await dialogue.send('other', ...FLOWS.slice(0, 2));
  await dialogue.ask('a monitor', monitor(1, { flags: { ...flags, initial: true, actions: true } }));
  await dialogue.send('other', ...FLOWS.slice(2));
  await dump('all');
  await dump('table 3', { tableId: 3 });
  await dump('a match', { match: [matchField('reg11', 0, 0x8000_0000)] });
  await dump('a narrower match', { match: [matchField('reg11', 0)] });
  await dump('a cookie', { cookie: 0x1000n, cookieMask: 0xff00n });

  await dialogue.send('one', modify(3, 65_535, apply(output(PORT))));
  await dialogue.send('one', modify(3, 65_535, apply(output(PORT))));
  await dialogue.send(
    'other',
    modify(3, 65_535, apply(output(0xffff_fff9)), { type: 'goto_table', tableId: 9 }),
  );
  await dialogue.send(
    'other',
    modify(3, 65_535, apply(output(0xffff_fff9)), { type: 'goto_table', tableId: 9 }),
  );
  await dump('after changes', { tableId: 3 });
  await dialogue.send('one', modify(4, 65_535, apply(output(PORT))));
  await dialogue.send('other', FLOWS[1] as OpenFlowMessage);

  const add = (fields: Partial<Parameters<typeof flowMod>[0]>): OpenFlowMessage => ({
    type: 'flow_mod',
    ...flowMod({ command: 'add', tableId: 5, ...fields }),
  });
  await dialogue.send(
    'other',
    add({ match: [matchField('reg1', 1)], instructions: [apply({ type: 'group', value: 99 })] }),
    add({ match: [matchField('reg1', 2)], instructions: [{ type: 'meter', meterId: 99 }] }),
  );
  await dialogue.send(
    'one',
    add({ match: [matchField('reg1', 3)] }),
    add({ match: [matchField('reg1', 4)], priority: 1 }),
  );
  const remove = { command: 'delete', tableId: 5 } as const;
  await dialogue.send('one', { type: 'flow_mod', ...flowMod({ ...remove, match: [matchField('reg1', 4)] }) });
  await dialogue.send('other', { type: 'flow_mod', ...flowMod({ ...remove, command: 'delete_strict' }) });
  await dialogue.send('other', { type: 'flow_mod', ...flowMod(remove) });
  await dialogue.send('other', meter('delete', 10), group('delete', 4));
  await dump('without meter and group');
  if (version === 1) {
    const newCookie = { command: 'modify_strict', tableId: 6, newCookie: 7n } as const;
    await dialogue.send('one', { type: 'flow_mod', ...flowMod(newCookie) });
    await dump('a modify that adds', { tableId: 6 });
  }
  if (version >= 5) {
    await dialogue.ask('no monitor', monitor(1, { command: 'delete', flags }));
  } else {
    await dialogue.send('one', { type: 'flow_monitor_cancel', monitorId: 1 });
  }
  await dialogue.send('other', FLOWS[3] as OpenFlowMessage);
}

for (const version of OPENFLOW_VERSIONS) {
  // From OpenFlow 1.3 on the dialogue has a flow monitor.
  const options = version === 1 ? needsOvs : unlessDiffers(needsOvs, 'flow-monitor');
  test(`version ${version}: the scripted switch answers as Open vSwitch does`, options, async () => {
    const real = await hold(() => connect(join(ovs.rundir, `${BRIDGE}.mgmt`)), version);
    const port = { portNumber: PORT, name: 'p1', hardwareAddress: 'aa:55:aa:55:00:01' };
    const ofswitch = new ScriptedSwitch({ clock: new ManualClock(), ports: [port] });
    const scripted = await hold(() => ofswitch.connect(), version);
    assert.ok(real.length > 60, `only ${real.length} lines`);
    assert.deepEqual(scripted, real);
  });
}
