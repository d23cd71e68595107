// What is reported when users' flows cannot be rewritten, or are being rewritten for long.

import type { Condition } from '../config/condition.ts';

/** A bridge that allows OpenFlow 1.0 only, so that no flow of it is rewritten. */
export function shownInPart(bridge: string): Condition {
  return {
    code: 'flows-shown-in-part',
    severity: 'error',
    where: `Bridge ${bridge}`,
    message:
      'It allows OpenFlow 1.0 only, which does not show all of a flow, so flows with "sample" actions are not rewritten.',
    action: `Allow another version with "ovs-vsctl add Bridge ${bridge} protocols OpenFlow14".`,
  };
}

/** Flows that have our actions and are not restored, because OpenFlow 1.0 does not show all of them; a sentence. */
export function leftInFlows(bridge: string, flowCount: number): string {
  return (
    `Bridge ${bridge}: ${flowCount} flows keep our actions, because OpenFlow 1.0 does not show all of a flow ` +
    `and what it hides would be lost. Allow another version with "ovs-vsctl add Bridge ${bridge} protocols OpenFlow14", ` +
    'and run "ovs-ipfix release".'
  );
}

/** Flows whose rewriting takes long. */
export function rewritingIsSlow(bridge: string, pending: number): Condition {
  return {
    code: 'translation-in-progress',
    severity: 'warning',
    where: `Bridge ${bridge}`,
    message: `${pending} flows with "sample" actions are still to be rewritten; their samples are not exported yet.`,
    action: 'No action is needed; "ovs-ipfix status" shows the progress.',
  };
}
