// The daemon rewrites users' flows. Here a real switch has a flow with each action that ovs-ofctl supports; each flow is read,
// rewritten unchanged, and must be the same when read again, in every version. OpenFlow 1.3 and 1.4 keep flows as users
// wrote them.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { OpenFlowConnection } from '../../src/node-openflow/connection.ts';
import { flowMod } from '../../src/node-openflow/flow-mod.ts';
import { type FlowStats, flowStatsRequest } from '../../src/node-openflow/flow-stats.ts';
import type { OpenFlowMessage } from '../../src/node-openflow/message-types.ts';
import { OPENFLOW_VERSIONS, type OpenFlowVersion } from '../../src/node-openflow/version.ts';
import { OFCTL_VERSIONS, runOfctl } from '../node-openflow/vectors/capture-ofctl.ts';
import { ACTION_TEXTS } from '../node-openflow/vectors/flow-texts.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';

/** Actions that need meters, groups or tunnel options that this switch lacks, or that some versions lack. */
const NEEDS_MORE =
  /meter|group|delete_field|encap|decap|debug|push_vlan|write_metadata:0x4|resubmit\(,4,ct\)/;

/** Returns one flow for each line of actions, with its own table and cookie. */
function flowTexts(): string[] {
  return ACTION_TEXTS.filter(([, actions]) => !NEEDS_MORE.test(actions)).map(
    ([match, actions], index) =>
      `table=${1 + index},cookie=${index + 1},priority=9,reg9=${index},${match}${match === '' ? '' : ','}actions=${actions}`,
  );
}

function mgmt(ovs: Ovs): string {
  return join(ovs.rundir, 'br0.mgmt');
}

async function dump(connection: OpenFlowConnection): Promise<readonly FlowStats[]> {
  const reply = await connection.request({ type: 'flow_stats_request', ...flowStatsRequest() });
  return reply.entries.toSorted((a, b) => a.tableId - b.tableId || (a.cookie < b.cookie ? -1 : 1));
}

/** Returns a flow without what changes with time. */
function lasting(flow: FlowStats): object {
  return { ...flow, durationSeconds: 0, durationNanoseconds: 0 };
}

function rewritten(flow: FlowStats): OpenFlowMessage {
  const { tableId, priority, idleTimeout, hardTimeout, importance, match, instructions, flags } = flow;
  return {
    type: 'flow_mod',
    ...flowMod({
      command: 'modify_strict',
      tableId,
      priority,
      idleTimeout,
      hardTimeout,
      importance,
      match,
      instructions,
      flags,
    }),
  };
}

test('flows with all kinds of actions are rewritten as they were read', tier('ovs'), async (t) => {
  const ovs = await startOvs();
  t.after(() => ovs.stop());
  await ovs.addBridge('br0', { protocols: ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'] });
  const file = join(ovs.rundir, 'flows');
  writeFileSync(file, flowTexts().join('\n'));
  const target = `unix:${mgmt(ovs)}`;
  const printed = (): Promise<string> => runOfctl(['-O', 'OpenFlow13', '--no-stats', 'dump-flows', target]);
  for (const version of OPENFLOW_VERSIONS) {
    await t.test(OFCTL_VERSIONS.get(version) ?? '', async () => {
      await runOfctl(['-O', 'OpenFlow13', 'replace-flows', target, file]);
      const before = await printed();
      await rewriteAll(ovs, version);
      // In 1.0 and 1.5 the switch itself shows some actions as others (set_field as load, goto_table as resubmit;
      // load as set_field), and keeps those when they are rewritten.
      if (version === 4 || version === 5) {
        assert.equal(await printed(), before);
      }
    });
  }
});

async function rewriteAll(ovs: Ovs, version: OpenFlowVersion): Promise<void> {
  const connection = new OpenFlowConnection(connect(mgmt(ovs)), { versions: [version] });
  assert.equal(await connection.ready, version);
  if (version === 1) {
    connection.send({ type: 'flow_mod_table_id', enabled: true });
  }
  const flows = await dump(connection);
  assert.equal(flows.length, flowTexts().length);
  assert.deepEqual(await connection.transact(flows.map(rewritten)), []);
  assert.deepEqual((await dump(connection)).map(lasting), flows.map(lasting));
  connection.close();
}
