// Reads the flows of a bridge in each version, to the byte, and the daemon's part of them: for comparisons before, during and
// after a run of the daemon.

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
import { MANAGED_SET } from './rich-actions.ts';
import { NUMBER_REGISTER, VERSION_NUMBERS } from './rich-flows.ts';

/** The flows and groups of a bridge as shown in one version. */
export interface Shown {
  /** By number of flow: the flow mod that would add the flow, and ovs-ofctl's line. A flow without number is its own key. */
  readonly flows: ReadonlyMap<string, string>;
  readonly groups: readonly string[];
  /** Undefined if ovs-ofctl cannot decode the reply, as for some flows in OpenFlow 1.0. */
  readonly flowText: readonly string[] | undefined;
}

/** The daemon's controller id, and the cookie of the hook. */
const CONTROLLER_ID = 18_768;
const HOOK_COOKIE = 0x6f76_732d_6970_6678n;

/** What is omitted: the hook, and the daemon's action directly after each `sample` of the managed set. */
export type Stripped = 'nothing' | 'the hook' | 'the hook and actions';

/** Reads everything of one bridge in one version, except what is stripped. */
export async function show(
  ovs: Ovs,
  bridge: string,
  versionName: string,
  stripped: Stripped,
): Promise<Shown> {
  const { flows, groups } = await readBridge(ovs, bridge, versionName);
  const version = VERSION_NUMBERS[versionName] ?? 1;
  const text = await ovs
    .ofctl('-O', versionName, 'dump-flows', bridge, '--no-stats')
    .catch((error: unknown) => {
      if (versionName === 'OpenFlow10' && error instanceof ProgramError) {
        return undefined;
      }
      throw error;
    });
  const groupText = await ovs.ofctl('-O', versionName, 'dump-groups', bridge);
  const strips = stripped === 'the hook and actions';
  const users = stripped === 'nothing' ? flows : flows.filter(({ cookie }) => cookie !== HOOK_COOKIE);
  const flowText = text === undefined ? undefined : textLines(text, stripped);
  const shown = new Map(users.map((flow) => [flowKey(flow), flowBytes(version, flow, strips)]));
  for (const line of flowText ?? []) {
    const key = textKey(line);
    shown.set(key, `${shown.get(key) ?? 'no bytes'}\n${line}`);
  }
  return {
    flows: shown,
    groups: [
      ...groups.map((group) => groupBytes(version, group, strips)),
      ...textLines(groupText, stripped),
    ].sort(),
    flowText,
  };
}

/** Returns the numbers of the flows that sample for the managed set; the daemon must not change any other. */
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

/**
 * Returns the numbers of flows that a later version shows with a push of a tag, and that may have been written over OpenFlow 1.0
 * with `mod_vlan_vid` or `mod_vlan_pcp`, which add a tag only to packets without one; and of those with the form of `enqueue`.
 * OpenFlow does not distinguish these.
 */
export async function ambiguousFlows(
  ovs: Ovs,
  bridge: string,
  versionName: string,
): Promise<ReadonlySet<string>> {
  const { flows } = await readBridge(ovs, bridge, versionName);
  return new Set(flows.filter(isAmbiguous).map(flowKey));
}

function isAmbiguous({ match, instructions }: FlowStats): boolean {
  const actions = [...eachAction(instructions.flatMap(appliedBy))];
  const pushes = actions.some(({ type }) => type === 'push_vlan');
  const types = actions.map(({ type }) => type).join();
  const isEnqueue = types.includes('set_queue,output,pop_queue');
  return (
    isEnqueue ||
    (pushes &&
      !match.some(
        ({ field, mask }) => field === 'vlan_vid' && (mask === undefined || ((mask[0] ?? 0) & 0x10) !== 0),
      ))
  );
}

/**
 * Reads all flows over a version and rewrites them unchanged, as a translation over it does at least. Returns the keys of those
 * that the switch refuses.
 */
export async function writeBack(ovs: Ovs, bridge: string, versionName: string): Promise<readonly string[]> {
  return withBridge(ovs, bridge, versionName, async (connection) => {
    const { entries } = await connection.request({ type: 'flow_stats_request', ...flowStatsRequest() });
    const errors = await connection.transact(
      entries.map(({ tableId, priority, match, instructions }) => ({
        type: 'flow_mod' as const,
        ...flowMod({ command: 'modify_strict', tableId, priority, match, instructions }),
      })),
    );
    return errors.flatMap(({ index }) => entries.slice(index, index + 1).map(flowKey));
  });
}

/** The progress of the daemon's translation of a bridge. */
export interface TranslationState {
  /** Keys of flows, and ids of groups ("group 3"), where a `sample` of the managed set is not followed by the daemon's action. */
  readonly pending: readonly string[];
  /** Number of the daemon's actions, without the hook's. */
  readonly companionCount: number;
  readonly hasHook: boolean;
}

export async function translationState(
  ovs: Ovs,
  bridge: string,
  versionName: string,
): Promise<TranslationState> {
  const { flows, groups } = await readBridge(ovs, bridge, versionName);
  const lists = [
    ...flows
      .filter(({ cookie }) => cookie !== HOOK_COOKIE)
      .map((flow) => [flowKey(flow), flow.instructions.flatMap(appliedBy)] as const),
    ...groups.flatMap(({ groupId, buckets }) =>
      buckets.map(({ actions }) => [`group ${groupId}`, actions] as const),
    ),
  ];
  const counts = lists.map(([key, actions]) => {
    const all = [...eachAction(actions)];
    return { key, ours: all.filter(isCompanion).length, samples: all.filter(isManagedSample).length };
  });
  return {
    pending: counts.flatMap(({ key, ours, samples }) => (ours === samples ? [] : [key])),
    companionCount: counts.reduce((sum, { ours }) => sum + ours, 0),
    hasHook: flows.some(({ cookie }) => cookie === HOOK_COOKIE),
  };
}

/**
 * Returns the meaning of flows, by number, as ovs-vswitchd stores them (`bridge/dump-flows`), without the actions that only set
 * a field: their form depends on the version over which a flow was written, but not their meaning.
 */
export async function meaningOf(ovs: Ovs, bridge: string): Promise<ReadonlyMap<string, string>> {
  const text = await ovs.appctl('bridge/dump-flows', bridge);
  const lines = textLines(text, 'the hook and actions').filter((line) =>
    line.includes(`${NUMBER_REGISTER}=`),
  );
  return new Map(lines.map((line) => [textKey(line), actionsWithoutSettings(line)]));
}

const SETTING =
  /(load|set_field):[^>]*->[\w[\].]+|set_(tunnel|tunnel64|mpls_\w+)[:(]\w+\)?|mod_(dl|nw|tp)_\w+:[\w.:]+/gu;
/** These set a field of packets that certainly have a tag. */
const TAG_SETTING = /mod_vlan_\w+:\d+/gu;
const ENQUEUE = /enqueue:(\w+):(\w+)/gu;

function actionsWithoutSettings(line: string): string {
  const [match = '', actions = ''] = line.split('actions=');
  const isUntagged = /vlan_tci=0x0000(?:\/0x1fff)?(?:,|$)/u.test(match);
  const hasTag = !isUntagged && /dl_vlan=|vlan_tci=/u.test(match);
  return (isUntagged ? withPushes(actions) : actions)
    .replaceAll(SETTING, '')
    .replaceAll(hasTag ? TAG_SETTING : /$^/gu, '')
    .replaceAll(/\bpop_vlan\b/gu, 'strip_vlan')
    .replaceAll(ENQUEUE, (_, port, queue) => `set_queue:${queue},output:${port},pop_queue`)
    .split(',')
    .filter((action) => action !== '')
    .join(',')
    .replaceAll('(,', '(')
    .replaceAll(',)', ')');
}

/** Returns the actions of a flow for packets without a tag: `mod_vlan_vid` and `mod_vlan_pcp` push one, unless one was pushed. */
function withPushes(actions: string): string {
  let hasTag = false;
  return actions.replaceAll(/mod_vlan_\w+:\d+|push_vlan:\w+|strip_vlan|pop_vlan/gu, (action) => {
    const isNeeded = !action.startsWith('mod_vlan') || !hasTag;
    hasTag = !/^(strip|pop)/u.test(action);
    if (!isNeeded) {
      return '';
    }
    return action.startsWith('mod_vlan') ? 'push_vlan:0x8100' : action;
  });
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

/** Returns the flow's number, or table, priority and match if it has none. */
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

/** Returns the flow mod that would add the flow, in hex. */
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

/** Returns the actions without the daemon's where they are expected: directly after a `sample` of the managed set. */
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

/** Returns the sorted lines of a dump, because a rewritten flow moves in it; without the line about the request. */
function textLines(text: string, stripped: Stripped): string[] {
  const lines = text
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^(NXST|OFPST)\w* reply/u.test(line));
  if (stripped === 'nothing') {
    return lines.sort();
  }
  const hook = `cookie=0x${HOOK_COOKIE.toString(16)}`;
  const users = lines.filter((line) => !line.includes(hook));
  if (stripped === 'the hook') {
    return users.sort();
  }
  return users
    .map((line) =>
      line.replaceAll(
        /(sample\([^()]*collector_set_id=1,[^()]*\)),controller\([^()]*id=18768[^()]*\)/gu,
        '$1',
      ),
    )
    .sort();
}
