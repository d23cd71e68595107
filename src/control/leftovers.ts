// Sentences about what a stop or `release` could not remove from a bridge, each with the command that does.

import { clause } from '../runtime/sentence.ts';

const COMMAND = 'run "ovs-ipfix release"';

/** The bridge could not be reached in time. */
export function leftUnreached(bridge: string, lastError: string | undefined): string {
  return `Bridge ${bridge} could not be reached${because(lastError)}, so our hook, meters and actions may be left there; ${COMMAND}.`;
}

/** OVS restores saved flows, which may have our actions, and has not ended. */
export function leftInSavedFlows(bridge: string): string {
  return `Bridge ${bridge}: the flows that OVS restores (flow-restore-wait) may have our actions; ${COMMAND} when it has ended.`;
}

/** What is left in a bridge that is reached. */
export interface Leftovers {
  /** Why the last pass over users' flows failed. */
  readonly translationFailure: string | undefined;
  readonly hasHook: boolean;
  readonly hookFailure: string | undefined;
  /** Flows that still have our actions. */
  readonly flowCount: number;
}

/** The bridge was reached, and not everything was removed in time. */
export function leftInBridge(bridge: string, left: Leftovers): string {
  if (left.translationFailure !== undefined) {
    return `${clause(left.translationFailure)}; ${COMMAND}.`;
  }
  const parts = [
    ...(left.hasHook ? ['the hook or its meters'] : []),
    ...(left.flowCount === 0 ? [] : [`our actions in ${left.flowCount} flows`]),
  ];
  const what = parts.length === 0 ? 'something of ours' : parts.join(' and ');
  return `Bridge ${bridge} still has ${what}${because(left.hookFailure)}; ${COMMAND}.`;
}

/** A reason as the end of a clause: ": the reason", or nothing. */
export function because(text: string | undefined): string {
  return text === undefined ? '' : `: ${clause(text)}`;
}
