// What is reported when users' flows cannot be rewritten, or are being rewritten for long.

import type { Problem } from '../config/problem.ts';
import { clause } from '../runtime/sentence.ts';
import { formatFlow, type ObservedFlow } from './flow-rewriting.ts';

/** A bridge that allows OpenFlow 1.0 only, so that no flow of it is rewritten. */
export function shownInPart(bridge: string): Problem {
  return {
    code: 'flows-shown-in-part',
    severity: 'error',
    where: `Bridge ${bridge}`,
    message:
      'It allows OpenFlow 1.0 only, which does not show all of a flow, so flows with "sample" actions are not rewritten.',
    remedy: `Allow another version with "ovs-vsctl add Bridge ${bridge} protocols OpenFlow14".`,
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
export function rewritingIsSlow(bridge: string, pending: number): Problem {
  return {
    code: 'translation-in-progress',
    severity: 'warning',
    where: `Bridge ${bridge}`,
    message: `${pending} flows with "sample" actions are still to be rewritten; their samples are not exported yet.`,
    remedy: 'No action is needed; "ovs-ipfix status" shows the progress.',
  };
}

/** A flow that could not be rewritten, and why. */
export interface RefusedFlow {
  readonly flow: ObservedFlow;
  readonly message: string;
}

export function flowRefused(bridge: string, { flow, message }: RefusedFlow): Problem {
  return {
    code: 'translation-refused',
    severity: 'error',
    where: `Bridge ${bridge}, flow ${formatFlow(flow)}`,
    message: `Our action could not be added behind its "sample" action, or removed: ${clause(message)}.`,
    remedy: 'See what the flow does with "ovs-ofctl dump-flows"; it is retried when the flow changes.',
  };
}

/** A bridge whose flows have hard timeouts. */
export function hardTimeoutsRestart(bridge: string): Problem {
  return {
    code: 'hard-timeout-restarts',
    severity: 'warning',
    where: `Bridge ${bridge}`,
    message:
      'Flows with "sample" actions have hard timeouts, which restart each time that the flow is rewritten.',
    remedy:
      'No action is needed unless such a flow must end on time: then add it while the daemon runs, which makes the ' +
      'difference a few milliseconds.',
  };
}

/** A modification by another client that a rewriting has replaced, and that is not known. */
export function changeOverwritten(bridge: string, flow: ObservedFlow): Problem {
  return {
    code: 'change-overwritten',
    severity: 'error',
    where: `Bridge ${bridge}, flow ${formatFlow(flow)}`,
    message: 'Another client modified the flow while it was being rewritten, and that modification is lost.',
    remedy: 'Modify the flow again.',
  };
}
