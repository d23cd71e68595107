// Checks a bridge while no daemon runs: conditions that prevent the hook or flow rewriting, and stale state of an earlier daemon.
// A running daemon reports its own conditions, and its state in the bridge is not stale.

import type { BridgeConfig } from '../../config/configuration.ts';
import { failOpenCondition } from '../../control/fail-open.ts';
import { HOOK_COOKIE } from '../../control/hook.ts';
import { hookConditions } from '../../control/hook-refusal.ts';
import { isUnmanagedMeter } from '../../control/meter.ts';
import { isToBeRedirected } from '../../control/set-choice.ts';
import { hasOurActions } from '../../control/translation.ts';
import { shownInPart } from '../../control/translation-conditions.ts';
import type { FlowUpdate } from '../../node-openflow/index.ts';
import { counted } from '../../runtime/counted.ts';
import type { BridgeFacts } from './bridge-facts.ts';
import { type Finding, finding } from './finding.ts';

/** Returns the findings about one bridge, whose rows may ask for nothing. */
export function checkBridge(facts: BridgeFacts, config: BridgeConfig): Finding[] {
  return [...checkNeeds(facts, config), ...checkStaleState(facts)];
}

/** Whether rows ask for the packets of the bridge. */
export function isExported({ sampling, flowSampling }: BridgeConfig): boolean {
  return sampling !== undefined || flowSampling.size > 0;
}

/** Returns the conditions that a daemon would report. */
export function checkNeeds(facts: BridgeFacts, config: BridgeConfig): Finding[] {
  if (!isExported(config)) {
    return [];
  }
  const { bridge, observed } = facts;
  const needsSampleMeter = [...config.flowSampling.values()].some(
    ({ ownsRow }) => !isToBeRedirected({ policy: config.samplerPolicy, ...config, ...facts, ownsRow }),
  );
  const needsHook = config.sampling !== undefined;
  const needsHookMeter = needsHook && needsPacketIns(facts, config);
  const needs = { ...facts, needsHook, needsHookMeter, needsSampleMeter };
  return [
    ...hookConditions(needs, observed, 'refuse'),
    ...(needsSampleMeter && !facts.showsWholeFlows ? [shownInPart(bridge)] : []),
    ...(config.isFailOpen ? [failOpenCondition(bridge)] : []),
  ];
}

/** Whether the bridge is sampled by packet-ins at first: see control/sampler-choice.ts. */
export function needsPacketIns(
  { hasMeters }: BridgeFacts,
  { samplerPolicy, hasKernelDatapath }: BridgeConfig,
): boolean {
  return samplerPolicy === 'packet-in' || (samplerPolicy === 'auto' && hasMeters && !hasKernelDatapath);
}

function checkStaleState({ bridge, flows, observed }: BridgeFacts): Finding[] {
  const rewritten = flows.filter((flow) => flow.cookie !== HOOK_COOKIE && isRewritten(flow)).length;
  const parts = [
    ...(observed.hook?.cookie === HOOK_COOKIE ? ['the hook'] : []),
    ...(rewritten === 0 ? [] : [`actions in ${counted(rewritten, 'flow')}`]),
    ...[observed.hookMeter, observed.sampleMeter]
      .filter((meter) => meter !== undefined && !isUnmanagedMeter(meter))
      .map((meter) => `meter ${meter?.meterId}`),
  ];
  if (parts.length === 0) {
    return [];
  }
  return [
    finding(
      'warning',
      'stale-state',
      `Bridge ${bridge}`,
      `A daemon that did not stop cleanly has left stale state: ${parts.join(', ')}.`,
      'Start the daemon, which takes it over, or remove it with "ovs-ipfix release".',
    ),
  ];
}

function isRewritten({ instructions }: FlowUpdate): boolean {
  return instructions.some((each) => 'actions' in each && hasOurActions(each.actions));
}
