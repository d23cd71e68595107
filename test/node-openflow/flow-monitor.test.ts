import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OpenFlowEncodeError } from '../../src/node-openflow/errors.ts';
import {
  decodeFlowMonitorCancel,
  decodeFlowMonitorRequest,
  decodeFlowUpdate,
  encodeFlowMonitorCancel,
  encodeFlowMonitorRequest,
  type FlowMonitorEvent,
  flowMonitorRequest,
} from '../../src/node-openflow/flow-monitor.ts';
import { appliedActions } from '../../src/node-openflow/instructions.ts';
import { isSameMatch, matchField } from '../../src/node-openflow/match.ts';
import { OPENFLOW_VERSIONS, type OpenFlowVersion } from '../../src/node-openflow/version.ts';
import { OpenFlowDecodeError, WireReader, WireWriter } from '../../src/node-openflow/wire.ts';
import { body, bodyReader, readVectors, tryPrefixes, type Vector } from './vectors/read-vectors.ts';

const requests = readVectors('switch-messages.json', /^\w+_FLOW_MONITOR request/);
const replies = readVectors('switch-messages.json', /^\w+_FLOW_MONITOR reply/);

function decodeAll(vector: Vector): FlowMonitorEvent[] {
  const reader = bodyReader(vector);
  const events: FlowMonitorEvent[] = [];
  while (reader.remaining > 0) {
    events.push(decodeFlowUpdate(vector.version, reader));
  }
  return events;
}

function decodeHex(version: OpenFlowVersion, hex: string): FlowMonitorEvent {
  return decodeFlowUpdate(version, new WireReader(Buffer.from(hex, 'hex')));
}

const PRINTED_EVENTS: ReadonlyMap<string, string> = new Map([
  ['INITIAL', 'initial'],
  ['ADDED', 'added'],
  ['DELETED', 'removed'],
  ['MODIFIED', 'modified'],
]);

describe('flow monitor updates of a real switch', () => {
  test('are decoded to what ovs-ofctl prints of them', () => {
    assert.ok(replies.length >= 4 * 6);
    for (const vector of replies) {
      const lines = vector.printed.split('\n').slice(1);
      const events = decodeAll(vector);
      assert.equal(events.length, lines.length);
      for (const [index, event] of events.entries()) {
        const line = lines[index] ?? '';
        const printed = (name: string): string | undefined => new RegExp(` ${name}=(\\w+)`).exec(line)?.[1];
        assert.equal(event.event, PRINTED_EVENTS.get(printed('event') ?? ''));
        assert.ok('match' in event);
        assert.equal(event.tableId, Number(printed('table')));
        assert.equal(event.cookie, BigInt(printed('cookie') ?? 0));
        assert.equal(event.hardTimeout, Number(printed('hard_timeout') ?? 0));
        assert.equal(event.idleTimeout, Number(printed('idle_timeout') ?? 0));
        assert.equal(event.reason, printed('reason') === 'delete' ? 2 : 0);
        assert.equal(event.instructions.length > 0, line.includes('actions='));
      }
    }
  });

  test('have the existing flows first, and then each change', () => {
    for (const version of OPENFLOW_VERSIONS) {
      const [first, ...changes] = replies.filter((vector) => vector.version === version).map(decodeAll);
      const hook = first?.[0];
      assert.ok(hook !== undefined && 'match' in hook);
      assert.equal(hook.event, version >= 5 ? 'initial' : 'added');
      assert.equal(hook.priority, 65535);
      assert.ok(isSameMatch(hook.match, [matchField('reg11', 0, 0x8000_0000)]));
      assert.equal(appliedActions(hook.instructions)[0]?.type, 'controller2');
      const events = changes.slice(0, 3).map(([event]) => event?.event);
      assert.deepEqual(events, ['added', 'modified', 'removed']);
    }
  });

  test('can be abbreviated, paused and resumed', () => {
    assert.deepEqual(decodeHex(1, '0008000312345678'), { event: 'abbrev', xid: 0x1234_5678 });
    assert.deepEqual(decodeHex(4, '0008000312345678'), { event: 'abbrev', xid: 0x1234_5678 });
    assert.deepEqual(decodeHex(5, '0008000412345678'), { event: 'abbrev', xid: 0x1234_5678 });
    assert.deepEqual(decodeHex(5, '0008000500000000'), { event: 'paused' });
    assert.deepEqual(decodeHex(6, '0008000600000000'), { event: 'resumed' });
  });

  test('are refused by name if truncated or with an invalid event', () => {
    for (const vector of replies) {
      tryPrefixes(vector, (reader) => {
        while (reader.remaining > 0) {
          decodeFlowUpdate(vector.version, reader);
        }
      });
    }
    for (const hex of [
      '0008',
      '0007000000000000',
      '0010000000000000',
      '0008000700000000',
      '0000000000000000',
    ]) {
      assert.throws(() => decodeHex(5, hex), OpenFlowDecodeError, hex);
    }
    assert.throws(() => decodeHex(1, '0008000400000000'), OpenFlowDecodeError);
  });
});

describe('flow monitor requests of ovs-ofctl', () => {
  test('are decoded and encoded to the same bytes', () => {
    assert.equal(requests.length, 12);
    for (const vector of requests) {
      const request = decodeFlowMonitorRequest(vector.version, bodyReader(vector));
      const writer = new WireWriter();
      encodeFlowMonitorRequest(vector.version, request, writer);
      assert.equal(writer.finish().toString('hex'), body(vector).toString('hex'));
      tryPrefixes(vector, (reader) => decodeFlowMonitorRequest(vector.version, reader));
    }
  });

  test('are for all flows or for some', () => {
    for (const version of OPENFLOW_VERSIONS) {
      const [all, some, hook] = requests
        .filter((vector) => vector.version === version)
        .map((vector) => decodeFlowMonitorRequest(version, bodyReader(vector)));
      assert.deepEqual(all, flowMonitorRequest({ monitorId: 0 }));
      assert.deepEqual(some?.flags, {
        initial: false,
        add: true,
        delete: false,
        modify: true,
        actions: true,
        own: true,
      });
      assert.deepEqual([some.tableId, some.outPort], [5, 2]);
      assert.ok(hook !== undefined && isSameMatch(hook.match, [matchField('reg11', 0, 0x8000_0000)]));
      assert.deepEqual([hook.flags.own, hook.flags.actions], [false, false]);
    }
  });

  test('are cancelled by a separate message before OpenFlow 1.4, and by a request since', () => {
    for (const version of [1, 4] as const) {
      const writer = new WireWriter();
      encodeFlowMonitorCancel(version, { monitorId: 0x0102_3040 }, writer);
      assert.equal(writer.finish().toString('hex'), '01023040');
      assert.deepEqual(decodeFlowMonitorCancel(version, new WireReader(writer.finish())), {
        monitorId: 0x0102_3040,
      });
      const request = flowMonitorRequest({ monitorId: 1, command: 'delete' });
      assert.throws(() => {
        encodeFlowMonitorRequest(version, request, new WireWriter());
      }, OpenFlowEncodeError);
    }
    assert.throws(() => {
      encodeFlowMonitorCancel(5, { monitorId: 1 }, new WireWriter());
    }, OpenFlowEncodeError);
    const writer = new WireWriter();
    encodeFlowMonitorRequest(5, flowMonitorRequest({ monitorId: 7, command: 'delete' }), writer);
    assert.equal(decodeFlowMonitorRequest(5, new WireReader(writer.finish())).command, 'delete');
  });
});
