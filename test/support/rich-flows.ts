// Random rich flows for a bridge, and comparing what a bridge shows of them in each version, to the byte: for tests that
// users' flows stay as they are.

import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  type Action,
  eachAction,
  encodeMessage,
  type FlowStats,
  fieldValue,
  flowMod,
  flowStatsRequest,
  type GroupDescription,
  type Instruction,
  matchKey,
  OpenFlowConnection,
  type OpenFlowVersion,
} from '../../src/node-openflow/index.ts';
import { splitRegisters } from '../../src/node-openflow/match.ts';
import type { Ovs } from './ovs.ts';
import { ProgramError } from './process.ts';
import {
  ACTION_KINDS,
  type ActionKind,
  GROUP_COUNT,
  INSTRUCTION_KINDS,
  isProtocol,
  MANAGED_SET,
  METER_COUNT,
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

/** A flow in ovs-ofctl's words, and the kinds of what is in it. */
export interface RichFlow {
  readonly text: string;
  readonly kinds: readonly string[];
}

/** The register whose value is a flow's number in the list, so that no two flows have the same match. */
const NUMBER_REGISTER = 'reg5';
const PROTOCOLS = Object.keys(PROTOCOL_MATCHES) as Protocol[];
/** Matches beside the protocol's. */
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

/** Those kinds that an ovs-ofctl can parse. */
export async function parsableKinds(ovs: Ovs, random: Random): Promise<ActionKind[]> {
  const parsable = await Promise.all(
    ACTION_KINDS.map(async (kind) => {
      const match = PROTOCOL_MATCHES[kind.needs];
      const flow = `${match === '' ? '' : `${match},`}actions=${kind.text(random)}`;
      return { kind, isParsable: await succeeds(ovs.ofctl('-O', ALL_VERSIONS, 'parse-flow', flow)) };
    }),
  );
  return parsable.flatMap(({ kind, isParsable }) => (isParsable ? [kind] : []));
}

/** A random flow of that number, that the version can express. */
export function richFlow(
  random: Random,
  number: number,
  kinds: readonly ActionKind[],
  versionName: string,
): RichFlow {
  const version = VERSION_NUMBERS[versionName] ?? 1;
  const protocol = random.pick(PROTOCOLS);
  const tableId = random.pick([0, 0, 0, 3, 100]);
  const chosen = chooseActions(
    random,
    protocol,
    kinds.filter(({ versionMin }) => version >= versionMin),
  );
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

function chooseActions(random: Random, protocol: Protocol, kinds: readonly ActionKind[]): ActionKind[] {
  const usable = kinds.filter(({ needs }) => isProtocol(protocol, needs));
  const alone = usable.filter(({ place }) => place === 'alone');
  if (alone.length > 0 && random.chance(0.03)) return [random.pick(alone)];
  const anywhere = usable.filter(({ place }) => place === 'anywhere');
  const list = Array.from({ length: random.below(7) }, () => random.pick(anywhere));
  if (random.chance(0.4)) {
    const sample: ActionKind = {
      name: 'sample',
      needs: 'any',
      place: 'anywhere',
      versionMin: 1,
      text: sampleText,
    };
    list.splice(random.below(list.length + 1), 0, sample);
  }
  const last = usable.filter(({ place }) => place === 'last');
  return last.length > 0 && random.chance(0.25) ? [...list, random.pick(last)] : list;
}

/** Adds flows over a version, all that the switch takes; the others are found by halving the list. */
export async function addRichFlows(
  ovs: Ovs,
  bridge: string,
  version: string,
  flows: readonly RichFlow[],
): Promise<RichFlow[]> {
  if (flows.length === 0) return [];
  const file = join(ovs.rundir, `${bridge}.${version}.flows`);
  await writeFile(file, `${flows.map(({ text }) => text).join('\n')}\n`);
  if (await succeeds(ovs.ofctl('-O', version, 'add-flows', bridge, file))) return [...flows];
  if (flows.length === 1) return [];
  const middle = flows.length >> 1;
  const first = await addRichFlows(ovs, bridge, version, flows.slice(0, middle));
  return [...first, ...(await addRichFlows(ovs, bridge, version, flows.slice(middle)))];
}

/** Whether ovs-ofctl does it; any other failure than its own refusal is a failure of the test. */
async function succeeds(run: Promise<string>): Promise<boolean> {
  try {
    await run;
    return true;
  } catch (error) {
    if (error instanceof ProgramError) return false;
    throw error;
  }
}

/** Meters, groups and a tunnel option that rich flows refer to, as far as the version has them. */
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
    `type=all,bucket=${sampleText(random)},output:1,bucket=actions=resubmit(,9)`,
    `type=select,${selection}bucket=weight:3,actions=${sampleText(random)},output:1,bucket=weight:5,actions=output:2`,
    `type=indirect,bucket=actions=set_field:5->reg1,clone(${sampleText(random)}),output:2`,
    'type=ff,bucket=watch_port:1,actions=output:1,bucket=watch_port:2,actions=output:2',
    'type=all',
  ];
  for (const [index, group] of groups.slice(0, GROUP_COUNT).entries()) {
    await ovs.ofctl('-O', version, 'add-group', bridge, `group_id=${index + 1},${group}`);
  }
}

/** What a bridge shows in one version. */
export interface Shown {
  /** By number of flow: bytes that would make the flow again, and ovs-ofctl's line. What is no rich flow is its own key. */
  readonly flows: ReadonlyMap<string, string>;
  readonly groups: readonly string[];
  /** Undefined where this ovs-ofctl cannot read what the switch says, as some flows in OpenFlow 1.0. */
  readonly flowText: readonly string[] | undefined;
}

/** Our controller id, and the cookie of the hook. */
const CONTROLLER_ID = 18_768;
const HOOK_COOKIE = 0x6f76_732d_6970_6678n;

/** Everything of one bridge in one version; `strips`: without the hook, and without our action behind each `sample`. */
export async function show(ovs: Ovs, bridge: string, versionName: string, strips: boolean): Promise<Shown> {
  const { flows, groups } = await readBridge(ovs, bridge, versionName);
  const version = VERSION_NUMBERS[versionName] ?? 1;
  const text = await ovs
    .ofctl('-O', versionName, 'dump-flows', bridge, '--no-stats')
    .catch((error: unknown) => {
      if (versionName === 'OpenFlow10' && error instanceof ProgramError) return undefined;
      throw error;
    });
  const groupText = await ovs.ofctl('-O', versionName, 'dump-groups', bridge);
  const users = strips ? flows.filter(({ cookie }) => cookie !== HOOK_COOKIE) : flows;
  const flowText = text === undefined ? undefined : textLines(text, strips);
  const shown = new Map(users.map((flow) => [flowKey(flow), flowBytes(version, flow, strips)]));
  for (const line of flowText ?? []) {
    const key = textKey(line);
    shown.set(key, `${shown.get(key) ?? 'no bytes'}\n${line}`);
  }
  return {
    flows: shown,
    groups: [
      ...groups.map((group) => groupBytes(version, group, strips)),
      ...textLines(groupText, strips),
    ].sort(),
    flowText,
  };
}

/** The numbers of the flows that sample for the managed set; the daemon must not touch any other. */
export async function sampledFlows(
  ovs: Ovs,
  bridge: string,
  versionName: string,
): Promise<ReadonlySet<string>> {
  const { flows } = await readBridge(ovs, bridge, versionName);
  const sampled = flows.filter(({ instructions }) =>
    [...eachAction(instructions.flatMap(appliedBy))].some(isManagedSample),
  );
  return new Set(sampled.map(flowKey));
}

/** Reads all flows over a version and writes them back as they are: what a rewriting over it does at least. */
export async function writeBack(ovs: Ovs, bridge: string, versionName: string): Promise<void> {
  await withBridge(ovs, bridge, versionName, async (connection) => {
    const { entries } = await connection.request({ type: 'flow_stats_request', ...flowStatsRequest() });
    const errors = await connection.transact(
      entries.map(({ tableId, priority, match, instructions }) => ({
        type: 'flow_mod' as const,
        ...flowMod({ command: 'modify_strict', tableId, priority, match, instructions }),
      })),
    );
    const [error] = errors;
    if (error !== undefined) throw error;
  });
}

/** How many of the actions that the daemon is to add are there, and how many there are to be; and whether the hook is. */
export async function countCompanions(
  ovs: Ovs,
  bridge: string,
  versionName: string,
): Promise<{ readonly present: number; readonly expected: number; readonly hasHook: boolean }> {
  const { flows, groups } = await readBridge(ovs, bridge, versionName);
  const actions = [
    ...flows.flatMap(({ instructions }) => instructions.flatMap(appliedBy)),
    ...groups.flatMap(({ buckets }) => buckets.flatMap((bucket) => bucket.actions)),
  ];
  const all = [...eachAction(actions)];
  const hasHook = flows.some(({ cookie }) => cookie === HOOK_COOKIE);
  return {
    present: all.filter(isCompanion).length - (hasHook ? 1 : 0),
    expected: all.filter(isManagedSample).length,
    hasHook,
  };
}

async function readBridge(
  ovs: Ovs,
  bridge: string,
  versionName: string,
): Promise<{ readonly flows: readonly FlowStats[]; readonly groups: readonly GroupDescription[] }> {
  return withBridge(ovs, bridge, versionName, async (connection) => {
    const flows = await connection.request({ type: 'flow_stats_request', ...flowStatsRequest() });
    const groups = await connection.request({ type: 'group_desc_request' });
    return { flows: flows.entries, groups: groups.entries };
  });
}

async function withBridge<Result>(
  ovs: Ovs,
  bridge: string,
  versionName: string,
  use: (connection: OpenFlowConnection) => Promise<Result>,
): Promise<Result> {
  const stream = connect(join(ovs.rundir, `${bridge}.mgmt`));
  const connection = new OpenFlowConnection(stream, { versions: [VERSION_NUMBERS[versionName] ?? 1] });
  try {
    await connection.ready;
    return await use(connection);
  } finally {
    connection.close();
  }
}

/** The flow's number, or everything by which it is told from others if it has none. */
function flowKey({ tableId, priority, match }: Pick<FlowStats, 'tableId' | 'priority' | 'match'>): string {
  const number = match.flatMap(splitRegisters).find(({ field }) => field === NUMBER_REGISTER);
  return number === undefined
    ? `table=${tableId},${priority},${matchKey(match)}`
    : String(fieldValue(number));
}

function textKey(line: string): string {
  const number = new RegExp(`\\b${NUMBER_REGISTER}=(\\w+)`, 'u').exec(line)?.[1];
  return number === undefined ? line : String(BigInt(number));
}

/** The flow mod that would make the flow again, in hex. */
function flowBytes(version: OpenFlowVersion, flow: FlowStats, strips: boolean): string {
  const { packetCount: _p, byteCount: _b, durationSeconds: _s, durationNanoseconds: _n, ...fields } = flow;
  const instructions = strips ? flow.instructions.map(stripInstruction) : flow.instructions;
  const mod = { type: 'flow_mod', ...flowMod({ command: 'add', ...fields, instructions }) } as const;
  return encodeMessage(version, mod, 0).toString('hex');
}

function groupBytes(version: OpenFlowVersion, group: GroupDescription, strips: boolean): string {
  const buckets = group.buckets.map((bucket) =>
    strips ? { ...bucket, actions: stripActions(bucket.actions) } : bucket,
  );
  const mod = { type: 'group_mod', command: 'add', commandBucketId: null, ...group, buckets } as const;
  return encodeMessage(version, mod, 0).toString('hex');
}

function appliedBy(instruction: Instruction): readonly Action[] {
  return instruction.type === 'apply_actions' ? instruction.actions : [];
}

function stripInstruction(instruction: Instruction): Instruction {
  return instruction.type === 'apply_actions'
    ? { ...instruction, actions: stripActions(instruction.actions) }
    : instruction;
}

/** The actions without ours, where ours is to be: directly behind a `sample` of the managed set. */
function stripActions(actions: readonly Action[]): readonly Action[] {
  return actions
    .filter((action, index) => !(isCompanion(action) && isManagedSample(actions[index - 1])))
    .map((action) =>
      action.type === 'clone' ? { ...action, actions: stripActions(action.actions) } : action,
    );
}

function isCompanion(action: Action): boolean {
  return action.type === 'controller2' && action.controllerId === CONTROLLER_ID;
}

function isManagedSample(action: Action | undefined): boolean {
  return action !== undefined && 'collectorSetId' in action && action.collectorSetId === MANAGED_SET;
}

/** Sorted, for a flow that was rewritten moves in a dump; without the line about the request. */
function textLines(text: string, strips: boolean): string[] {
  const lines = text
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^(NXST|OFPST)\w* reply/u.test(line));
  if (!strips) return lines.sort();
  const hook = `cookie=0x${HOOK_COOKIE.toString(16)}`;
  return lines
    .filter((line) => !line.includes(hook))
    .map((line) =>
      line.replaceAll(
        /(sample\([^()]*collector_set_id=1,[^()]*\)),controller\([^()]*id=18768[^()]*\)/gu,
        '$1',
      ),
    )
    .sort();
}
