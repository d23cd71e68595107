// The scripted switch with an OpenFlowConnection as its client: a dialogue, the differences between versions, and each fault.
// test/oracle/scripted-switch.test.ts compares its answers with those of Open vSwitch.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeMetadata,
  type FlowMod,
  flowMod,
  flowMonitorRequest,
  flowStatsRequest,
  type Instruction,
  METER_FLAGS,
  type MessageOf,
  matchField,
  OPENFLOW_VERSIONS,
  OpenFlowConnection,
  type OpenFlowConnectionOptions,
  type OpenFlowMessage,
  type OpenFlowVersion,
} from '../../src/node-openflow/index.ts';
import { runScript } from './event-script.ts';
import { ManualClock } from './manual-clock.ts';
import { ScriptedSwitch, type SwitchBehaviour } from './scripted-switch.ts';

const output = (port: number): Instruction => ({
  type: 'apply_actions',
  actions: [{ type: 'output', port, maxLength: 0 }],
});
const flow = (command: FlowMod['command'], fields: Partial<FlowMod> = {}) =>
  ({ type: 'flow_mod', ...flowMod({ command, priority: 5, instructions: [output(2)], ...fields }) }) as const;
const meter = (command: 'add' | 'modify' | 'delete', meterId = 1): MessageOf<'meter_mod'> => ({
  type: 'meter_mod',
  command,
  meterId,
  flags: METER_FLAGS.pktps,
  bands: command === 'delete' ? [] : [{ type: 'drop', rate: 10, burstSize: 0 }],
});
const dump = { type: 'flow_stats_request', ...flowStatsRequest() } as const;
const monitor = (fields: Partial<Parameters<typeof flowMonitorRequest>[0]> = {}) =>
  ({ type: 'flow_monitor_request', ...flowMonitorRequest({ monitorId: 1, ...fields }) }) as const;

function start(behaviour: Partial<SwitchBehaviour> = {}) {
  const clock = new ManualClock();
  const ofswitch = new ScriptedSwitch({ clock, behaviour });
  const dial = async (version: OpenFlowVersion, options: OpenFlowConnectionOptions = {}) => {
    const messages: OpenFlowMessage[] = [];
    const connection = new OpenFlowConnection(await ofswitch.dial(), {
      versions: [version],
      onMessage: (message) => messages.push(message),
      ...options,
    });
    await connection.ready;
    return { connection, messages };
  };
  return { clock, ofswitch, dial };
}

/** Whether a promise is settled after everything that is due has run. */
async function isSettled(clock: ManualClock, promise: Promise<unknown>): Promise<boolean> {
  let isOver = false;
  const note = () => {
    isOver = true;
  };
  void promise.then(note, note);
  await clock.advanceMs(0);
  return isOver;
}

test('records a dialogue as a transcript of messages and changes', async () => {
  const { clock, ofswitch, dial } = start();
  const { connection } = await dial(5);
  await connection.request(monitor());
  const errors = await connection.transact([meter('add'), flow('add', { hardTimeout: 30 }), meter('add')]);
  assert.deepEqual(
    errors.map(({ errorName, index }) => [errorName, index]),
    [['OFPMMFC_METER_EXISTS', 2]],
  );
  ofswitch.doAsAnother(flow('add', { tableId: 1, match: [matchField('reg1', 7)] }));
  await clock.advanceMs(30_000);
  connection.close();
  await clock.advanceMs(0);
  assert.deepEqual(ofswitch.takeTranscript(), [
    '1 opened',
    '1 -> hello without versions',
    '1 <- hello OpenFlow 1.4',
    '1 speaks OpenFlow 1.4',
    '1 <- flow_monitor_request add id=1 flags=initial,add,delete,modify,actions,own all tables',
    '1 -> flow_monitor_update of nothing',
    '1 <- meter_mod add meter=1 pktps drop:10:0',
    'switch: added meter=1 pktps drop:10:0',
    '1 <- flow_mod add table=0,priority=5 hard_timeout=30 actions=output:2',
    'switch: added table=0,priority=5',
    '1 -> flow_monitor_update added table=0,priority=5 actions=output:2',
    '1 <- meter_mod add meter=1 pktps drop:10:0',
    '1 -> error OFPMMFC_METER_EXISTS',
    '1 <- barrier_request',
    '1 -> barrier_reply',
    'another client: flow_mod add',
    'switch: added table=1,priority=5,reg1=0x7',
    '1 -> flow_monitor_update added table=1,priority=5,reg1=0x7 actions=output:2',
    'switch: removed table=0,priority=5 (hard timeout)',
    '1 -> flow_monitor_update removed table=0,priority=5 reason=1 actions=output:2',
    '1 closed by the client',
  ]);
  assert.deepEqual(ofswitch.flows(), ['table=1,priority=5,reg1=0x7 actions=output:2']);
});

test('prints what differs after each event of a script', async () => {
  const { clock, ofswitch, dial } = start();
  const refresh = flow('modify_strict', { instructions: [output(2)] });
  const { connection } = await dial(4);
  const print = () => [`flows: ${ofswitch.flows().join('; ')}`, `meters: ${ofswitch.meters().join('; ')}`];
  const printed = await runScript(clock, print, [
    { atMs: 0, what: 'start', act: () => connection.transact([flow('add', { hardTimeout: 30 })]) },
    { atMs: 20_000, what: 'refresh', act: () => connection.transact([refresh]) },
    { atMs: 49_999, what: 'before the timeout' },
    { atMs: 50_000, what: 'timeout' },
  ]);
  assert.deepEqual(printed, [
    '0 ms: start',
    '  flows: table=0,priority=5 actions=output:2',
    '  meters: ',
    '20000 ms: refresh',
    '49999 ms: before the timeout',
    '50000 ms: timeout',
    '  flows: ',
  ]);
});

test('negotiates the highest common version, and refuses a client without one', async () => {
  const { ofswitch } = start({ versions: [1, 6] });
  const connection = new OpenFlowConnection(await ofswitch.dial());
  assert.equal(await connection.ready, 6);
  const other = new OpenFlowConnection(await ofswitch.dial(), { versions: [4] });
  await assert.rejects(other.ready, { code: 'OPENFLOW_VERSION' });
  assert.deepEqual([...ofswitch.versions()], [[1, 6]]);
});

test('hides in OpenFlow 1.0 what it cannot show, and loses it when it is written back', async () => {
  const { ofswitch, dial } = start();
  ofswitch.doAsAnother(meter('add'));
  const instructions: Instruction[] = [
    { type: 'meter', meterId: 1 },
    output(2),
    { type: 'write_actions', actions: [{ type: 'output', port: 3, maxLength: 0 }] },
    { type: 'goto_table', tableId: 7 },
  ];
  ofswitch.doAsAnother(flow('add', { instructions }));
  for (const version of OPENFLOW_VERSIONS) {
    const { connection } = await dial(version);
    const [seen] = (await connection.request(dump)).entries;
    assert.equal(seen?.instructions.length, { 1: 1, 4: 4, 5: 4, 6: 3 }[version]);
    connection.close();
  }
  const { connection } = await dial(1);
  const [seen] = (await connection.request(dump)).entries;
  await connection.transact([flow('modify_strict', { instructions: seen?.instructions ?? [] })]);
  assert.deepEqual(ofswitch.flows(), ['table=0,priority=5 actions=output:2,resubmit(,7)']);
});

test('reports that it has no meters, or refuses meter messages', async () => {
  const { ofswitch, dial } = start({ meters: 'none' });
  const { connection } = await dial(4);
  assert.equal((await connection.request({ type: 'meter_features_request' })).meterCountMax, 0);
  const [error] = await connection.transact([meter('add')]);
  assert.equal(error?.errorName, 'OFPMMFC_INVALID_METER');
  ofswitch.behaviour.meters = 'refused';
  await assert.rejects(connection.request({ type: 'meter_features_request' }), {
    errorName: 'OFPBRC_BAD_STAT',
  });
});

test('deletes the flows whose instructions use a deleted meter', async () => {
  const { ofswitch } = start();
  ofswitch.doAsAnother(meter('add'));
  ofswitch.doAsAnother(flow('add', { instructions: [{ type: 'meter', meterId: 1 }] }));
  ofswitch.doAsAnother(flow('add', { tableId: 1 }));
  ofswitch.doAsAnother(meter('delete'));
  assert.deepEqual(ofswitch.flows(), ['table=1,priority=5 actions=output:2']);
});

test('forwards changes of meters and groups to other connections that have enabled it', async () => {
  const { ofswitch, clock, dial } = start();
  const { connection, messages } = await dial(5);
  const requestForward = { active: 3, secondary: 0 };
  await connection.transact([{ type: 'set_async', requestForward }]);
  ofswitch.doAsAnother(meter('add'));
  await connection.transact([{ type: 'set_config', flags: 0, missSendLength: 128 }]);
  ofswitch.doAsAnother(meter('delete'));
  await connection.transact([meter('add', 2)]);
  await clock.advanceMs(0);
  assert.deepEqual(
    messages.map((message) => message.type === 'requestforward' && message.request.type),
    ['meter_mod'],
  );
});

test('pauses monitors, and reports the changes when they resume', async () => {
  const { ofswitch, clock, dial } = start();
  const { connection, messages } = await dial(5);
  await connection.transact([flow('add', { priority: 1 }), flow('add', { priority: 2 })]);
  await connection.request(monitor());
  ofswitch.pauseMonitors();
  ofswitch.doAsAnother(flow('delete', { priority: 1, tableId: 0, match: [] }));
  ofswitch.doAsAnother(flow('add', { priority: 3 }));
  ofswitch.doAsAnother(flow('modify_strict', { priority: 3, instructions: [output(4)] }));
  ofswitch.resumeMonitors();
  await clock.advanceMs(0);
  assert.deepEqual(
    messages
      .flatMap((message) => (message.type === 'flow_monitor_update' ? message.entries : []))
      .map((entry) => ('priority' in entry ? `${entry.event} ${entry.priority}` : entry.event)),
    ['paused', 'removed 1', 'removed 2', 'initial 3', 'resumed'],
  );
});

test('answers a monitor request over 1.4, as before Open vSwitch 3.0, with an error of 1.0 of another transaction id', async () => {
  const { ofswitch, clock, dial } = start({ monitors: 'OpenFlow 1.0 only' });
  const over10 = await dial(1);
  assert.deepEqual((await over10.connection.request(monitor())).entries, []);
  const over13 = await dial(4);
  await assert.rejects(over13.connection.request(monitor()), { errorName: 'OFPBRC_BAD_SUBTYPE' });
  ofswitch.takeTranscript();
  const { connection } = await dial(5);
  const asked = connection.request(monitor({ match: [matchField('reg11', 0, 0x8000_0000)] }));
  asked.catch(() => {});
  await clock.advanceMs(0);
  assert.ok(ofswitch.takeTranscript().includes('3 -> error OFPMOFC_BAD_FLAGS (OpenFlow 1.0)'));
});

test('refuses, ignores, delays or does not answer messages, or ends the connection, by its faults', async () => {
  const { ofswitch, clock, dial } = start();
  const { connection } = await dial(4);
  ofswitch.fail({ type: 'flow_mod', action: 'refuse', errorName: 'OFPFMFC_TABLE_FULL', from: 2, times: 1 });
  const errors = await connection.transact([
    flow('add'),
    flow('add', { priority: 6 }),
    flow('add', { priority: 7 }),
  ]);
  assert.deepEqual(
    errors.map(({ errorName, index }) => `${index} ${errorName}`),
    ['1 OFPFMFC_TABLE_FULL'],
  );
  ofswitch.fail({ type: 'get_config_request', action: 'ignore' });
  assert.equal(await isSettled(clock, connection.request({ type: 'get_config_request' })), false);
  ofswitch.hold('barrier_request');
  const late = connection.transact([flow('add', { priority: 8 })]);
  assert.equal(await isSettled(clock, late), false);
  assert.equal(ofswitch.flows().length, 3);
  assert.ok(await isSettled(clock, connection.probe()));
  ofswitch.release();
  assert.deepEqual(await late, []);
  ofswitch.fail({ type: 'flow_mod', action: 'hang up after', from: 2 });
  const lost = connection.transact([flow('delete', { priority: 8 }), flow('add', { priority: 9 })]);
  await assert.rejects(lost, { code: 'OPENFLOW_ENDED' });
  assert.deepEqual(ofswitch.flows(), ['table=0,priority=9 actions=output:2']);
  assert.equal((await connection.ended).reason, 'disconnected');
  ofswitch.recover();
  assert.equal((await dial(4)).connection.status().state, 'ready');
});

test('ends a connection by garbage, another version and a restart, but not by silence or a full pipe', async () => {
  const { ofswitch, clock, dial } = start();
  const garbage = await dial(4);
  ofswitch.sendGarbage();
  assert.equal((await garbage.connection.ended).reason, 'malformed');
  const version = await dial(4);
  ofswitch.speakVersion(5);
  assert.equal((await version.connection.ended).reason, 'protocol');
  const restarted = await dial(4);
  await restarted.connection.transact([meter('add'), flow('add')]);
  ofswitch.restart('flows');
  assert.equal((await restarted.connection.ended).reason, 'disconnected');
  assert.deepEqual([ofswitch.flows().length, ofswitch.meters()], [1, []]);
  const stuck = await dial(4);
  ofswitch.behaviour.isReading = false;
  const probe = stuck.connection.probe();
  assert.equal(await isSettled(clock, probe), false);
  ofswitch.read();
  await probe;
  ofswitch.behaviour.saysHello = false;
  const silent = new OpenFlowConnection(await ofswitch.dial());
  assert.equal(await isSettled(clock, silent.ready), false);
  ofswitch.behaviour.isListening = false;
  await assert.rejects(ofswitch.dial(), { code: 'ECONNREFUSED' });
});

test('sends packet-ins to the connections that have enabled them, one or very many', async () => {
  const { ofswitch, clock, dial } = start();
  const seen: string[] = [];
  const { connection } = await dial(4, {
    onPacketIn: (view) => {
      const userdata = view.bytes.toString('hex', view.userdataStart, view.userdataEnd);
      seen.push(
        `${userdata} ${view.packetEnd - view.packetStart}/${view.fullLength} ${decodeMetadata(view).length}`,
      );
    },
  });
  const packet = {
    controllerId: 18_768,
    frame: Buffer.alloc(64),
    fullLength: 1500,
    userdata: Buffer.of(1, 2),
    metadata: Buffer.from('000000020007', 'hex'),
  };
  assert.equal(ofswitch.sendPacketIn(packet), 0);
  await connection.transact([
    { type: 'set_controller_id', controllerId: 18_768 },
    { type: 'set_packet_in_format', format: 2 },
    { type: 'set_config', flags: 0, missSendLength: 128 },
  ]);
  ofswitch.flood(5000, packet);
  await clock.advanceMs(0);
  assert.deepEqual([seen.length, seen[0]], [5000, '0102 64/1500 1']);
  await connection.transact([meter('add')]);
  ofswitch.countPackets(1, 7, 3);
  const stats = await connection.request({ type: 'meter_stats_request', meterId: 1 });
  assert.deepEqual(
    stats.entries.map(({ packetCount, bands }) => [packetCount, bands[0]?.packetCount]),
    [[7n, 3n]],
  );
});

test('sends a long list of flows in several messages of one reply', async () => {
  const { dial } = start();
  const { connection } = await dial(6);
  await connection.transact(
    Array.from({ length: 3000 }, (_, index) => flow('add', { match: [matchField('reg0', index)] })),
  );
  assert.equal((await connection.request(dump)).entries.length, 3000);
});
