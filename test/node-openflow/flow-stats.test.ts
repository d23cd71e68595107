import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OpenFlowEncodeError } from '../../src/node-openflow/errors.ts';
import {
  decodeFlowStats,
  decodeFlowStatsRequest,
  encodeFlowStatsRequest,
  type FlowStats,
  flowStatsRequest,
} from '../../src/node-openflow/flow-stats.ts';
import { appliedActions } from '../../src/node-openflow/instructions.ts';
import { isSameMatch, matchField } from '../../src/node-openflow/match.ts';
import { OPENFLOW_VERSIONS } from '../../src/node-openflow/version.ts';
import { OpenFlowDecodeError, WireReader, WireWriter } from '../../src/node-openflow/wire.ts';
import { body, bodyReader, readVectors, tryPrefixes, type Vector } from './vectors/read-vectors.ts';

const requests = readVectors('switch-messages.json', /^\w+_FLOW request/);
const replies = readVectors('switch-messages.json', /^\w+_FLOW reply/);

function decodeAll(vector: Vector): FlowStats[] {
  const reader = bodyReader(vector);
  const flows: FlowStats[] = [];
  while (reader.remaining > 0) {
    flows.push(decodeFlowStats(vector.version, reader));
  }
  return flows;
}

/** Returns the number that ovs-ofctl prints after `name=`. */
function printedNumber(line: string, name: string): number {
  return Number(new RegExp(`[ ,]${name}=([0-9a-fx.]+)`).exec(line)?.[1] ?? 0);
}

describe('flow statistics of a real switch', () => {
  test('are decoded to what ovs-ofctl prints of them', () => {
    assert.equal(replies.length, 16);
    for (const vector of replies) {
      const lines = vector.printed.split('\n').slice(1);
      const flows = decodeAll(vector);
      assert.equal(flows.length, lines.length);
      for (const [index, flow] of flows.entries()) {
        const line = lines[index] ?? '';
        const number = (name: string): number => printedNumber(line, name);
        assert.equal(flow.tableId, number('table'));
        assert.equal(flow.cookie, BigInt(number('cookie')));
        assert.equal(flow.priority, line.includes('priority=') ? number('priority') : 0x8000);
        assert.equal(flow.idleTimeout, number('idle_timeout'));
        assert.equal(flow.hardTimeout, number('hard_timeout'));
        assert.equal(flow.packetCount, BigInt(number('n_packets')));
        assert.equal(flow.byteCount, BigInt(number('n_bytes')));
        const duration = flow.durationSeconds + flow.durationNanoseconds / 1e9;
        assert.ok(Math.abs(duration - Number(/duration=([0-9.]+)/.exec(line)?.[1])) < 0.0011);
      }
    }
  });

  test('have the same flows in all versions', () => {
    for (const version of OPENFLOW_VERSIONS) {
      const all = replies.find((vector) => vector.version === version);
      assert.ok(all !== undefined);
      const [hook, sampled, cloned] = decodeAll(all);
      assert.ok(hook !== undefined && sampled !== undefined && cloned !== undefined);
      assert.ok(isSameMatch(hook.match, [matchField('reg11', 0, 0x8000_0000)]));
      const types = (flow: FlowStats): string[] => appliedActions(flow.instructions).map(({ type }) => type);
      const load = version === 6 ? 'set_field' : 'reg_load';
      assert.deepEqual(types(hook), ['controller2', load, 'output']);
      assert.deepEqual(types(sampled), ['sample', 'output']);
      assert.deepEqual(types(cloned), ['clone', 'resubmit_table']);
    }
  });

  test('are refused by name if truncated', () => {
    for (const vector of replies) {
      tryPrefixes(vector, (reader) => {
        while (reader.remaining > 0) {
          decodeFlowStats(vector.version, reader);
        }
      });
    }
    for (const hex of ['0000', '001700', '0018000000000000']) {
      assert.throws(() => decodeFlowStats(6, new WireReader(Buffer.from(hex, 'hex'))), OpenFlowDecodeError);
    }
  });
});

describe('requests for flow statistics that ovs-ofctl has sent', () => {
  test('are decoded and encoded to the same bytes', () => {
    assert.equal(requests.length, 16);
    for (const vector of requests) {
      const request = decodeFlowStatsRequest(vector.version, bodyReader(vector));
      const writer = new WireWriter();
      encodeFlowStatsRequest(vector.version, request, writer);
      assert.equal(writer.finish().toString('hex'), body(vector).toString('hex'));
      tryPrefixes(vector, (reader) => decodeFlowStatsRequest(vector.version, reader));
    }
  });

  test('are for all flows, or by table, match, cookie and port', () => {
    for (const version of OPENFLOW_VERSIONS) {
      const [all, byMatch, byCookie, byPort] = requests
        .filter((vector) => vector.version === version)
        .map((vector) => decodeFlowStatsRequest(version, bodyReader(vector)));
      assert.deepEqual(all, flowStatsRequest());
      assert.deepEqual(byMatch, flowStatsRequest({ tableId: 4, match: [matchField('eth_type', 0x800)] }));
      assert.deepEqual(byCookie, flowStatsRequest({ tableId: 3, cookie: 5n, cookieMask: 0xffn }));
      const tcp = [matchField('eth_type', 0x800), matchField('nw_proto', 6)];
      assert.deepEqual(byPort, flowStatsRequest({ outPort: 1, match: tcp }));
    }
  });

  test('cannot be restricted to a group in OpenFlow 1.0', () => {
    assert.throws(() => {
      encodeFlowStatsRequest(1, flowStatsRequest({ outGroup: 1 }), new WireWriter());
    }, OpenFlowEncodeError);
  });
});
