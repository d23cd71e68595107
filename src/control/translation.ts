// What is done to users' actions so that their `sample` actions reach us: behind each one whose collector set is ours
// stands a `controller` action of ours, wherever it is, and nothing else is changed. The original stays, so that a dump
// still shows it and taking our actions out restores what the user wrote. Everything here is pure.

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
  /** Ids of the collector sets that we export for on this bridge; with none, our actions are only taken out. */
  readonly collectorSets: ReadonlySet<number>;
  /** The meter that the packet-ins pass; undefined where the bridge has none. */
  readonly meterId: number | undefined;
  /** Whether the bridge allows OpenFlow 1.0 beside the version in use: see hidden-forms.ts. */
  readonly allowsOpenFlow10?: boolean;
}

/** Whether both lead to the same translation of everything. */
export function isSameTranslation(a: TranslationOptions, b: TranslationOptions): boolean {
  return (
    isSameSets(a.collectorSets, b.collectorSets) &&
    a.meterId === b.meterId &&
    a.allowsOpenFlow10 === b.allowsOpenFlow10
  );
}

/** Whether the same collector sets are meant. */
export function isSameSets(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  return a.size === b.size && [...a].every((set) => b.has(set));
}

/** Bytes of a packet that are asked for; OVS of today sends packets whole all the same. */
const MAX_LENGTH = 192;

/** The actions with ours behind each watched `sample`, and nowhere else; the same array when nothing changes. */
export function translateActions(actions: readonly Action[], options: TranslationOptions): readonly Action[] {
  const translated: Action[] = [];
  let isChanged = false;
  for (const [index, action] of actions.entries()) {
    if (isOurAction(action)) {
      // Ours is kept where it is right, which is seen at the sample before it; anywhere else it goes.
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

/** The same for a flow's instructions; only applied actions can hold a `sample`. */
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

/** Whether one of the actions, at any depth, samples or is ours: other flows do not concern the translation. */
export function concernsSampling(actions: readonly Action[]): boolean {
  return actions.some(
    (action) => isSample(action) || isOurAction(action) || concernsSampling(innerActions(action)),
  );
}

/** Whether one of the actions, at any depth, is ours. */
export function hasOurActions(actions: readonly Action[]): boolean {
  return actions.some((action) => isOurAction(action) || hasOurActions(innerActions(action)));
}

/** The collector sets that the actions sample for, at any depth. */
export function sampledSets(actions: readonly Action[]): readonly number[] {
  return actions.flatMap((action) =>
    isSample(action) ? [action.collectorSetId] : sampledSets(innerActions(action)),
  );
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

/** The ids of translated `sample` actions, at any depth, that come from fields which packet-ins do not tell. */
export function unresolvedIds(actions: readonly Action[], options: TranslationOptions): readonly string[] {
  return actions.flatMap((action) => {
    if (!isSample(action)) {
      return unresolvedIds(innerActions(action), options);
    }
    return options.collectorSets.has(action.collectorSetId) ? unresolvedFields(action) : [];
  });
}

function isSample(action: Action): action is SampleAction {
  return (
    action.type === 'sample' ||
    action.type === 'sample2' ||
    action.type === 'sample3' ||
    action.type === 'sample4'
  );
}

/** No other controller has our id, so that no `controller` action with it is the user's. */
function isOurAction(action: Action): action is Controller2Action {
  return action.type === 'controller2' && action.controllerId === CONTROLLER_ID;
}

/** The actions inside an action. */
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

/** Our action for a `sample`, or undefined for any other action and for sets that are not ours. */
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
