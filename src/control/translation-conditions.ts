// The conditions of users' flows that cannot be rewritten, or whose rewriting takes long.

import type { Condition } from '../config/condition.ts';
import { counted } from '../runtime/counted.ts';
import { clause } from '../runtime/sentence.ts';
import { formatFlow, type ObservedFlow } from './flow-rewriting.ts';

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
    `Bridge ${bridge}: ${counted(flowCount, 'flow keeps', 'flows keep')} the daemon's actions, because OpenFlow 1.0 does not show flows whole ` +
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
    message: `${counted(pending, 'flow')} with "sample" actions still to be rewritten; the samples are not exported yet.`,
    action: 'No action is needed; "ovs-ipfix status" shows the progress.',
  };
}

/** A flow that could not be rewritten, and why. */
export interface RefusedFlow {
  readonly flow: ObservedFlow;
  readonly message: string;
}

/** Returns the condition of a flow that the switch did not let be rewritten. */
export function flowRefused(bridge: string, { flow, message }: RefusedFlow): Condition {
  return {
    code: 'translation-refused',
    severity: 'error',
    where: `Bridge ${bridge}, flow ${formatFlow(flow)}`,
    message: `The daemon's action could not be added after its "sample" action, or removed: ${clause(message)}.`,
    action: 'See what the flow does with "ovs-ofctl dump-flows"; it is retried when the flow changes.',
  };
}

/** Returns the condition of a bridge whose sampled flows have hard timeouts. */
export function hardTimeoutsRestart(bridge: string): Condition {
  return {
    code: 'hard-timeout-restarts',
    severity: 'warning',
    where: `Bridge ${bridge}`,
    message:
      'Flows with "sample" actions have hard timeouts, which restart each time that the flow is rewritten.',
    action:
      'No action is needed unless such a flow must end on time: then add it while the daemon runs, which makes the ' +
      'difference a few milliseconds.',
  };
}

/** Returns the condition of a modification by another client that a rewriting has replaced, and that is not known. */
export function changeOverwritten(bridge: string, flow: ObservedFlow): Condition {
  return {
    code: 'change-overwritten',
    severity: 'error',
    where: `Bridge ${bridge}, flow ${formatFlow(flow)}`,
    message: 'Another client modified the flow while it was being rewritten, and that modification is lost.',
    action: 'Modify the flow again.',
  };
}
