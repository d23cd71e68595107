// The hook: the flow by which a bridge sends its packets to the daemon. It matches every packet whose mark bit is not set,
// sends a copy to the daemon through a meter or has the datapath sample it, sets the mark bit, and sends the packet through
// the tables again, where the user's flows apply as if the hook did not exist. Everything here is pure: the desired hook, and
// the messages that install it. docs/operation.md has the reasons for each part.

import type { RegisterBit } from '../config/settings.ts';
import { bridgeUserdata } from '../intake/userdata.ts';
import {
  type Action,
  appliedActions,
  type FlowStats,
  flowMod,
  isSameMatch,
  loadBits,
  type MatchField,
  type MessageOf,
  matchField,
  type OpenFlowMessage,
  type OpenFlowVersion,
  PORT_ANY,
} from '../node-openflow/index.ts';
import type { SwitchStep } from './meter.ts';

/** The daemon's controller id: packet-ins of `controller(id=18768)` are sent to its connections only. */
export const CONTROLLER_ID = 18_768;
/** The hook is the first flow of the first table. */
export const HOOK_TABLE = 0;
const HOOK_PRIORITY = 65_535;
/** "ovs-ipfx" in ASCII, for people who read dumps. */
export const HOOK_COOKIE = 0x6f76_732d_6970_6678n;
/** If the daemon dies, the switch removes the hook after this time. */
export const HOOK_HARD_TIMEOUT_SECONDS = 30;
/** Requested bytes of a packet; current OVS sends whole packets nevertheless. */
const HOOK_MAX_LENGTH = 192;
/** OFPP_TABLE: processes the packet by the flow tables; unlike resubmit, with the user's table-miss packet-ins. */
const OFPP_TABLE = 0xffff_fff9;

/** The `sample` action of a hook: what the datapath samples, and for which collector set. */
export interface HookSample {
  /** Selected packets of 65,535. */
  readonly probability: number;
  readonly collectorSetId: number;
  readonly observationDomainId: number;
  readonly observationPointId: number;
}

/** The options of a hook. */
export interface HookOptions {
  readonly observationDomainId: number;
  readonly observationPointId: number;
  /** Set: the datapath samples. Undefined: all packets are sent to the daemon, through a meter. */
  readonly sample?: HookSample | undefined;
}

/** Whether both hooks are the same; undefined: no hook. */
export function isSameHookOptions(a: HookOptions | undefined, b: HookOptions | undefined): boolean {
  return (
    a?.observationDomainId === b?.observationDomainId &&
    a?.observationPointId === b?.observationPointId &&
    isSameSample(a?.sample, b?.sample)
  );
}

function isSameSample(a: HookSample | undefined, b: HookSample | undefined): boolean {
  return (
    a?.probability === b?.probability &&
    a?.collectorSetId === b?.collectorSetId &&
    a?.observationDomainId === b?.observationDomainId &&
    a?.observationPointId === b?.observationPointId
  );
}

/** The hook's slot on a bridge (table, priority and match), and what its actions depend on besides its options. */
export interface HookSlot {
  readonly mark: RegisterBit;
  /** The OpenFlow version of the daemon's connection. */
  readonly version: OpenFlowVersion;
  /** Undefined if the bridge has no meters. */
  readonly meterId: number | undefined;
}

/** Returns the match of the hook: the mark bit is not set. */
export function hookMatch(mark: RegisterBit): readonly MatchField[] {
  return [matchField(`reg${mark.register}`, 0, markMask(mark))];
}

/** What identifies a flow in a bridge. */
export type FlowIdentity = Pick<FlowStats, 'tableId' | 'priority' | 'match'>;

/** Whether a flow has the hook's table, priority and match, whatever its actions. */
export function isInHookSlot(flow: FlowIdentity, mark: RegisterBit): boolean {
  return (
    flow.tableId === HOOK_TABLE && flow.priority === HOOK_PRIORITY && isSameMatch(flow.match, hookMatch(mark))
  );
}

/**
 * Whether the flow in the hook's slot is a hook of this daemon or an earlier one. After mod-flows by another client it still
 * has at least one of the cookie, the daemon's action, and the hard timeout.
 */
export function isOurHook(flow: FlowStats): boolean {
  return (
    flow.cookie === HOOK_COOKIE ||
    flow.hardTimeout === HOOK_HARD_TIMEOUT_SECONDS ||
    appliedActions(flow.instructions).some(
      (action) => action.type === 'controller2' && action.controllerId === CONTROLLER_ID,
    )
  );
}

/** Returns the steps to the desired hook; `options` undefined: to no hook. Empty if nothing is to be done. */
export function planHook(
  observed: FlowStats | undefined,
  slot: HookSlot,
  options: HookOptions | undefined,
): readonly SwitchStep[] {
  if (options === undefined) {
    return observed === undefined || !isOurHook(observed)
      ? []
      : [{ what: 'remove the hook', messages: [hookDelete(slot)] }];
  }
  if (observed !== undefined && isHook(observed, slot, options)) {
    return [];
  }
  const isSampling = options.sample !== undefined || isSampledByDatapath(observed);
  return isSampling && observed?.cookie === HOOK_COOKIE && hasHookTimeouts(observed)
    ? [{ what: 'change the hook', messages: [hookRefresh(slot, options)] }]
    : [{ what: 'add the hook', messages: [hookFlowMod(slot, options)] }];
}

/**
 * Returns the message that refreshes the hook's hard timeout, and changes its actions if they differ; it keeps the flow's
 * counters, and does not add a missing hook.
 */
export function hookRefresh(slot: HookSlot, options: HookOptions): OpenFlowMessage {
  return { ...hookFlowMod(slot, options), command: 'modify_strict' };
}

function hookFlowMod(slot: HookSlot, options: HookOptions): MessageOf<'flow_mod'> {
  return {
    type: 'flow_mod',
    ...flowMod({
      command: 'add',
      cookie: HOOK_COOKIE,
      tableId: HOOK_TABLE,
      hardTimeout: HOOK_HARD_TIMEOUT_SECONDS,
      priority: HOOK_PRIORITY,
      match: hookMatch(slot.mark),
      instructions: [{ type: 'apply_actions', actions: hookActions(slot, options) }],
    }),
  };
}

function hookDelete(slot: HookSlot): MessageOf<'flow_mod'> {
  const match = hookMatch(slot.mark);
  return {
    type: 'flow_mod',
    ...flowMod({ command: 'delete_strict', tableId: HOOK_TABLE, priority: HOOK_PRIORITY, match }),
  };
}

/** Returns the hook's actions: the copy before the load of the mark, so that packet-ins do not have it in their metadata. */
function hookActions(slot: HookSlot, options: HookOptions): readonly Action[] {
  return [
    options.sample === undefined ? controllerAction(slot, options) : sampleAction(options.sample),
    loadBits(slot.version, registerName(slot.mark), slot.mark.bit, 1, 1n),
    { type: 'output', port: OFPP_TABLE, maxLength: 0 },
  ];
}

function controllerAction(slot: HookSlot, options: HookOptions): Action {
  return {
    type: 'controller2',
    maxLength: HOOK_MAX_LENGTH,
    controllerId: CONTROLLER_ID,
    userdata: bridgeUserdata(options.observationDomainId, options.observationPointId),
    ...(slot.meterId === undefined ? {} : { meterId: slot.meterId }),
  };
}

/** Returns the `sample` action of a hook or of a packet that tests the way of samples. */
export function sampleAction(sample: HookSample): Action {
  return { type: 'sample', ...sample, samplingPort: PORT_ANY, direction: 0 };
}

/** Whether the packets of a hook are sampled by the datapath. */
export function isSampledByDatapath(hook: FlowStats | undefined): boolean {
  return hook !== undefined && appliedActions(hook.instructions)[0]?.type === 'sample';
}

function hasHookTimeouts(flow: FlowStats): boolean {
  return flow.hardTimeout === HOOK_HARD_TIMEOUT_SECONDS && flow.idleTimeout === 0;
}

/** Whether the first action of the flow in the hook's slot is the desired one. */
function isCopy(action: Action | undefined, slot: HookSlot, options: HookOptions): boolean {
  if (action?.type === 'sample') {
    const { probability, collectorSetId, observationDomainId, observationPointId } = action;
    return (
      typeof observationDomainId === 'number' &&
      typeof observationPointId === 'number' &&
      isSameSample({ probability, collectorSetId, observationDomainId, observationPointId }, options.sample)
    );
  }
  return (
    options.sample === undefined &&
    action?.type === 'controller2' &&
    action.controllerId === CONTROLLER_ID &&
    action.meterId === slot.meterId &&
    action.userdata?.equals(bridgeUserdata(options.observationDomainId, options.observationPointId)) === true
  );
}

/** Whether the flow in the hook's slot is the desired hook. */
function isHook(flow: FlowStats, slot: HookSlot, options: HookOptions): boolean {
  const [instruction, ...moreInstructions] = flow.instructions;
  if (instruction?.type !== 'apply_actions' || moreInstructions.length > 0) {
    return false;
  }
  const [copy, load, output, ...more] = instruction.actions;
  return (
    hasHookTimeouts(flow) &&
    isCopy(copy, slot, options) &&
    load !== undefined &&
    isMarkLoad(load, slot.mark) &&
    output?.type === 'output' &&
    output.port === OFPP_TABLE &&
    more.length === 0
  );
}

function isMarkLoad(action: Action, mark: RegisterBit): boolean {
  if (action.type === 'reg_load') {
    const { field, offset, bitCount } = action.target;
    return field === registerName(mark) && offset === mark.bit && bitCount === 1 && action.value === 1n;
  }
  if (action.type === 'set_field' || action.type === 'reg_load2') {
    const wanted = matchField(registerName(mark), markMask(mark), markMask(mark));
    return isSameMatch([action.field], [wanted]);
  }
  return false;
}

function registerName(mark: RegisterBit): RegisterName {
  return `reg${mark.register}`;
}

type RegisterName = Extract<MatchField['field'], `reg${number}`>;

function markMask(mark: RegisterBit): number {
  return 2 ** mark.bit;
}
