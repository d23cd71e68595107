// The translation of users' `sample` actions, so that their packets reach the daemon: a `controller` action is added after each
// one whose collector set is managed, at any depth, and nothing else is changed. The original is kept, so dumps still show it,
// and removing the added actions restores what the user wrote. Everything here is pure.

import { sampleUserdata, unresolvedFields } from '../intake/userdata.ts';
import {
  type Action,
  appliedActions,
  type Controller2Action,
  type Instruction,
  type SampleAction,
} from '../node-openflow/index.ts';
import { CONTROLLER_ID } from './hook.ts';

/** What the translation depends on. */
export interface TranslationOptions {
  /** Ids of the managed collector sets on this bridge; with none, the added actions are only removed. */
  readonly collectorSets: ReadonlySet<number>;
  /** Ids of sets whose flows are only counted, because the datapath samples for them. Default: none. */
  readonly followedSets?: ReadonlySet<number>;
  /** The meter of the packet-ins; undefined if the bridge has none. */
  readonly meterId: number | undefined;
  /** Whether the bridge allows OpenFlow 1.0 besides the negotiated version: see hidden-forms.ts. */
  readonly allowsOpenFlow10?: boolean;
}

/** Whether both result in the same translation. */
export function isSameTranslation(a: TranslationOptions, b: TranslationOptions): boolean {
  return (
    isSameSets(a.collectorSets, b.collectorSets) &&
    a.meterId === b.meterId &&
    a.allowsOpenFlow10 === b.allowsOpenFlow10
  );
}

/** Whether both have the same collector sets. */
export function isSameSets(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  return a === b || (a.size === b.size && [...a].every((set) => b.has(set)));
}

/** Requested bytes of a packet; current OVS sends whole packets nevertheless. */
const MAX_LENGTH = 192;

/** Returns the actions with the added ones after each managed `sample`, and nowhere else; the same array if nothing changes. */
export function translateActions(actions: readonly Action[], options: TranslationOptions): readonly Action[] {
  const translated: Action[] = [];
  let isChanged = false;
  for (const [index, action] of actions.entries()) {
    if (isOurAction(action)) {
      // An added action is kept if it is correct for the sample before it, and removed otherwise.
      isChanged ||= !isRightBehind(actions[index - 1], action, options);
      continue;
    }
    const inner = translateInner(action, options);
    isChanged ||= inner !== action;
    translated.push(inner);
    const ours = companionOf(inner, options);
    if (ours !== undefined) {
      const next = actions[index + 1];
      isChanged ||= next === undefined || !isRightBehind(action, next, options);
      translated.push(ours);
    }
  }
  return isChanged ? translated : actions;
}

/** Translates a flow's instructions; only applied actions can have a `sample`. */
export function translateInstructions(
  instructions: readonly Instruction[],
  options: TranslationOptions,
): readonly Instruction[] {
  let isChanged = false;
  const translated = instructions.map((instruction): Instruction => {
    if (instruction.type !== 'apply_actions') {
      return instruction;
    }
    const actions = translateActions(instruction.actions, options);
    isChanged ||= actions !== instruction.actions;
    return actions === instruction.actions ? instruction : { ...instruction, actions };
  });
  return isChanged ? translated : instructions;
}

/** Whether one of the actions, at any depth, is a `sample` or an added action; other flows are not translated. */
export function concernsSampling(actions: readonly Action[]): boolean {
  return actions.some(
    (action) => isSample(action) || isOurAction(action) || concernsSampling(innerActions(action)),
  );
}

/** Whether one of the actions, at any depth, is an added one. */
export function hasOurActions(actions: readonly Action[]): boolean {
  return actions.some((action) => isOurAction(action) || hasOurActions(innerActions(action)));
}

/** Returns the collector sets of the `sample` actions, at any depth. */
export function sampledSets(actions: readonly Action[]): readonly number[] {
  return actions.flatMap((action) =>
    isSample(action) ? [action.collectorSetId] : sampledSets(innerActions(action)),
  );
}

/** Returns the sets of which flows are counted. */
export function countedSets({
  collectorSets,
  followedSets = new Set(),
}: TranslationOptions): ReadonlySet<number> {
  return new Set([...collectorSets, ...followedSets]);
}

/** How many of the flows sample for each of the sets. */
export function countBySet(
  flows: Iterable<{ readonly instructions: readonly Instruction[] }>,
  sets: ReadonlySet<number>,
): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const { instructions } of flows) {
    for (const set of new Set(sampledSets(appliedActions(instructions)))) {
      if (sets.has(set)) {
        counts.set(set, (counts.get(set) ?? 0) + 1);
      }
    }
  }
  return counts;
}

/** Returns the ids of translated `sample` actions, at any depth, that come from fields that packet-ins lack. */
export function unresolvedIds(actions: readonly Action[], options: TranslationOptions): readonly string[] {
  return actions.flatMap((action) => {
    if (!isSample(action)) {
      return unresolvedIds(innerActions(action), options);
    }
    return options.collectorSets.has(action.collectorSetId) ? unresolvedFields(action) : [];
  });
}

/** Whether an action is a `sample` action, in any of its forms. */
export function isSample(action: Action): action is SampleAction {
  return (
    action.type === 'sample' ||
    action.type === 'sample2' ||
    action.type === 'sample3' ||
    action.type === 'sample4'
  );
}

/** Whether the daemon added an action: no other controller uses its controller id. */
function isOurAction(action: Action): action is Controller2Action {
  return action.type === 'controller2' && action.controllerId === CONTROLLER_ID;
}

/** Returns the actions nested in an action. */
export function innerActions(action: Action): readonly Action[] {
  return action.type === 'clone' || action.type === 'ct' ? action.actions : [];
}

function translateInner(action: Action, options: TranslationOptions): Action {
  if (action.type !== 'clone' && action.type !== 'ct') {
    return action;
  }
  const actions = translateActions(action.actions, options);
  return actions === action.actions ? action : { ...action, actions };
}

/** Returns the action to add for a `sample`; undefined for any other action and for unmanaged sets. */
function companionOf(action: Action, options: TranslationOptions): Controller2Action | undefined {
  if (!isSample(action) || !options.collectorSets.has(action.collectorSetId)) {
    return undefined;
  }
  return {
    type: 'controller2',
    maxLength: MAX_LENGTH,
    controllerId: CONTROLLER_ID,
    userdata: sampleUserdata(action),
    ...(options.meterId === undefined ? {} : { meterId: options.meterId }),
  };
}

function isRightBehind(before: Action | undefined, action: Action, options: TranslationOptions): boolean {
  const wanted = before === undefined ? undefined : companionOf(before, options);
  return (
    wanted !== undefined &&
    action.type === 'controller2' &&
    action.controllerId === wanted.controllerId &&
    action.meterId === wanted.meterId &&
    action.maxLength === wanted.maxLength &&
    action.userdata !== undefined &&
    wanted.userdata !== undefined &&
    action.userdata.equals(wanted.userdata)
  );
}
