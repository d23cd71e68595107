// ovs-ofctl decodes what the library encodes, and must print what is meant; and error numbers are compared with its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  encodeMessage,
  errorName,
  flowMod,
  flowMonitorRequest,
  flowStatsRequest,
  METER_FLAGS,
  OPENFLOW_VERSIONS,
  type OpenFlowMessage,
  type OpenFlowVersion,
} from '../../src/node-openflow/index.ts';
import { runProgram } from '../support/process.ts';
import { tier } from '../support/tiers.ts';
import { differs } from '../versions/differences.ts';

const EMPTY = Buffer.alloc(0);
const XID = 0x1234;

async function printed(version: OpenFlowVersion, message: OpenFlowMessage): Promise<string> {
  const hex = encodeMessage(version, message, XID).toString('hex');
  return (await runProgram('ovs-ofctl', ['--no-names', 'ofp-print', hex])).trim().replaceAll(/\s+/g, ' ');
}

/** The message, what ovs-ofctl prints after the transaction id, and the versions that have it. */
type Case = readonly [OpenFlowMessage, string, readonly OpenFlowVersion[]];
const ALL = OPENFLOW_VERSIONS;
const SINCE_13 = [4, 5, 6] as const;
const SINCE_14 = [5, 6] as const;

const meter = {
  meterId: 65000,
  flags: METER_FLAGS.pktps | METER_FLAGS.burst | METER_FLAGS.stats,
  bands: [{ type: 'drop', rate: 5000, burstSize: 100 }],
} as const;
const bucket = { bucketId: null, weight: null, watchPort: null, watchGroup: null, otherProperties: EMPTY };
const output = (port: number) => ({ type: 'output', port, maxLength: 0 }) as const;
const group = { groupId: 5, commandBucketId: null, properties: EMPTY } as const;

const CASES: readonly Case[] = [
  [{ type: 'hello', versions: [1, 4] }, 'version bitmap: 0x01, 0x04', [4]],
  [{ type: 'echo_request', data: Buffer.from('abc') }, '3 bytes of payload 00000000 61 62 63 |abc |', ALL],
  [{ type: 'features_request' }, '', ALL],
  [{ type: 'get_config_request' }, '', ALL],
  [{ type: 'set_config', flags: 3, missSendLength: 128 }, 'frags=nx-match miss_send_len=128', ALL],
  [{ type: 'barrier_request' }, '', ALL],
  [{ type: 'role_request', role: 'primary', generationId: 7n }, 'role=primary generation_id=7', SINCE_13],
  [{ type: 'role_request', role: 'secondary', generationId: 0n }, 'role=secondary', [1]],
  [{ type: 'role_request', role: 'equal', generationId: 0n }, 'role=equal', [1]],
  [{ type: 'set_packet_in_format', format: 2 }, 'format=nxt_packet_in2', ALL],
  [{ type: 'set_controller_id', controllerId: 18768 }, 'id=18768', ALL],
  [{ type: 'flow_mod_table_id', enabled: true }, 'enable', [1]],
  [{ type: 'set_flow_format', format: 2 }, 'format=nxm', [1]],
  [
    { type: 'meter_mod', command: 'add', ...meter },
    'ADD meter=65000 pktps burst stats bands= type=drop rate=5000 burst_size=100',
    SINCE_13,
  ],
  [
    { type: 'meter_mod', command: 'modify', ...meter },
    'MOD meter=65000 pktps burst stats bands= type=drop rate=5000 burst_size=100',
    SINCE_13,
  ],
  [
    { type: 'meter_mod', command: 'delete', meterId: 65000, flags: 0, bands: [] },
    'DEL meter=65000 bands=',
    SINCE_13,
  ],
  [{ type: 'desc_request' }, '', ALL],
  [{ type: 'table_stats_request' }, '', ALL],
  [{ type: 'meter_stats_request', meterId: 65000 }, 'meter=65000', SINCE_13],
  [{ type: 'meter_config_request', meterId: 0xffff_ffff }, 'meter=all', SINCE_13],
  [{ type: 'meter_features_request' }, '', SINCE_13],
  [{ type: 'port_desc_request', portNumber: 7 }, 'port=7', [6]],
  [{ type: 'port_desc_request' }, 'port=ANY', ALL],
  [
    {
      type: 'group_mod',
      command: 'add',
      ...group,
      groupType: 'select',
      buckets: [{ ...bucket, weight: 9, actions: [output(7)] }],
    },
    'ADD group_id=5,type=select,bucket=weight:9,actions=output:7',
    [4, 5],
  ],
  [
    {
      type: 'group_mod',
      command: 'add',
      ...group,
      groupType: 'fast_failover',
      buckets: [{ ...bucket, bucketId: 3, watchPort: 1, watchGroup: 2, actions: [output(7)] }],
    },
    'ADD group_id=5,type=ff,bucket=bucket_id:3,watch_port:1,watch_group:2,actions=output:7',
    [1, 6],
  ],
  [
    { type: 'group_mod', command: 'delete', ...group, groupType: 'all', buckets: [] },
    'DEL group_id=5,type=all',
    [4, 5],
  ],
  [
    {
      type: 'group_mod',
      command: 'remove_bucket',
      ...group,
      commandBucketId: 3,
      groupType: 'all',
      buckets: [],
    },
    'REMOVE_BUCKET command_bucket_id:3,group_id=5',
    [1, 6],
  ],
  [{ type: 'group_desc_request', groupId: 5 }, 'group_id=5', [1, 6]],
  [{ type: 'group_desc_request' }, 'group_id=ALL', ALL],
  [{ type: 'group_stats_request', groupId: 5 }, 'group_id=5', ALL],
  [{ type: 'group_features_request' }, '', ALL],
  [
    { type: 'bundle_control', bundleId: 1, control: 'open_request', flags: 3 },
    'bundle_id=0x1 type=OPEN_REQUEST flags=atomic ordered',
    SINCE_13,
  ],
  [
    { type: 'bundle_control', bundleId: 1, control: 'commit_request', flags: 3 },
    'bundle_id=0x1 type=COMMIT_REQUEST flags=atomic ordered',
    SINCE_13,
  ],
  [
    { type: 'set_async', packetIn: { active: 2, secondary: 0 }, portStatus: { active: 7, secondary: 7 } },
    'primary: PACKET_IN: action PORT_STATUS: add delete modify FLOW_REMOVED: (off) ROLE_STATUS: (off) ' +
      'TABLE_STATUS: (off) REQUESTFORWARD: (off) secondary: PACKET_IN: (off) PORT_STATUS: add delete modify ' +
      'FLOW_REMOVED: (off) ROLE_STATUS: (off) TABLE_STATUS: (off) REQUESTFORWARD: (off)',
    ALL,
  ],
];

for (const [message, expected, versions] of CASES) {
  for (const version of versions) {
    test(`version ${version}: ovs-ofctl prints ${message.type} as "${expected}"`, tier('ovs'), async () => {
      const text = await printed(version, message);
      const name = /^(\S+)/.exec(text)?.[1] ?? '';
      assert.match(name, /^(OFPT|NXT|ONFT|OFPST|NXST)_/);
      const said = text.replace(/^.*?\(xid=0x1234\):?/, '').trim();
      assert.equal(said, expected);
    });
  }
}

for (const version of SINCE_13) {
  test(`version ${version}: ovs-ofctl prints the message in a bundle`, tier('ovs'), async () => {
    const message = { type: 'flow_mod', ...flowMod({ command: 'add', priority: 7 }) } as const;
    const text = await printed(version, { type: 'bundle_add_message', bundleId: 9, flags: 3, message });
    assert.match(
      text,
      /BUNDLE_ADD_MESSAGE.*bundle_id=0x9 flags=atomic ordered.*OFPT_FLOW_MOD.*xid=0x1234.*ADD priority=7/,
    );
  });
}

for (const version of SINCE_14) {
  test(`version ${version}: ovs-ofctl prints that forwarded requests are enabled`, tier('ovs'), async () => {
    const text = await printed(version, { type: 'set_async', requestForward: { active: 3, secondary: 1 } });
    assert.match(
      text,
      /REQUESTFORWARD: group_mod_request meter_mod_request secondary:.*REQUESTFORWARD: group_mod_request$/,
    );
  });
}

for (const version of ALL) {
  test(`version ${version}: ovs-ofctl recognises flow messages by their numbers`, tier('ovs'), async (t) => {
    const mod = await printed(version, {
      type: 'flow_mod',
      ...flowMod({ command: 'add', tableId: 3, priority: 9 }),
    });
    assert.match(mod, version === 1 ? /^NXT_FLOW_MOD/ : /^OFPT_FLOW_MOD.*ADD table:3 priority=9/);
    const stats = await printed(version, { type: 'flow_stats_request', ...flowStatsRequest({ tableId: 3 }) });
    assert.match(stats, /^(NXST|OFPST)_FLOW request.*table=3/);
    if (version !== 1 && differs(t, 'flow-monitor')) {
      return;
    }
    const monitor = await printed(version, {
      type: 'flow_monitor_request',
      ...flowMonitorRequest({ monitorId: 4 }),
    });
    assert.match(monitor, /^(NXST|ONFST|OFPST)_FLOW_MONITOR request.*id=4/);
  });
}

test('errors have the same numbers as in Open vSwitch', tier('ovs'), async () => {
  const names = new Set<string>();
  for (const version of ALL) {
    for (const vendor of [0, 0x2320, 0x4f4e_4600]) {
      for (let type = 0; type < 20; type += 1) {
        for (let code = 0; code < 4500; code += 1) {
          const name = errorName(version, vendor, type, code);
          if (name !== null) {
            names.add(name);
          }
        }
      }
    }
  }
  assert.ok(names.size > 150);
  for (const name of names) {
    const lines = (await runProgram('ovs-ofctl', ['print-error', name])).trim().split('\n');
    for (const line of lines) {
      const [, minor, vendor, type, code] =
        /^OpenFlow 1\.(\d): vendor (\w+), type (\d+), code (\d+)$/.exec(line) ?? [];
      const version = ALL.find((candidate) => candidate === Number(minor) + 1);
      // OpenFlow 1.0 has one number for both.
      const isMerged = version === 1 && name === 'OFPBRC_IS_SECONDARY';
      if (version !== undefined && !isMerged) {
        const isCodeAlone = vendor !== '0' && version !== 1;
        const numbers = isCodeAlone
          ? ([0xffff, Number(type)] as const)
          : ([Number(type), Number(code)] as const);
        assert.equal(errorName(version, Number(vendor), ...numbers), name, line);
      }
    }
  }
});
