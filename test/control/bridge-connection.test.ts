// The main connection to a bridge: the negotiated version, the set-up, and faults of the switch during the set-up.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { BridgeConnection } from '../../src/control/bridge-connection.ts';
import { Log } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MARK } from '../support/scripted-bridge.ts';
import { ScriptedSwitch, type SwitchBehaviour } from '../support/scripted-switch.ts';

function start(behaviour: Partial<SwitchBehaviour> = {}) {
  const clock = new ManualClock();
  const ofswitch = new ScriptedSwitch({ clock, behaviour });
  const lines: string[] = [];
  const log = new Log({ clock, destination: (line) => lines.push(line) }).logger('control');
  const modified: string[] = [];
  const open = async (t: TestContext) => {
    const connection = await BridgeConnection.open(await ofswitch.dial(), {
      bridge: 'br0',
      mark: MARK,
      log,
      isLeading: () => true,
      onPacketIn: () => {},
      onMeterModified: (meterId) => modified.push(`meter ${meterId}`),
      onGroupModified: () => modified.push('group'),
      onFlowEvents: () => {},
    });
    t.after(() => connection.close());
    return connection;
  };
  return { clock, ofswitch, lines, modified, open };
}

test('offers only the preferred of the versions that the bridge allows, in one hello', async (t) => {
  const cases = [
    { versions: [1, 6], used: 'OpenFlow 1.5' },
    { versions: [1, 4, 5, 6], used: 'OpenFlow 1.4' },
    { versions: [1, 4], used: 'OpenFlow 1.3' },
    { versions: [4, 6], used: 'OpenFlow 1.3' },
    { versions: [6], used: 'OpenFlow 1.5' },
    { versions: [1], used: 'OpenFlow 1.0' },
  ] as const;
  for (const { versions, used } of cases) {
    const { ofswitch, open } = start({ versions });
    const connection = await open(t);
    assert.equal(connection.protocol, used);
    assert.deepEqual(ofswitch.takeTranscript(/<- hello/u), [`1 <- hello ${used}`]);
    assert.equal(connection.allows(1), (versions as readonly number[]).includes(1));
    assert.equal(connection.showsWholeFlows, used !== 'OpenFlow 1.0');
  }
});

test('sets up the connection before it starts the flow monitor, in each version', async (t) => {
  const common = [
    'desc_request',
    'get_config_request',
    'set_controller_id id=18768',
    'set_packet_in_format format=2',
  ];
  const monitor = 'flow_monitor_request add id=1 flags=add,delete,modify table=0,reg11=0x0/0x80000000';
  const settings = ['set_config flags=0,miss_send_len=128', 'set_async', 'barrier_request'];
  const cases = [
    { versions: [1], rest: ['flow_mod_table_id', ...settings, monitor] },
    {
      versions: [4],
      rest: [...settings, 'set_async_config2', 'barrier_request', 'meter_features_request', monitor],
    },
    { versions: [5], rest: [...settings, 'meter_features_request', monitor] },
    { versions: [6], rest: [...settings, 'meter_features_request', monitor] },
  ] as const;
  for (const { versions, rest } of cases) {
    const { ofswitch, open } = start({ versions });
    const connection = await open(t);
    const sent = ofswitch.takeTranscript(/<-/u).slice(1);
    assert.deepEqual(
      sent.map((line) => line.replace('1 <- ', '')),
      [...common, ...rest],
    );
    assert.ok(connection.hasMonitor);
  }
});

test('uses the two highest meter ids of a bridge, and none without meters', async (t) => {
  const cases: readonly [Partial<SwitchBehaviour>, number | undefined, number | undefined][] = [
    [{ meterCountMax: 262_144 }, 65_000, 65_001],
    [{ meterCountMax: 65_000 }, 64_999, 65_000],
    [{ meterCountMax: 1 }, undefined, undefined],
    [{ meters: 'none' }, undefined, undefined],
    [{ meters: 'refused' }, undefined, undefined],
    [{ versions: [1] }, undefined, undefined],
  ];
  for (const [behaviour, hook, sample] of cases) {
    const { open } = start(behaviour);
    assert.deepEqual((await open(t)).meters, { hook, sample });
  }
});

test('requests no flow monitor in versions other than 1.0 from Open vSwitch before 3.0', async (t) => {
  const old = { monitors: 'OpenFlow 1.0 only', software: '2.15.0' } as const;
  for (const [version, hasMonitor] of [
    [1, true],
    [4, false],
    [5, false],
    [6, false],
  ] as const) {
    const { ofswitch, open } = start({ ...old, versions: [version] });
    const connection = await open(t);
    assert.equal(connection.hasMonitor, hasMonitor);
    assert.equal(ofswitch.takeTranscript(/<- flow_monitor_request/u).length, hasMonitor ? 1 : 0);
    assert.deepEqual(connection.switchVersion, { major: 2, minor: 15 });
  }
});

test('reports changes while its flow monitor is not paused', async (t) => {
  for (const version of [1, 4, 5] as const) {
    const { clock, ofswitch, open } = start({ versions: [version] });
    const connection = await open(t);
    assert.ok(connection.reportsChanges);
    ofswitch.pauseMonitors();
    await clock.advanceMs(0);
    await connection.probe();
    assert.ok(!connection.reportsChanges);
    ofswitch.resumeMonitors();
    await clock.advanceMs(0);
    assert.ok(connection.reportsChanges);
  }
  const { open } = start({ monitors: 'OpenFlow 1.0 only', software: '2.15.0', versions: [5] });
  assert.ok(!(await open(t)).reportsChanges);
});

test('requests a flow monitor from an unknown switch, and stays connected after an error of another version', async (t) => {
  for (const version of [4, 5, 6] as const) {
    const software = 'a switch of ours';
    const { clock, ofswitch, lines, open } = start({
      monitors: 'OpenFlow 1.0 only',
      software,
      versions: [version],
    });
    const connection = await open(t);
    assert.deepEqual([connection.hasMonitor, connection.switchVersion], [false, undefined]);
    assert.equal(ofswitch.takeTranscript(/-> error .*OpenFlow 1\.0/u).length, version === 4 ? 0 : 1);
    assert.equal(
      lines.filter((line) => line.includes('does not belong to a request')).length,
      version === 4 ? 0 : 1,
    );
    await clock.advanceMs(0);
    await connection.probe();
    assert.deepEqual(await connection.dumpFlows(), []);
  }
});

test('uses a switch that refuses the monitor, its description or meters', async (t) => {
  const { ofswitch, open } = start({ monitors: 'refused', meters: 'refused' });
  ofswitch.fail({ type: 'desc_request', action: 'refuse' });
  const connection = await open(t);
  assert.deepEqual([connection.hasMonitor, connection.meters.hook], [false, undefined]);
  await connection.probe();
});

test('rejects with the refusal of the packet-in format or controller id', async (t) => {
  for (const type of ['set_controller_id', 'set_packet_in_format', 'set_async', 'set_config'] as const) {
    const { clock, ofswitch, open } = start();
    ofswitch.fail({ type, action: 'refuse', errorName: 'OFPBRC_BAD_TYPE' });
    await assert.rejects(open(t), /Bridge br0 refused to set up the connection: .*OFPBRC_BAD_TYPE/u);
    await clock.advanceMs(0);
    assert.deepEqual(ofswitch.connections, []);
  }
});

test('rejects on garbage, another version and the end of the connection during the set-up', async (t) => {
  const causes: readonly [(ofswitch: ScriptedSwitch) => void, RegExp][] = [
    [(ofswitch) => ofswitch.sendGarbage(), /malformed/u],
    [(ofswitch) => ofswitch.speakVersion(6), /a message of OpenFlow 1\.5 on a connection of OpenFlow 1\.4/u],
    [(ofswitch) => ofswitch.hangUp(), /the switch closed the connection/u],
  ];
  for (const [cause, reason] of causes) {
    for (const held of [
      'desc_request',
      'barrier_request',
      'meter_features_request',
      'flow_monitor_request',
    ] as const) {
      const { clock, ofswitch, open } = start();
      ofswitch.hold(held);
      const opening = open(t);
      opening.catch(() => {});
      await clock.advanceMs(0);
      cause(ofswitch);
      await assert.rejects(opening, reason);
    }
  }
});

test('does not change the flags of the bridge', async (t) => {
  const { ofswitch, open } = start();
  await open(t);
  const other = await open(t);
  await other.openflow.transact([{ type: 'set_config', flags: 1, missSendLength: 0 }]);
  ofswitch.takeTranscript();
  await open(t);
  assert.deepEqual(ofswitch.takeTranscript(/<- set_config/u), ['3 <- set_config flags=1,miss_send_len=128']);
});

test('reports a meter or a group that another client modifies, in every version that forwards it', async (t) => {
  for (const versions of [[4], [5], [6]] as const) {
    const { clock, ofswitch, modified, open } = start({ versions });
    await open(t);
    ofswitch.doAsAnother({ type: 'meter_mod', command: 'add', meterId: 1, flags: 2, bands: [] });
    ofswitch.doAsAnother({
      type: 'group_mod',
      command: 'add',
      groupId: 1,
      groupType: 'all',
      buckets: [],
      properties: Buffer.alloc(0),
      commandBucketId: null,
    });
    await clock.advanceMs(0);
    assert.deepEqual(modified, ['meter 1', 'group']);
  }
});
