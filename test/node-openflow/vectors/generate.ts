// Generates the vectors that the unit tests read: messages encoded by ovs-ofctl, and messages of a real switch. Run it by
// hand to cover a newer OVS:
//
//     node --import tsx test/node-openflow/vectors/generate.ts
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ovs, startOvs } from '../../support/ovs.ts';
import { waitFor } from '../../support/wait.ts';
import { captureOfctl, OFCTL_VERSIONS, runOfctl } from './capture-ofctl.ts';
import {
  ACTION_TEXTS,
  DUMP_TEXTS,
  FLOW_MOD_TEXTS,
  MATCH_TEXTS,
  PACKET_OUT_TEXTS,
  WATCH_TEXTS,
} from './flow-texts.ts';
import { Tap } from './tap.ts';

interface Vector {
  readonly version: number;
  /** The arguments of ovs-ofctl, or a name of the scene. */
  readonly text: string;
  /** What ovs-ofctl prints for the bytes. */
  readonly printed: string;
  readonly hex: string;
}

async function toVector(version: number, text: string, bytes: Buffer): Promise<Vector> {
  const hex = bytes.toString('hex');
  return { version, text, printed: (await runOfctl(['ofp-print', hex])).trim(), hex };
}

async function encodedByOfctl(): Promise<Vector[]> {
  const asked: [string, string][] = [
    ...MATCH_TEXTS.map((match): [string, string] => [
      'add-flow',
      `${match}${match === '' ? '' : ','}actions=drop`,
    ]),
    ...ACTION_TEXTS.map(([match, actions]): [string, string] => [
      'add-flow',
      `${match}${match === '' ? '' : ','}actions=${actions}`,
    ]),
    ...FLOW_MOD_TEXTS.map(([command, flow]): [string, string] => [command, flow]),
    ...PACKET_OUT_TEXTS.map((text): [string, string] => ['packet-out', text]),
  ];
  const vectors: Vector[] = [];
  for (const version of OFCTL_VERSIONS.keys()) {
    for (const [command, flow] of asked) {
      const messages = await captureOfctl(version, (target) => [...command.split(' '), target, flow]).catch(
        (error: unknown) => {
          process.stderr.write(`${version} ${flow}: ${String(error)}\n`);
          return [];
        },
      );
      const last = messages.at(-1);
      if (last !== undefined) {
        vectors.push(await toVector(version, `${command} ${flow}`, last));
      }
    }
  }
  return vectors;
}

const MONITORED_FLOWS = [
  'table=0,priority=65535,cookie=0x77,hard_timeout=300,reg11=0/0x80000000,actions=controller(max_len=192,id=0,userdata=01.02.03.04,meter_id=1),load:1->NXM_NX_REG11[31],output:TABLE',
  'table=0,priority=9,tcp,nw_src=10.0.0.0/8,idle_timeout=60,actions=sample(probability=655,collector_set_id=1,obs_domain_id=7,obs_point_id=9),NORMAL',
  'table=3,cookie=0x5,in_port=1,dl_vlan=7,actions=clone(sample(probability=1,collector_set_id=1,sampling_port=2)),resubmit(,4)',
  'table=4,ip,reg5=1,tun_id=5,actions=ct(commit,zone=3,exec(load:1->NXM_NX_CT_MARK[])),learn(table=9,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])',
];

/** Records dumps, monitors and packet-ins that the switch sends to ovs-ofctl. */
async function recordSwitch(ovs: Ovs): Promise<Vector[]> {
  const vectors: Vector[] = [];
  for (const [version, name] of OFCTL_VERSIONS) {
    const path = join(ovs.rundir, `tap${version}`);
    const tap = new Tap(path, join(ovs.rundir, 'br0.mgmt'));
    const format = version === 1 ? ['-F', 'NXM'] : [];
    const target = ['--no-names', '-O', name, ...format];
    await runOfctl(['-O', 'OpenFlow15', 'del-flows', `unix:${join(ovs.rundir, 'br0.mgmt')}`]);
    const add = async (flow: string): Promise<string> =>
      runOfctl(['-O', name, 'add-flow', `unix:${join(ovs.rundir, 'br0.mgmt')}`, flow]);
    for (const flow of MONITORED_FLOWS) {
      await add(flow.replace(version === 1 ? ',meter_id=1' : 'no such text', ''));
    }
    for (const text of ['', ...DUMP_TEXTS]) {
      await runOfctl([...target, 'dump-flows', `unix:${path}`, text]);
    }
    const watch = [...target, '-P', 'nxt_packet_in2', 'monitor', `unix:${path}`, '65534', 'watch:'];
    const monitor = spawn('ovs-ofctl', watch, {
      env: { ...process.env, ...ovs.environment },
      stdio: 'ignore',
    });
    const isUpdate = (bytes: Buffer): boolean => isMonitorReply(version, bytes);
    const updates = (): number => tap.fromSwitch.filter(isUpdate).length;
    await waitFor(() => updates() > 0, { what: 'the first flows' });
    const steps: (() => Promise<unknown>)[] = [
      () => add('table=5,udp,actions=output:1'),
      () =>
        runOfctl([
          '-O',
          name,
          'mod-flows',
          `unix:${join(ovs.rundir, 'br0.mgmt')}`,
          'table=5,udp,actions=output:2',
        ]),
      () => runOfctl(['-O', name, 'del-flows', `unix:${join(ovs.rundir, 'br0.mgmt')}`, 'table=5,udp']),
    ];
    for (const step of steps) {
      const before = updates();
      await step();
      await waitFor(() => updates() > before, { what: `an update in version ${version} after ${before}` });
    }
    await packetIn(ovs, tap, 1);
    monitor.kill();
    for (const packetInFormat of ['standard', 'nxt_packet_in']) {
      await otherMonitor(ovs, [...target, '-P', packetInFormat, 'monitor', `unix:${path}`, '65534'], tap);
    }
    for (const text of WATCH_TEXTS) {
      await otherMonitor(ovs, [...target, 'monitor', `unix:${path}`, '65534', `watch:${text}`], tap);
    }
    tap.close();
    const kept = new Set(version === 1 ? [4, 10, 11, 16, 17] : [4, 10, 11, 18, 19]);
    for (const bytes of [...tap.fromClient, ...tap.fromSwitch]) {
      if (kept.has(bytes.readUInt8(1))) {
        vectors.push(await toVector(version, 'live', bytes));
      }
    }
  }
  return vectors;
}

/** Has the switch send a packet-in to every monitor. */
async function packetIn(ovs: Ovs, tap: Tap, atLeast: number): Promise<void> {
  const frame = '0123456789abaaaaaaaaaaaa08004500001c00000000401100000a0000010a00000204d2162e00080000';
  const count = (): number => tap.fromSwitch.filter((bytes) => [4, 10].includes(bytes.readUInt8(1))).length;
  const before = count();
  await ovs.inject('p1', frame);
  await waitFor(() => count() >= before + atLeast, { what: 'a packet-in' });
}

/** Runs a monitor until it has received one packet-in. */
async function otherMonitor(ovs: Ovs, args: readonly string[], tap: Tap): Promise<void> {
  const monitor = spawn('ovs-ofctl', args, { env: { ...process.env, ...ovs.environment }, stdio: 'ignore' });
  // Its last message before it listens is a barrier or, without a packet-in format, a set-config.
  const before = tap.fromClient.length;
  await waitFor(() => tap.fromClient.length >= before + 5, { what: 'the monitor' });
  await packetIn(ovs, tap, 1);
  monitor.kill();
}

/** Whether the bytes are a reply of NXST, ONFST or OFPMP_FLOW_MONITOR. */
function isMonitorReply(version: number, bytes: Buffer): boolean {
  if (bytes.readUInt8(1) !== (version === 1 ? 17 : 19)) {
    return false;
  }
  const type = bytes.readUInt16BE(8);
  return type === 16 || (type === 0xffff && [2, 1870].includes(bytes.readUInt32BE(version === 1 ? 16 : 20)));
}

const folder = import.meta.dirname;
async function main(): Promise<void> {
  save('flow-mods.json', await encodedByOfctl());
  const ovs = await startOvs({ allowedWarnings: [/./] });
  try {
    await ovs.addBridge('br0', { protocols: ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'] });
    await ovs.addDummyPort('br0', 'p1', 1);
    await runOfctl([
      '-O',
      'OpenFlow15',
      'add-meter',
      `unix:${join(ovs.rundir, 'br0.mgmt')}`,
      'meter=1,pktps,band=type=drop,rate=1000',
    ]);
    save('switch-messages.json', await recordSwitch(ovs));
  } finally {
    await ovs.abandon();
  }
}

function save(name: string, vectors: readonly Vector[]): void {
  writeFileSync(join(folder, name), `[\n${vectors.map((vector) => JSON.stringify(vector)).join(',\n')}\n]\n`);
}

void main();
