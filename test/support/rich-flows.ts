// Random flows with all kinds of actions for a bridge, and the objects that they refer to: for tests that users' flows are not
// changed.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OpenFlowVersion } from '../../src/node-openflow/index.ts';
import type { Ovs } from './ovs.ts';
import { ProgramError } from './process.ts';
import {
  ACTION_KINDS,
  type ActionKind,
  INSTRUCTION_KINDS,
  isProtocol,
  METER_COUNT,
  managedSampleText,
  PROTOCOL_MATCHES,
  type Protocol,
  type Random,
  sampleText,
} from './rich-actions.ts';

/** Wire numbers of the versions, by the names of the column `protocols`. */
export const VERSION_NUMBERS: Readonly<Record<string, OpenFlowVersion>> = {
  OpenFlow10: 1,
  OpenFlow13: 4,
  OpenFlow14: 5,
  OpenFlow15: 6,
};

const ALL_VERSIONS = Object.keys(VERSION_NUMBERS).join(',');

/** A flow in ovs-ofctl's syntax, and the kinds of its actions. */
export interface RichFlow {
  readonly text: string;
  readonly kinds: readonly string[];
}

/** The register whose value is a flow's number in the list, so that no two flows have the same match. */
export const NUMBER_REGISTER = 'reg5';
const PROTOCOLS = Object.keys(PROTOCOL_MATCHES) as Protocol[];
/** Further matches besides the protocol's. */
const MORE_MATCHES = [
  'in_port=1',
  'dl_src=00:01:02:03:04:05',
  'tun_id=0x5/0xff',
  'metadata=0x7/0xf',
  'reg1=3',
  'reg2=0x10/0xf0',
  'xxreg0=5',
  'pkt_mark=1',
  'tun_metadata0=0x5',
];

/** Returns the kinds that ovs-ofctl can parse; the others are found by bisecting the list. */
export async function parsableKinds(
  ovs: Ovs,
  random: Random,
  kinds: readonly ActionKind[] = ACTION_KINDS,
): Promise<ActionKind[]> {
  const flows = kinds.map((kind) => {
    const match = PROTOCOL_MATCHES[kind.needs];
    return `${match === '' ? '' : `${match},`}actions=${kind.text(random)}`;
  });
  const file = join(ovs.rundir, 'kinds.flows');
  await writeFile(file, `${flows.join('\n')}\n`);
  if (await succeeds(ovs.ofctl('-O', ALL_VERSIONS, 'parse-flows', file))) {
    return [...kinds];
  }
  if (kinds.length === 1) {
    return [];
  }
  const middle = kinds.length >> 1;
  const first = await parsableKinds(ovs, random, kinds.slice(0, middle));
  return [...first, ...(await parsableKinds(ovs, random, kinds.slice(middle)))];
}

/** Returns a random flow with that number, which the version can express. */
export function richFlow(
  random: Random,
  number: number,
  kinds: readonly ActionKind[],
  versionName: string,
): RichFlow {
  const version = VERSION_NUMBERS[versionName] ?? 1;
  const known = kinds.filter(({ versionMin, versionMax }) => version >= versionMin && version <= versionMax);
  // Each kind in turn.
  const turn = known[number % known.length];
  if (turn === undefined) {
    throw new Error(`There is no kind of action for ${versionName}.`);
  }
  const protocol = random.pick(PROTOCOLS.filter((packets) => isProtocol(packets, turn.needs)));
  const tableId = random.pick([0, 0, 0, 3, 100]);
  const chosen = chooseActions(random, protocol, known, turn);
  const isAlone = chosen.some(({ place }) => place === 'alone');
  const instructions = INSTRUCTION_KINDS.filter(() => version > 1 && !isAlone && random.chance(0.25));
  const before = instructions.filter(({ place }) => place === 'before the actions');
  const behind = instructions.filter(({ place }) => place === 'behind the actions');
  const texts = [
    ...before.map(({ text }) => text(random, tableId)),
    ...chosen.map(({ text }) => text(random)),
    ...behind.map(({ text }) => text(random, tableId)),
  ];
  const parts = [
    `table=${tableId}`,
    `priority=${random.pick([0, 1, 100, 32_768, 65_535])}`,
    `${NUMBER_REGISTER}=${number}`,
    ...(PROTOCOL_MATCHES[protocol] === '' ? [] : [PROTOCOL_MATCHES[protocol]]),
    ...MORE_MATCHES.filter(
      (match) => random.chance(0.1) && !(protocol === 'bare ip' && match.startsWith('dl_')),
    ),
    ...(random.chance(0.5) ? [`cookie=${random.hex(32)}`] : []),
    ...(random.chance(0.2) ? [`idle_timeout=${10_000 + random.below(9999)}`] : []),
    ...(random.chance(0.2) ? [`hard_timeout=${10_000 + random.below(9999)}`] : []),
    ...(random.chance(0.2) ? ['send_flow_rem'] : []),
    ...(version > 1 && random.chance(0.2) ? ['no_packet_counts'] : []),
    ...(version >= 5 && random.chance(0.2) ? [`importance=${random.below(65_536)}`] : []),
    `actions=${texts.length === 0 ? 'drop' : texts.join(',')}`,
  ];
  return { text: parts.join(','), kinds: [...chosen, ...instructions].map(({ name }) => name) };
}

function chooseActions(
  random: Random,
  protocol: Protocol,
  kinds: readonly ActionKind[],
  turn: ActionKind,
): ActionKind[] {
  if (turn.place === 'alone') {
    return [turn];
  }
  const usable = kinds.filter(({ needs }) => isProtocol(protocol, needs));
  const anywhere = usable.filter(({ place }) => place === 'anywhere');
  const list = Array.from({ length: random.below(6) }, () => random.pick(anywhere));
  const sample = kinds.find(({ name }) => name === 'sample');
  const added = [turn, ...(sample !== undefined && random.chance(0.4) ? [sample] : [])];
  for (const kind of added.filter(({ place }) => place === 'anywhere')) {
    list.splice(random.below(list.length + 1), 0, kind);
  }
  if (turn.place === 'last') {
    return [...list, turn];
  }
  const last = usable.filter(({ place }) => place === 'last');
  return last.length > 0 && random.chance(0.2) ? [...list, random.pick(last)] : list;
}

/** Adds the flows that the switch accepts over a version; the others are found by bisecting the list. */
export async function addRichFlows(
  ovs: Ovs,
  bridge: string,
  version: string,
  flows: readonly RichFlow[],
): Promise<RichFlow[]> {
  if (flows.length === 0) {
    return [];
  }
  const file = join(ovs.rundir, `${bridge}.${version}.flows`);
  await writeFile(file, `${flows.map(({ text }) => text).join('\n')}\n`);
  if (await succeeds(ovs.ofctl('-O', version, 'add-flows', bridge, file))) {
    return [...flows];
  }
  if (flows.length === 1) {
    return [];
  }
  const middle = flows.length >> 1;
  const first = await addRichFlows(ovs, bridge, version, flows.slice(0, middle));
  return [...first, ...(await addRichFlows(ovs, bridge, version, flows.slice(middle)))];
}

/** Whether ovs-ofctl succeeds; a failure other than a refusal fails the test. */
async function succeeds(run: Promise<string>): Promise<boolean> {
  try {
    await run;
    return true;
  } catch (error) {
    if (error instanceof ProgramError) {
      return false;
    }
    throw error;
  }
}

/** Adds the meters, groups and the tunnel option that flows refer to, if the version has them. */
export async function addReferences(
  ovs: Ovs,
  bridge: string,
  version: string,
  random: Random,
): Promise<void> {
  await ovs.ofctl('-O', version, 'add-tlv-map', bridge, '{class=0xffff,type=0,len=4}->tun_metadata0');
  const meters = version === 'OpenFlow10' ? [] : Array.from({ length: METER_COUNT }, (_, index) => index + 1);
  for (const meter of meters) {
    await ovs.ofctl(
      '-O',
      version,
      'add-meter',
      bridge,
      `meter=${meter},pktps,band=type=drop,rate=${meter}000`,
    );
  }
  const selection = version === 'OpenFlow15' ? 'selection_method=hash,fields(ip_src),' : '';
  const groups = [
    'type=all,bucket=output:1,bucket=output:2',
    `type=all,bucket=${managedSampleText(random)},output:1,bucket=actions=resubmit(,9)`,
    `type=select,${selection}bucket=weight:3,actions=${sampleText(random)},output:1,bucket=weight:5,actions=output:2`,
    `type=indirect,bucket=actions=set_field:5->reg1,clone(${sampleText(random)}),output:2`,
    'type=ff,bucket=watch_port:1,actions=output:1,bucket=watch_port:2,actions=output:2',
    'type=all',
  ];
  const file = join(ovs.rundir, `${bridge}.groups`);
  await writeFile(file, groups.map((group, index) => `group_id=${index + 1},${group}\n`).join(''));
  await ovs.ofctl('-O', version, 'add-groups', bridge, file);
}
