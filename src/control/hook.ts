// The hook: the flow by which a bridge sends its packets to the daemon. It matches every packet whose mark bit is not set,
// sends a copy that the meter bounds, sets the mark, and sends the packet through the tables from the start, where the
// user's own flows decide as if the hook were not there. Everything here is pure: what the hook should be, and what has to be
// sent for that. docs/operation.md has the reasons for each part.

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
} from '../node-openflow/index.ts';
import type { SwitchStep } from './meter.ts';

/** Our controller id: packet-ins of `controller(id=18768)` come to no other connection. */
export const CONTROLLER_ID = 18_768;
/** The hook is the first flow of the first table. */
export const HOOK_TABLE = 0;
const HOOK_PRIORITY = 65_535;
/** "ovs-ipfx" in ASCII, for people who read dumps. */
export const HOOK_COOKIE = 0x6f76_732d_6970_6678n;
/** If the daemon dies, the switch removes the hook by itself after this time. */
export const HOOK_HARD_TIMEOUT_SECONDS = 30;
/** Bytes of a packet that are asked for; OVS of today sends packets whole all the same. */
const HOOK_MAX_LENGTH = 192;
/** OFPP_TABLE: through the flow tables again, but unlike resubmit with the user's own table-miss packet-ins. */
const OFPP_TABLE = 0xffff_fff9;

/** What a hook says about its packets. */
export interface HookOptions {
  readonly observationDomainId: number;
  readonly observationPointId: number;
}

/** The hook's table, priority and match on a bridge, and what its actions depend on beside its options. */
export interface HookSlot {
  readonly mark: RegisterBit;
  /** The OpenFlow version of our connection. */
  readonly version: OpenFlowVersion;
  /** Undefined where the bridge has no meters. */
  readonly meterId: number | undefined;
}

/** The match of the hook: the mark is not set. */
export function hookMatch(mark: RegisterBit): readonly MatchField[] {
  return [matchField(`reg${mark.register}`, 0, markMask(mark))];
}

/** What identifies a flow in a bridge. */
export type FlowIdentity = Pick<FlowStats, 'tableId' | 'priority' | 'match'>;

/** Whether a flow has the hook's table, priority and match, whatever it does. */
export function isInHookSlot(flow: FlowIdentity, mark: RegisterBit): boolean {
  return (
    flow.tableId === HOOK_TABLE && flow.priority === HOOK_PRIORITY && isSameMatch(flow.match, hookMatch(mark))
  );
}

/**
 * Whether the flow in the hook's slot is a hook of ours, of this daemon or an earlier one. Another client's mod-flows keeps
 * at least one of the three: the cookie, our action, or the hard timeout.
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

/** What has to be sent so that the hook is as desired; `options` undefined: so that it is gone. Empty: nothing. */
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
  return observed !== undefined && isHook(observed, slot, options)
    ? []
    : [{ what: 'add the hook', messages: [hookFlowMod(slot, options)] }];
}

/** The message that restarts the hook's hard timeout; it does not add a hook that is not there. */
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

/** `controller` before the mark is loaded, so that the mark is not in the metadata of our packet-ins. */
function hookActions(slot: HookSlot, options: HookOptions): readonly Action[] {
  return [
    {
      type: 'controller2',
      maxLength: HOOK_MAX_LENGTH,
      controllerId: CONTROLLER_ID,
      userdata: bridgeUserdata(options.observationDomainId, options.observationPointId),
      ...(slot.meterId === undefined ? {} : { meterId: slot.meterId }),
    },
    loadBits(slot.version, registerName(slot.mark), slot.mark.bit, 1, 1n),
    { type: 'output', port: OFPP_TABLE, maxLength: 0 },
  ];
}

/** Whether the flow in the hook's slot does what the hook should do. */
function isHook(flow: FlowStats, slot: HookSlot, options: HookOptions): boolean {
  const [instruction, ...moreInstructions] = flow.instructions;
  if (instruction?.type !== 'apply_actions' || moreInstructions.length > 0) {
    return false;
  }
  const [copy, load, output, ...more] = instruction.actions;
  const userdata = bridgeUserdata(options.observationDomainId, options.observationPointId);
  return (
    flow.hardTimeout === HOOK_HARD_TIMEOUT_SECONDS &&
    flow.idleTimeout === 0 &&
    copy?.type === 'controller2' &&
    copy.controllerId === CONTROLLER_ID &&
    copy.meterId === slot.meterId &&
    copy.userdata?.equals(userdata) === true &&
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
