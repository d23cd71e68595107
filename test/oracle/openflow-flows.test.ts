// ovs-ofctl decodes what the library encodes, and the library decodes what ovs-ofctl encodes: matches, actions, flow mods and
// monitors. The vectors of the unit tests come from the same program, but here it checks the library's bytes and texts.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Action, eachAction, loadBits } from '../../src/node-openflow/actions.ts';
import { formatInstructions } from '../../src/node-openflow/actions-text.ts';
import { decodeFlowMod, encodeFlowMod, type FlowMod, flowMod } from '../../src/node-openflow/flow-mod.ts';
import {
  encodeFlowMonitorCancel,
  encodeFlowMonitorRequest,
  flowMonitorRequest,
} from '../../src/node-openflow/flow-monitor.ts';
import { encodeFlowStatsRequest, flowStatsRequest } from '../../src/node-openflow/flow-stats.ts';
import { type Place, VENDOR, writeHeader } from '../../src/node-openflow/header.ts';
import { inPort, type MatchField, matchField } from '../../src/node-openflow/match.ts';
import { formatMatch } from '../../src/node-openflow/match-text.ts';
import { encodePacketOut } from '../../src/node-openflow/packet-out.ts';
import { OPENFLOW_VERSIONS, type OpenFlowVersion } from '../../src/node-openflow/version.ts';
import { WireWriter } from '../../src/node-openflow/wire.ts';
import { captureOfctl, runOfctl } from '../node-openflow/vectors/capture-ofctl.ts';
import { bodyReader, readVectors, type Vector } from '../node-openflow/vectors/read-vectors.ts';
import { tier } from '../support/tiers.ts';
import { differs } from '../versions/differences.ts';

type Layout = Place['layout'];

function message(
  version: OpenFlowVersion,
  [layout, vendor, number]: readonly [Layout, number, number],
  encodeBody: (writer: WireWriter) => void,
): string {
  const writer = new WireWriter();
  writeHeader(writer, version, { versionMin: 1, versionMax: 6, vendor, layout, number }, 1);
  encodeBody(writer);
  writer.setU16(2, writer.size);
  return writer.finish().toString('hex');
}

async function printed(hex: string): Promise<string> {
  return (await runOfctl(['ofp-print', hex])).replace(/ \(OF1\.\d\)/, '').trim();
}

function flowModHex(version: OpenFlowVersion, mod: FlowMod): string {
  const place = version === 1 ? (['plain', VENDOR.nicira, 13] as const) : (['plain', 0, 14] as const);
  return message(version, place, (writer) => {
    encodeFlowMod(version, mod, writer);
  });
}

/** Returns a value that the field accepts; most fields accept any number. */
function someValue(width: number): bigint {
  return BigInt(`0x${'12'.repeat(width)}`);
}

describe('bytes of the library, printed by ovs-ofctl', tier('ovs'), () => {
  test('the hook flow', async () => {
    for (const version of OPENFLOW_VERSIONS) {
      const actions: Action[] = [
        {
          type: 'controller2',
          maxLength: 192,
          controllerId: 18768,
          userdata: Buffer.from([1, 2]),
          ...(version === 1 ? {} : { meterId: 65000 }),
        },
        loadBits(version, 'reg11', 31, 1, 1n),
        { type: 'output', port: 0xffff_fff9, maxLength: 0 },
      ];
      const mod = flowMod({
        command: 'add',
        priority: 65535,
        cookie: 0xabcn,
        hardTimeout: 30,
        match: [matchField('reg11', 0, 0x8000_0000)],
        instructions: [{ type: 'apply_actions', actions }],
      });
      const meter = version === 1 ? '' : ',meter_id=65000';
      const load = version === 6 ? 'set_field:0x80000000/0x80000000->reg11' : 'load:0x1->NXM_NX_REG11[31]';
      const name = version === 1 ? 'NXT_FLOW_MOD' : 'OFPT_FLOW_MOD';
      assert.equal(
        await printed(flowModHex(version, mod)),
        `${name} (xid=0x1): ADD priority=65535,reg11=0/0x80000000 cookie:0xabc hard:30 ` +
          `actions=controller(max_len=192,id=18768,userdata=01.02${meter}),${load},TABLE`,
      );
    }
  });

  test('flow mods with their commands and restrictions', async () => {
    const drop = 'actions=drop';
    const print = async (version: OpenFlowVersion, fields: Parameters<typeof flowMod>[0]): Promise<string> =>
      printed(flowModHex(version, flowMod(fields)));
    assert.equal(
      await print(4, { command: 'delete', cookie: 5n, cookieMask: 0xffn, tableId: 3, outPort: 7 }),
      `OFPT_FLOW_MOD (xid=0x1): DEL table:3 cookie:0x5/0xff out_port:7 ${drop}`,
    );
    assert.equal(
      await print(1, { command: 'delete_strict', cookie: 5n, cookieMask: 0xffn, priority: 9 }),
      `NXT_FLOW_MOD (xid=0x1): DEL_STRICT priority=9 cookie:0x5/0xff ${drop}`,
    );
    assert.match(await print(5, { command: 'add', importance: 9, flags: 1 }), /importance:9 send_flow_rem/);
    assert.match(await print(1, { command: 'modify_strict', newCookie: 7n }), /MOD_STRICT cookie:0x7 /);
    assert.doesNotMatch(await print(1, { command: 'modify_strict' }), /cookie/);
  });

  test('requests for flows and monitors', async (t) => {
    const match = [matchField('reg11', 0, 0x8000_0000)];
    const flags = { initial: true, add: true, delete: true, modify: true, actions: true, own: true };
    const monitor = flowMonitorRequest({ monitorId: 9, tableId: 3, outPort: 4, match, flags });
    for (const version of OPENFLOW_VERSIONS) {
      const vendor = version === 1 ? VENDOR.nicira : 0;
      const stats = message(version, ['multipart_request', vendor, version === 1 ? 0 : 1], (writer) => {
        encodeFlowStatsRequest(version, flowStatsRequest({ tableId: 3, match }), writer);
      });
      assert.match(await printed(stats), /_FLOW request \(xid=0x1\): table=3 reg11=0\/0x80000000$/);
      if (version !== 1 && differs(t, 'flow-monitor')) {
        continue;
      }
      const place = version === 1 ? [VENDOR.nicira, 2] : version === 4 ? [VENDOR.onf, 1870] : [0, 16];
      const watch = message(version, ['multipart_request', place[0] ?? 0, place[1] ?? 0], (writer) => {
        encodeFlowMonitorRequest(version, monitor, writer);
      });
      assert.match(
        await printed(watch),
        /id=9 flags=initial,add,delete,modify,actions,own out_port=4 table=3 reg11=0\/0x80000000$/,
      );
    }
  });

  test('cancelling a monitor', async (t) => {
    const nicira = message(1, ['plain', VENDOR.nicira, 21], (writer) => {
      encodeFlowMonitorCancel(1, { monitorId: 5 }, writer);
    });
    assert.equal(await printed(nicira), 'NXT_FLOW_MONITOR_CANCEL (xid=0x1): id=5');
    if (differs(t, 'flow-monitor')) {
      return;
    }
    const onf = message(4, ['plain', VENDOR.onf, 1870], (writer) => {
      encodeFlowMonitorCancel(4, { monitorId: 5 }, writer);
    });
    assert.equal(await printed(onf), 'ONFT_FLOW_MONITOR_CANCEL (xid=0x1): id=5');
    const standard = message(5, ['multipart_request', 0, 16], (writer) => {
      encodeFlowMonitorRequest(5, flowMonitorRequest({ monitorId: 5, command: 'delete' }), writer);
    });
    assert.match(await printed(standard), /id=5 command=delete$/);
  });

  test('packet-outs', async () => {
    const packet = Buffer.from('0123456789abaaaaaaaaaaaa88cc0000', 'hex');
    const actions: Action[] = [{ type: 'resubmit_table', port: 0xffff_fff8, tableId: 3 }];
    for (const version of OPENFLOW_VERSIONS) {
      const hex = message(version, ['plain', 0, 13], (writer) => {
        encodePacketOut(version, { bufferId: 0xffff_ffff, inPort: 0xffff_fffd, actions, packet }, writer);
      });
      assert.match(await printed(hex), /in_port=CONTROLLER actions=resubmit\(,3\) data_len=16/);
    }
  });

  test('matches on each field of the table without a prerequisite', async () => {
    // All fields that ovs-ofctl does not reject for a missing prerequisite.
    const names = [
      'reg0',
      'xreg1',
      'xxreg2',
      'tun_id',
      'tun_src',
      'tun_ipv6_dst',
      'metadata',
      'pkt_mark',
      'eth_src',
      'eth_dst',
    ];
    const match = names.map((name): MatchField => {
      const width = matchField(name, 0).value.length;
      return matchField(name, someValue(width));
    });
    for (const version of OPENFLOW_VERSIONS) {
      const separate = await Promise.all(
        match.map(async (field) => printed(flowModHex(version, flowMod({ command: 'add', match: [field] })))),
      );
      for (const [index, line] of separate.entries()) {
        assert.doesNotMatch(line, /ERROR|BAD/, names[index]);
      }
    }
    assert.match(
      await printed(flowModHex(4, flowMod({ command: 'add', match: [inPort(4, 7)] }))),
      /in_port=7/,
    );
  });
});

describe('texts of the library, parsed by ovs-ofctl', tier('ovs'), () => {
  const vectors = readVectors('flow-mods.json', /_FLOW_MOD .*: ADD/);
  /** ovs-ofctl encodes enqueue as one action only in OpenFlow 1.0; later as several, one with a max length. */
  const SPLIT_UP = /enqueue/;

  test('are encoded to the bytes that they were formatted from', async () => {
    let count = 0;
    for (const version of [1, 4, 6] as const) {
      for (const vector of vectors.filter(
        (vector) => vector.version === version && !SPLIT_UP.test(vector.text),
      )) {
        const mod = decodeFlowMod(version, bodyReader(vector));
        if (hasBytes(mod)) {
          continue;
        }
        await sameBytes(version, vector, mod);
        count += 1;
      }
    }
    assert.ok(count > 200, `${count} flows`);
  });

  async function sameBytes(version: OpenFlowVersion, vector: Vector, mod: FlowMod): Promise<void> {
    const match = formatMatch(mod.match);
    const parts = [
      `table=${mod.tableId},priority=${mod.priority},cookie=0x${mod.cookie.toString(16)}`,
      `idle_timeout=${mod.idleTimeout},hard_timeout=${mod.hardTimeout}`,
      ...(match === '' ? [] : [match]),
      `actions=${formatInstructions(mod.instructions)}`,
    ];
    const text = parts.join(',');
    const messages = await captureOfctl(version, (target) => ['add-flow', target, text]);
    const again = decodeFlowMod(
      version,
      bodyReader({ ...vector, bytes: messages.at(-1) ?? Buffer.alloc(0) }),
    );
    assert.deepEqual(
      { ...again, flags: mod.flags, importance: mod.importance },
      mod,
      `version ${version}: ${vector.text}\n${text}`,
    );
  }

  function hasBytes(mod: FlowMod): boolean {
    return mod.instructions.some((instruction) => {
      const actions = 'actions' in instruction ? [...eachAction(instruction.actions)] : [instruction];
      return actions.some(({ type }) => type === 'unknown');
    });
  }
});
