// One round: packets at a steady rate, one fault or two, the recovery, and the account of every packet.

import { setTimeout as delay } from 'node:timers/promises';
import { accountOf, type Injection, type RoundAccount } from './account.ts';
import { faultsText, type RoundPlan } from './plan.ts';
import { Random } from './random.ts';
import { Stage } from './stage.ts';

/** Milliseconds of traffic with one fault, those that another fault adds, and those before the first fault. */
const ROUND_MS = 10_000;
const FAULT_MS = 5000;
const LEAD_MS = 1000;
/** Milliseconds before the traffic, after which the gap of the start has ended. */
const START_MS = 100;
/** Most milliseconds of one gap, and of all gaps of a round as a share of it. */
const GAP_MS_MAX = 250;
const GAP_SHARE_MAX = 0.02;

export interface RoundResult {
  readonly plan: RoundPlan;
  readonly account: RoundAccount | undefined;
  /** What is wrong with the round, as sentences. */
  readonly faults: readonly string[];
  /** The logs of its daemons. */
  readonly log: string;
}

/** Runs a round; resolves also if it cannot be ended, with the reason among its faults. */
export async function runRound(plan: RoundPlan): Promise<RoundResult> {
  let log = '';
  try {
    const stage = await Stage.open({
      ...plan,
      logsToFile: plan.faults.some(({ fault }) => fault.part === 'log'),
    });
    try {
      const account = await act(stage, plan);
      return {
        plan,
        account,
        faults: [...judge(account, roundMs(plan)), ...stage.collector.problems],
        log: stage.log,
      };
    } finally {
      log = stage.log;
      await stage.close();
    }
  } catch (error) {
    return { plan, account: undefined, faults: [String(error)], log };
  }
}

async function act(stage: Stage, plan: RoundPlan): Promise<RoundAccount> {
  const random = new Random(plan.seed);
  await delay(START_MS);
  const endMs = performance.now() + roundMs(plan);
  stage.traffic.start();
  await delay(LEAD_MS);
  await Promise.all(
    plan.faults.map(async ({ fault, afterMs }) => {
      await delay(afterMs);
      await fault.apply(stage, random);
    }),
  );
  await stage.ready();
  await delay(Math.max(LEAD_MS, endMs - performance.now()));
  await stage.traffic.stop();
  const facts = await stage.facts((soFar) => accountOf(soFar).unexplained === 0);
  return accountOf(facts);
}

function roundMs({ faults }: RoundPlan): number {
  return ROUND_MS + Math.max(0, faults.length - 1) * FAULT_MS;
}

/** Returns what is wrong with an account. */
function judge(account: RoundAccount, lengthMs: number): readonly string[] {
  const { unexplained, doubled, longestGapMs, gapMs } = account;
  return [
    ...(unexplained > 0
      ? [`${unexplained} packets are not explained (${injectionsText(account.firstUnexplained)})`]
      : []),
    ...(unexplained < 0 ? [`counters have ${-unexplained} losses too many`] : []),
    ...(doubled > 0
      ? [`${doubled} packets are exported more than once (${injectionsText(account.firstDoubled)})`]
      : []),
    ...(longestGapMs > GAP_MS_MAX ? [`a gap has ${Math.round(longestGapMs)} ms`] : []),
    ...(gapMs > lengthMs * GAP_SHARE_MAX ? [`the gaps have ${Math.round(gapMs)} ms together`] : []),
  ];
}

/** Returns the numbers of packets, each with the time in the log (UTC) at which it was injected. */
function injectionsText(injections: readonly Injection[]): string {
  const timeOf = (ms: number) => new Date(ms + Date.now() - performance.now()).toISOString().slice(11, 23);
  return injections.map(({ number, beforeMs }) => `${number} at ${timeOf(beforeMs)}`).join(', ');
}

/** Returns a line about a round. */
export function roundText({ plan, account, faults }: RoundResult): string {
  const head = `round ${plan.index + 1} (${plan.sampler}): ${faultsText(plan)}`;
  const counts =
    account === undefined
      ? ''
      : `; ${account.injected} injected, ${account.exported} exported, ${account.counted} counted as lost, ` +
        `${account.inGaps} in ${account.gapCount} gaps (longest ${Math.round(account.longestGapMs)} ms)`;
  return `${head}${counts}${faults.length === 0 ? '' : `; WRONG: ${faults.join('; ')}`}`;
}
