// The first check of each version: the programs of the other checks, the switch and the database schema are those of the
// version under test.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startOvs } from '../support/ovs.ts';
import { installedSchemaPath } from '../support/ovs-schema.ts';
import { runProgram } from '../support/process.ts';
import { programPath, tier } from '../support/tiers.ts';
import { differs, ovsVersion } from './differences.ts';

const PROGRAMS = [
  'ovs-vswitchd',
  'ovsdb-server',
  'ovs-vsctl',
  'ovs-ofctl',
  'ovs-appctl',
  'ovsdb-client',
  'ovsdb-tool',
];

test(
  'all programs, the running switch and the schema are of the version under test',
  tier('ovs'),
  async (t) => {
    const folder = process.env['OVS_IPFIX_TEST_OVS'];
    assert.ok(folder !== undefined, 'OVS_IPFIX_TEST_OVS is set by npm run test:versions');
    const version = ovsVersion().join('.');
    for (const program of PROGRAMS) {
      assert.ok(programPath(program)?.startsWith(`${folder}/bin/`), `${program} is ${programPath(program)}`);
      assert.match(
        await runProgram(program, ['--version']),
        new RegExp(`\\(Open vSwitch\\) ${version}\\.`, 'u'),
      );
    }
    assert.ok(installedSchemaPath().startsWith(`${folder}/`));
    const ovs = await startOvs();
    t.after(() => ovs.stop());
    await ovs.addBridge('br0');
    assert.match(await ovs.run('ovs-ofctl', 'dump-desc', 'br0'), new RegExp(`Software: ${version}\\.`, 'u'));
    const exact = /\(Open vSwitch\) (\S+)/u.exec(await runProgram('ovs-vswitchd', ['--version']))?.[1];
    t.diagnostic(`OVS version: ${exact}`);
  },
);

test(
  'a private Open vSwitch has its other bridge, and loses its meters, on each version',
  tier('ovs'),
  async (t) => {
    const ovs = await startOvs();
    t.after(() => ovs.stop());
    assert.equal((await ovs.vsctl('list-br')).trim(), differs(t, 'last-meter') ? 'keeps-datapath' : '');
    await ovs.addBridge('br0', { protocols: ['OpenFlow10', 'OpenFlow15'] });
    await ovs.ofctl('-O', 'OpenFlow15', 'add-meter', 'br0', 'meter=1,pktps,band=type=drop,rate=1000');
    const meters = () => ovs.ofctl('-O', 'OpenFlow15', 'dump-meters', 'br0');
    assert.match(await meters(), /meter=1/u);
    differs(t, 'del-meters');
    await ovs.deleteMeters('br0');
    assert.doesNotMatch(await meters(), /meter=/u);
  },
);
