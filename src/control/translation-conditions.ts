// The conditions of users' flows that cannot be rewritten, or whose rewriting takes long.

import type { Condition } from '../config/condition.ts';

/** Returns the condition of a bridge that allows OpenFlow 1.0 only, whose flows are not rewritten. */
export function shownInPart(bridge: string): Condition {
  return {
    code: 'flows-shown-in-part',
    severity: 'error',
    where: `Bridge ${bridge}`,
    message:
      'It allows OpenFlow 1.0 only, which does not show flows whole, so flows with "sample" actions are not rewritten.',
    action: `Allow another version with "ovs-vsctl add Bridge ${bridge} protocols OpenFlow14".`,
  };
}

/** Returns a sentence about flows that keep the daemon's actions, because OpenFlow 1.0 does not show them whole. */
export function leftInFlows(bridge: string, flowCount: number): string {
  return (
    `Bridge ${bridge}: ${flowCount} flows keep the daemon's actions, because OpenFlow 1.0 does not show flows whole ` +
    `and what it hides would be lost. Allow another version with "ovs-vsctl add Bridge ${bridge} protocols OpenFlow14", ` +
    'and run "ovs-ipfix release".'
  );
}

/** Returns the condition of flows whose rewriting takes long. */
export function rewritingIsSlow(bridge: string, pending: number): Condition {
  return {
    code: 'translation-in-progress',
    severity: 'warning',
    where: `Bridge ${bridge}`,
    message: `${pending} flows with "sample" actions are still to be rewritten; their samples are not exported yet.`,
    action: 'No action is needed; "ovs-ipfix status" shows the progress.',
  };
}
