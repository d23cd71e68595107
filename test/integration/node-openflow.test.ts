// The OpenFlow library with a real ovs-vswitchd, over BRIDGE.mgmt as the daemon uses it.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  decodeMetadata,
  flowMod,
  flowMonitorRequest,
  flowStatsRequest,
  inPort,
  METER_FLAGS,
  matchField,
  OPENFLOW_VERSIONS,
  OpenFlowConnection,
  type OpenFlowConnectionOptions,
  type OpenFlowMessage,
  type OpenFlowVersion,
  PACKET_IN_FORMATS,
} from '../../src/node-openflow/index.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { unlessDiffers } from '../versions/differences.ts';

const BRIDGE = 'br0';
const PORT = 7;
const PROTOCOLS = ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'];
const METER_VERSIONS = [4, 5, 6] as const;
const METER_ID = 65000;
const FRAME =
  '505400000001505400000002080045000028000000004011f9200a0000010a00000200350035001400000000000000000000000000000000';

const needsOvs = tier('ovs');
let ovs: Ovs;

before(async () => {
  if (needsOvs.skip === false) {
    ovs = await startOvs({
      // Requests that are refused on purpose.
      allowedWarnings: [
        /ofp_bundle\|WARN\|.*not allowed inside/,
        /vconn\|WARN\|.*version negotiation failed/,
        /rconn\|WARN\|br1<->.*connection dropped/,
      ],
    });
    await ovs.addBridge(BRIDGE, { protocols: PROTOCOLS, failMode: 'secure' });
    await ovs.addDummyPort(BRIDGE, 'p1', PORT);
  }
});
after(async () => {
  if (needsOvs.skip === false) {
    await ovs.stop();
  }
});

function open(options: OpenFlowConnectionOptions): OpenFlowConnection {
  return new OpenFlowConnection(connect(join(ovs.rundir, `${BRIDGE}.mgmt`)), options);
}

async function withConnection(
  version: OpenFlowVersion,
  use: (connection: OpenFlowConnection, messages: readonly OpenFlowMessage[]) => Promise<void>,
): Promise<void> {
  const messages: OpenFlowMessage[] = [];
  const connection = open({ versions: [version], onMessage: (message) => messages.push(message) });
  try {
    assert.equal(await connection.ready, version);
    if (version === 1) {
      connection.send({ type: 'flow_mod_table_id', enabled: true });
    }
    await use(connection, messages);
    assert.deepEqual(connection.status().unknownMessages, 0);
    assert.equal(connection.status().pendingRequests, 0);
  } finally {
    connection.close();
  }
}

async function done(connection: OpenFlowConnection, ...messages: readonly OpenFlowMessage[]): Promise<void> {
  assert.deepEqual(await connection.transact(messages), []);
}

const meterMod = (command: 'add' | 'modify' | 'delete', rate = 1000): OpenFlowMessage => ({
  type: 'meter_mod',
  command,
  meterId: METER_ID,
  flags: METER_FLAGS.pktps | METER_FLAGS.burst | METER_FLAGS.stats,
  bands: command === 'delete' ? [] : [{ type: 'drop', rate, burstSize: 100 }],
});

/** Returns a flow that drops, or with a group, one that a switch without the group refuses. */
const addFlow = (priority: number, groupId?: number): OpenFlowMessage => ({
  type: 'flow_mod',
  ...flowMod({
    command: 'add',
    priority,
    instructions:
      groupId === undefined ? [] : [{ type: 'apply_actions', actions: [{ type: 'group', value: groupId }] }],
  }),
});

const deleteAllFlows = { type: 'flow_mod', ...flowMod({ command: 'delete', tableId: 0xff }) } as const;

test('the highest offered version that a bridge allows is negotiated', needsOvs, async () => {
  const connection = open({});
  assert.equal(await connection.ready, 6);
  connection.close();
  assert.equal((await connection.ended).reason, 'closed');
});

test('a bridge that allows no offered version refuses the connection by name', needsOvs, async () => {
  await ovs.addBridge('br1', { protocols: ['OpenFlow13'] });
  const connection = new OpenFlowConnection(connect(join(ovs.rundir, 'br1.mgmt')), { versions: [1] });
  await assert.rejects(connection.ready, { code: 'OPENFLOW_VERSION' });
  assert.equal((await connection.ended).reason, 'version');
});

for (const version of OPENFLOW_VERSIONS) {
  test(`version ${version}: the switch describes itself`, needsOvs, async () => {
    await withConnection(version, async (connection) => {
      await connection.probe();
      const features = await connection.request({ type: 'features_request' });
      assert.equal(features.tableCount, 254);
      const { entries: ports } = await connection.request({ type: 'port_desc_request' });
      assert.deepEqual(
        new Map(ports.map(({ portNumber, name }) => [portNumber, name])),
        new Map([
          [0xffff_fffe, BRIDGE],
          [PORT, 'p1'],
        ]),
      );
      assert.equal(features.ports.length, version === 1 ? 2 : 0);
      assert.equal((await connection.request({ type: 'desc_request' })).hardware, 'Open vSwitch');
      assert.equal((await connection.request({ type: 'table_stats_request' })).entries.length, 254);
      const config = await connection.request({ type: 'get_config_request' });
      await done(connection, { type: 'set_config', flags: config.flags, missSendLength: 77 });
      assert.equal((await connection.request({ type: 'get_config_request' })).missSendLength, 77);
    });
  });

  test(`version ${version}: the role of a connection is requested and changed`, needsOvs, async () => {
    await withConnection(version, async (connection) => {
      const secondary = await connection.request({
        type: 'role_request',
        role: 'secondary',
        generationId: 1n,
      });
      assert.equal(secondary.role, 'secondary');
      const [refused] = await connection.transact([deleteAllFlows]);
      assert.match(refused?.errorName ?? '', /^OFPBRC_(IS_SECONDARY|EPERM)$/);
      const equal = await connection.request({ type: 'role_request', role: 'equal', generationId: 0n });
      assert.equal(equal.role, 'equal');
    });
  });

  test(`version ${version}: changes of a port are reported`, needsOvs, async () => {
    await withConnection(version, async (connection, messages) => {
      await done(
        connection,
        { type: 'set_config', flags: 0, missSendLength: 128 },
        { type: 'set_async', portStatus: { active: 7, secondary: 7 } },
      );
      await ovs.ofctl('mod-port', BRIDGE, 'p1', 'down');
      const down = await waitFor(
        () => messages.find((message) => message.type === 'port_status' && (message.port.config & 1) === 1),
        { what: 'the switch says that the port is down' },
      );
      assert.ok(down.type === 'port_status' && down.reason === 'modify' && down.port.portNumber === PORT);
      await ovs.ofctl('mod-port', BRIDGE, 'p1', 'up');
    });
  });

  test(
    `version ${version}: a controller action with userdata sends an NXT_PACKET_IN2`,
    needsOvs,
    async () => {
      const seen: { userdata: string; packet: string; fields: string[] }[] = [];
      const connection = open({
        versions: [version],
        onPacketIn: (view) => {
          seen.push({
            userdata: view.bytes.toString('hex', view.userdataStart, view.userdataEnd),
            packet: view.bytes.toString('hex', view.packetStart, view.packetEnd),
            fields: decodeMetadata(view).map(({ field }) => field),
          });
        },
      });
      await connection.ready;
      await done(
        connection,
        { type: 'set_controller_id', controllerId: 18768 },
        { type: 'set_packet_in_format', format: PACKET_IN_FORMATS.nxtPacketIn2 },
        { type: 'set_config', flags: 0, missSendLength: 128 },
        { type: 'set_async', packetIn: { active: 2, secondary: 2 } },
      );
      await ovs.ofctl(
        '-OOpenFlow13',
        'add-flow',
        BRIDGE,
        `in_port=${PORT},actions=controller(id=18768,max_len=65535,userdata=01.02.03)`,
      );
      for (let n = 0; n < 50; n += 1) {
        await ovs.inject('p1', FRAME);
      }
      await waitFor(() => seen.length === 50, { what: 'all 50 packet-ins have come' });
      assert.equal(connection.status().packetIns, 50);
      assert.ok(seen.every(({ userdata, packet }) => userdata === '010203' && packet === FRAME));
      assert.ok(seen.every(({ fields }) => fields.some((field) => field.startsWith('in_port'))));
      await ovs.ofctl('-OOpenFlow13', 'del-flows', BRIDGE);
      connection.close();
    },
  );

  test(
    `version ${version}: thousands of flows are added, listed in one reply, and deleted`,
    needsOvs,
    async () => {
      await withConnection(version, async (connection) => {
        const count = 5000;
        const mods = Array.from({ length: count }, (_, index) => ({
          type: 'flow_mod' as const,
          ...flowMod({
            command: 'add',
            tableId: 3,
            priority: 100,
            cookie: BigInt(index),
            match: [inPort(version, PORT), matchField('reg0', BigInt(index))],
          }),
        }));
        await done(connection, ...mods);
        const { entries } = await connection.request({
          type: 'flow_stats_request',
          ...flowStatsRequest({ tableId: 3 }),
        });
        assert.equal(entries.length, count);
        assert.equal(new Set(entries.map(({ cookie }) => cookie)).size, count);
        await done(connection, deleteAllFlows);
      });
    },
  );

  test(
    `version ${version}: a refused flow is named, and the others of its transaction are added`,
    needsOvs,
    async () => {
      await withConnection(version, async (connection) => {
        const errors = await connection.transact([addFlow(3), addFlow(4, 99), addFlow(3)]);
        assert.deepEqual(
          errors.map(({ errorName, index, requestType }) => [errorName, index, requestType]),
          [['OFPBAC_BAD_OUT_GROUP', 1, 'flow_mod']],
        );
        const { entries } = await connection.request({ type: 'flow_stats_request', ...flowStatsRequest() });
        assert.equal(entries.length, 1);
        await done(connection, deleteAllFlows);
      });
    },
  );

  test(
    `version ${version}: groups are added, described and counted, and another connection is notified`,
    needsOvs,
    async () => {
      await withConnection(version, async (watcher, heard) => {
        const requestForward = { active: 3, secondary: 3 };
        await done(
          watcher,
          { type: 'set_config', flags: 0, missSendLength: 128 },
          { type: version >= 5 ? 'set_async' : 'set_async_config2', requestForward },
        );
        await withConnection(version, async (connection) => {
          const group = { groupId: 1, groupType: 'select', properties: Buffer.alloc(0) } as const;
          const bucket = {
            bucketId: null,
            weight: 10,
            watchPort: null,
            watchGroup: null,
            otherProperties: Buffer.alloc(0),
          };
          const output = { type: 'output', port: PORT, maxLength: 0 } as const;
          const add = {
            type: 'group_mod',
            command: 'add',
            ...group,
            commandBucketId: null,
            buckets: [{ ...bucket, actions: [output] }],
          } as const;
          await done(connection, add);
          const described = await connection.request({ type: 'group_desc_request' });
          assert.deepEqual(
            described.entries.map(({ groupId, groupType, buckets }) => [
              groupId,
              groupType,
              buckets.map(({ weight, actions }) => [weight, actions.map(({ type }) => type)]),
            ]),
            [[1, 'select', [[10, ['output']]]]],
          );
          const stats = await connection.request({ type: 'group_stats_request' });
          assert.deepEqual(
            stats.entries.map(({ groupId, buckets }) => [groupId, buckets.length]),
            [[1, 1]],
          );
          assert.equal((await connection.request({ type: 'group_features_request' })).types, 15);
          const [again] = await connection.transact([add]);
          assert.equal(again?.errorName, 'OFPGMFC_GROUP_EXISTS');
          await done(connection, { ...add, command: 'delete', buckets: [] });
        });
        await waitFor(() => heard.length === 2, { what: 'the watcher has heard of the group twice' });
        assert.deepEqual(
          heard.map((message) => (message.type === 'requestforward' ? message.request.type : message.type)),
          ['group_mod', 'group_mod'],
        );
      });
    },
  );

  const needsMonitor = version === 1 ? needsOvs : unlessDiffers(needsOvs, 'flow-monitor');
  test(`version ${version}: a flow monitor reports added and removed flows`, needsMonitor, async () => {
    await withConnection(version, async (connection, messages) => {
      await ovs.ofctl('-OOpenFlow13', 'add-flow', BRIDGE, 'table=0,priority=5,cookie=0x5,actions=drop');
      const initial = await connection.request({
        type: 'flow_monitor_request',
        ...flowMonitorRequest({ monitorId: 1 }),
      });
      assert.deepEqual(
        initial.entries.map((entry) => ('cookie' in entry ? entry.cookie : entry.event)),
        [5n],
      );
      await ovs.ofctl('-OOpenFlow13', 'add-flow', BRIDGE, 'table=0,priority=6,cookie=0x6,actions=drop');
      await ovs.ofctl('-OOpenFlow13', 'del-flows', BRIDGE);
      const events = () =>
        messages.flatMap((message) =>
          message.type === 'flow_monitor_update' ? message.entries.map(({ event }) => event) : [],
        );
      await waitFor(() => events().length === 3, { what: 'one flow was added and two were removed' });
      assert.deepEqual(events(), ['added', 'removed', 'removed']);
    });
  });

  test(
    `version ${version}: a flow with OFPFF_SEND_FLOW_REM is reported when it is removed`,
    needsOvs,
    async () => {
      await withConnection(version, async (connection, messages) => {
        await done(
          connection,
          ...(version === 1 ? [{ type: 'set_flow_format', format: 2 } as const] : []),
          { type: 'set_config', flags: 0, missSendLength: 128 },
          { type: 'set_async', flowRemoved: { active: 7, secondary: 0 } },
        );
        await ovs.ofctl(
          '-OOpenFlow13',
          'add-flow',
          BRIDGE,
          'priority=9,cookie=0x9,send_flow_rem,actions=drop',
        );
        await ovs.ofctl('-OOpenFlow13', 'del-flows', BRIDGE);
        const removed = await waitFor(() => messages.find(({ type }) => type === 'flow_removed'), {
          what: 'the switch reports the flow',
        });
        assert.ok(removed.type === 'flow_removed');
        assert.deepEqual([removed.cookie, removed.priority, removed.reason], [9n, 9, 'delete']);
      });
    },
  );
}

for (const version of METER_VERSIONS) {
  test(
    `version ${version}: a meter is added, read, changed and deleted, and another connection is notified`,
    needsOvs,
    async () => {
      await withConnection(version, async (watcher, heard) => {
        await done(
          watcher,
          { type: 'set_config', flags: 0, missSendLength: 128 },
          {
            type: version >= 5 ? 'set_async' : 'set_async_config2',
            requestForward: { active: 3, secondary: 3 },
          },
        );
        await withConnection(version, async (connection) => {
          const features = await connection.request({ type: 'meter_features_request' });
          assert.ok(features.meterCountMax >= METER_ID && features.capabilities === 15);
          await done(connection, meterMod('add'));
          const [exists] = await connection.transact([meterMod('add')]);
          assert.equal(exists?.errorName, 'OFPMMFC_METER_EXISTS');
          await done(connection, meterMod('modify', 2000));
          const config = await connection.request({ type: 'meter_config_request', meterId: METER_ID });
          assert.deepEqual(config.entries, [
            { meterId: METER_ID, flags: 0b1110, bands: [{ type: 'drop', rate: 2000, burstSize: 100 }] },
          ]);
          const stats = await connection.request({ type: 'meter_stats_request', meterId: METER_ID });
          assert.deepEqual(
            stats.entries.map(({ meterId, packetCount, bands }) => [meterId, packetCount, bands]),
            [[METER_ID, 0n, [{ packetCount: 0n, byteCount: 0n }]]],
          );
          await done(connection, meterMod('delete'));
          await assert.rejects(connection.request({ type: 'meter_stats_request', meterId: METER_ID }), {
            code: 'OPENFLOW_REQUEST',
            errorName: 'OFPMMFC_UNKNOWN_METER',
          });
        });
        const mods = () => heard.filter(({ type }) => type === 'requestforward');
        await waitFor(() => mods().length === 3, { what: 'the watcher has heard of the meter three times' });
        assert.deepEqual(
          mods().map((message) =>
            message.type === 'requestforward' && message.request.type === 'meter_mod'
              ? message.request.command
              : null,
          ),
          ['add', 'modify', 'delete'],
        );
      });
    },
  );

  test(`version ${version}: a bundle takes effect as a whole or not at all`, needsOvs, async () => {
    await withConnection(version, async (connection) => {
      const count = async () =>
        (await connection.request({ type: 'flow_stats_request', ...flowStatsRequest() })).entries.length;
      assert.deepEqual(await connection.bundle([addFlow(1), addFlow(2)]), []);
      assert.equal(await count(), 2);
      const failed = await connection.bundle([addFlow(3), addFlow(4, 99)]);
      assert.deepEqual(
        failed.map(({ errorName, index }) => [errorName, index]),
        [['OFPBAC_BAD_OUT_GROUP', 1]],
      );
      assert.equal(await count(), 2);
      const refused = await connection.bundle([addFlow(5), meterMod('add')]);
      assert.deepEqual(
        refused.map(({ errorName, index, requestType }) => [errorName, index, requestType]),
        [['OFPBFC_MSG_UNSUP', 1, 'meter_mod']],
      );
      assert.equal(await count(), 2);
      await done(connection, deleteAllFlows);
    });
  });
}

test('a bridge that is deleted ends its connections', needsOvs, async () => {
  await ovs.addBridge('br2', { protocols: PROTOCOLS });
  const connection = new OpenFlowConnection(connect(join(ovs.rundir, 'br2.mgmt')));
  await connection.ready;
  await ovs.vsctl('del-br', 'br2');
  assert.equal((await connection.ended).reason, 'disconnected');
});
