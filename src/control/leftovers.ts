// Sentences about what a stop or `release` could not remove from a bridge, each with the command that removes it.

import { counted } from '../runtime/counted.ts';
import { clause } from '../runtime/sentence.ts';

const COMMAND = 'run "ovs-ipfix release"';

/** Returns the sentence for a bridge that could not be reached in time. */
export function leftUnreached(bridge: string, lastError: string | undefined): string {
  return `Bridge ${bridge} could not be reached${because(lastError)}, so the daemon's hook, meters and actions may be left there; ${COMMAND}.`;
}

/** Returns the sentence for a bridge whose saved flows, which may have the daemon's actions, are still being restored. */
export function leftInSavedFlows(bridge: string): string {
  return `Bridge ${bridge}: the flows that OVS restores (flow-restore-wait) may have the daemon's actions; ${COMMAND} after the restore.`;
}

/** What is left in a bridge. */
export interface Leftovers {
  /** Why the last reconciliation of users' flows failed. */
  readonly translationFailure: string | undefined;
  readonly hasHook: boolean;
  readonly hookFailure: string | undefined;
  /** Number of flows that still have the daemon's actions. */
  readonly flowCount: number;
}

/** Returns the sentence for a bridge from which not everything was removed in time. */
export function leftInBridge(bridge: string, left: Leftovers): string {
  if (left.translationFailure !== undefined) {
    return `${clause(left.translationFailure)}; ${COMMAND}.`;
  }
  const parts = [
    ...(left.hasHook ? ['the hook or its meters'] : []),
    ...(left.flowCount === 0 ? [] : [`the daemon's actions in ${counted(left.flowCount, 'flow')}`]),
  ];
  const what = parts.length === 0 ? 'state of the daemon' : parts.join(' and ');
  return `Bridge ${bridge} still has ${what}${because(left.hookFailure)}; ${COMMAND}.`;
}

/** Returns a reason for the end of a clause: ": the reason", or nothing. */
export function because(text: string | undefined): string {
  return text === undefined ? '' : `: ${clause(text)}`;
}
