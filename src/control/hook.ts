// The hook: one flow and one meter by which a bridge sends us its packets. The flow matches every packet that does not
// bear our mark, copies it to us as far as the meter lets it, marks it, and sends it through the tables from the start,
// where the user's own flows decide as if the hook were not there. Everything here is pure: what hook and meter should be,
// and what has to be sent for that. docs/sampling.md has the reasons for each part.

import type { RegisterBit } from '../config/settings.ts';
import {
  type Action,
  type FlowStats,
  flowMod,
  isSameMatch,
  loadBits,
  type MatchField,
  METER_FLAGS,
  type MessageOf,
  type MeterConfig,
  matchField,
  type OpenFlowMessage,
  type OpenFlowVersion,
} from '../node-openflow/index.ts';
import { bridgeUserdata } from './userdata.ts';

/** Our controller id: packet-ins of `controller(id=18768)` come to no other connection. */
export const CONTROLLER_ID = 18_768;
/** The hook is the first flow of the first table. */
export const HOOK_TABLE = 0;
export const HOOK_PRIORITY = 65_535;
/** "ovs-ipfx" in ASCII, for people who read dumps; the hook is recognised by table, priority and match. */
export const HOOK_COOKIE = 0x6f76_732d_6970_6678n;
/** Dead-man switch: when the daemon is killed, the switch removes the hook by itself after so long. */
export const HOOK_HARD_TIMEOUT_SECONDS = 30;
/** The meter's id, or the highest that the datapath has when that is less. */
export const HOOK_METER_ID = 65_000;
/** Packets that the meter lets through at once at least; larger bursts overflow OVS's queue of packet-ins. */
export const HOOK_METER_BURST = 100;
/** Bytes of a packet that are asked for; OVS of today sends packets whole all the same. */
const HOOK_MAX_LENGTH = 192;
/** OFPP_TABLE: through the flow tables again, but unlike resubmit with the user's own table-miss packet-ins. */
const OFPP_TABLE = 0xffff_fff9;

/** What a hook is to do. */
export interface HookOptions {
  /** Packet-ins a second that the meter lets pass at most. */
  readonly maxSampleRate: number;
  readonly observationDomainId: number;
  readonly observationPointId: number;
}

/** What the hook depends on beside its options. */
export interface HookPlace {
  readonly mark: RegisterBit;
  /** The OpenFlow version of our connection. */
  readonly version: OpenFlowVersion;
  /** Undefined where the bridge has no meters. */
  readonly meterId: number | undefined;
}

/** What was seen in the switch: the flow that has the hook's place and the meter that has its id. */
export interface ObservedHook {
  readonly flow: FlowStats | undefined;
  readonly meter: MeterConfig | undefined;
}

/** Messages to be sent together, before a barrier; steps are to be sent in their order. */
export interface HookStep {
  /** What the step does, for messages about its failure: "add the hook's meter". */
  readonly what: string;
  /** Whether the meter's counters begin at 0 after this step. */
  readonly isMeterNew: boolean;
  readonly messages: readonly OpenFlowMessage[];
}

/** The match of the hook: our mark is not set. */
export function hookMatch(mark: RegisterBit): readonly MatchField[] {
  return [matchField(`reg${mark.register}`, 0, markMask(mark))];
}

/** Whether a flow stands at the hook's place, whatever it does there. */
export function isAtHookPlace(flow: FlowStats, mark: RegisterBit): boolean {
  return (
    flow.tableId === HOOK_TABLE && flow.priority === HOOK_PRIORITY && isSameMatch(flow.match, hookMatch(mark))
  );
}

/** What has to be sent so that hook and meter are as wanted; `options` undefined: so that they are gone. Empty: nothing. */
export function planHook(
  observed: ObservedHook,
  place: HookPlace,
  options: HookOptions | undefined,
): readonly HookStep[] {
  return options === undefined ? planRemoval(observed, place) : planPresence(observed, place, options);
}

/** The message that winds up the dead-man switch again; a flow that is gone stays gone. */
export function hookRefresh(place: HookPlace, options: HookOptions): OpenFlowMessage {
  return { ...hookFlowMod(place, options), command: 'modify_strict' };
}

/**
 * Whether the meter with our id is a user's. Ours has a shape that no one else is likely to choose; its rate may be that
 * of an earlier run.
 */
export function isForeignMeter(meter: MeterConfig): boolean {
  const [band, ...more] = meter.bands;
  const isOurs =
    meter.flags === meterFlags &&
    band?.type === 'drop' &&
    band.burstSize === meterBurst(band.rate) &&
    more.length === 0;
  return !isOurs;
}

/** The meter before the flow that uses it: with an unknown meter the flow would run unmetered. */
function planPresence(observed: ObservedHook, place: HookPlace, options: HookOptions): readonly HookStep[] {
  const steps: HookStep[] = [];
  const { meter, flow } = observed;
  if (place.meterId !== undefined) {
    const messages = (command: 'add' | 'modify') => [hookMeterMod(place.meterId ?? 0, options, command)];
    if (meter === undefined) {
      steps.push({ what: "add the hook's meter", isMeterNew: true, messages: messages('add') });
    } else if (meter.bands[0]?.rate !== options.maxSampleRate) {
      const what = "change the rate of the hook's meter";
      steps.push({ what, isMeterNew: false, messages: messages('modify') });
    }
  }
  if (flow === undefined || !isHook(flow, place, options)) {
    steps.push({ what: 'add the hook', isMeterNew: false, messages: [hookFlowMod(place, options)] });
  }
  return steps;
}

/** The flow before its meter: deleting a meter deletes the flows that use it, and not in the order that one wants. */
function planRemoval(observed: ObservedHook, place: HookPlace): readonly HookStep[] {
  const steps: HookStep[] = [];
  if (observed.flow !== undefined) {
    steps.push({ what: 'delete the hook', isMeterNew: false, messages: [hookDelete(place)] });
  }
  if (place.meterId !== undefined && observed.meter !== undefined && !isForeignMeter(observed.meter)) {
    const mod = {
      type: 'meter_mod',
      command: 'delete',
      meterId: place.meterId,
      flags: 0,
      bands: [],
    } as const;
    steps.push({ what: "delete the hook's meter", isMeterNew: false, messages: [mod] });
  }
  return steps;
}

/**
 * A meter of OVS's userspace datapath is filled by whole milliseconds, as many as fill an empty one: a burst smaller than
 * what comes in a millisecond makes that none, and after the first burst such a meter lets nothing through for ever.
 */
function meterBurst(rate: number): number {
  return Math.max(HOOK_METER_BURST, Math.ceil(rate / 1000));
}

const meterFlags = METER_FLAGS.pktps | METER_FLAGS.burst | METER_FLAGS.stats;

function hookMeterMod(meterId: number, options: HookOptions, command: 'add' | 'modify'): OpenFlowMessage {
  return {
    type: 'meter_mod',
    command,
    meterId,
    flags: meterFlags,
    bands: [{ type: 'drop', rate: options.maxSampleRate, burstSize: meterBurst(options.maxSampleRate) }],
  };
}

function hookFlowMod(place: HookPlace, options: HookOptions): MessageOf<'flow_mod'> {
  return {
    type: 'flow_mod',
    ...flowMod({
      command: 'add',
      cookie: HOOK_COOKIE,
      tableId: HOOK_TABLE,
      hardTimeout: HOOK_HARD_TIMEOUT_SECONDS,
      priority: HOOK_PRIORITY,
      match: hookMatch(place.mark),
      instructions: [{ type: 'apply_actions', actions: hookActions(place, options) }],
    }),
  };
}

function hookDelete(place: HookPlace): MessageOf<'flow_mod'> {
  const match = hookMatch(place.mark);
  return {
    type: 'flow_mod',
    ...flowMod({ command: 'delete_strict', tableId: HOOK_TABLE, priority: HOOK_PRIORITY, match }),
  };
}

/** `controller` before the mark is loaded, so that the mark is not in the metadata of our packet-ins. */
function hookActions(place: HookPlace, options: HookOptions): readonly Action[] {
  return [
    {
      type: 'controller2',
      maxLength: HOOK_MAX_LENGTH,
      controllerId: CONTROLLER_ID,
      userdata: bridgeUserdata(options.observationDomainId, options.observationPointId),
      ...(place.meterId === undefined ? {} : { meterId: place.meterId }),
    },
    loadBits(place.version, registerName(place.mark), place.mark.bit, 1, 1n),
    { type: 'output', port: OFPP_TABLE, maxLength: 0 },
  ];
}

/** Whether a flow at the hook's place does what the hook is to do. */
function isHook(flow: FlowStats, place: HookPlace, options: HookOptions): boolean {
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
    copy.meterId === place.meterId &&
    copy.userdata?.equals(userdata) === true &&
    load !== undefined &&
    isMarkLoad(load, place.mark) &&
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
