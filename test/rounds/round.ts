// One round: packets at a steady rate, one fault or two, the recovery, and the account of every packet.

import { setTimeout as delay } from 'node:timers/promises';
import {
  accountOf,
  type Injection,
  type Interval,
  joined,
  type RoundAccount,
  type RoundFacts,
} from './account.ts';
import { faultsText, type RoundPlan } from './plan.ts';
import { BUSY_SHARE, watchPressure } from './pressure.ts';
import { Random } from './random.ts';
import { Stage } from './stage.ts';

/** Milliseconds of traffic with one fault, those that another fault adds, and those before the first fault. */
const ROUND_MS = 10_000;
const FAULT_MS = 10_000;
const LEAD_MS = 1000;
/** Milliseconds before the traffic, after which the gap of the start has ended. */
const START_MS = 100;
/** Most milliseconds of one gap, and of all gaps of a round as a share of it. */
const GAP_MS_MAX = 250;
const GAP_SHARE_MAX = 0.02;

export interface RoundResult {
  readonly plan: RoundPlan;
  readonly account: RoundAccount | undefined;
  /** How busy the machine was: see pressure.ts. */
  readonly busyShare: number;
  /** What is wrong with the round, as sentences; lengths of gaps only if the machine was not busy. */
  readonly faults: readonly string[];
  /** Whether nothing but the lengths of gaps is wrong. */
  readonly isLong: boolean;
  /** The logs of its daemons, and the times that the account is made from. */
  readonly log: string;
}

/** Runs a round, and once more if nothing but the lengths of its gaps is wrong: another program may have been busy for a moment. */
export async function runRound(plan: RoundPlan): Promise<RoundResult> {
  const result = await runOnce(plan);
  return result.isLong ? runOnce(plan) : result;
}

/** Runs a round; resolves also if it cannot be ended, with the reason among its faults. */
async function runOnce(plan: RoundPlan): Promise<RoundResult> {
  let log = '';
  try {
    const stage = await Stage.open({
      ...plan,
      logsToFile: plan.faults.some(({ fault }) => fault.part === 'log'),
    });
    try {
      const pressure = await watchPressure();
      const facts = await act(stage, plan);
      const account = accountOf(facts);
      const busyShare = await pressure();
      const wrong = [...judge(account), ...stage.collector.problems];
      const long = busyShare < BUSY_SHARE ? judgeLengths(account, roundMs(plan)) : [];
      return {
        plan,
        account,
        busyShare,
        faults: [...wrong, ...long],
        isLong: wrong.length === 0 && long.length > 0,
        log: `${stage.log}\n${factsText(facts)}`,
      };
    } finally {
      log = stage.log;
      await stage.close();
    }
  } catch (error) {
    return { plan, account: undefined, busyShare: 0, faults: [String(error)], isLong: false, log };
  }
}

async function act(stage: Stage, plan: RoundPlan): Promise<RoundFacts> {
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
  return stage.facts((soFar) => accountOf(soFar).unexplained === 0);
}

function roundMs({ faults }: RoundPlan): number {
  return ROUND_MS + Math.max(0, faults.length - 1) * FAULT_MS;
}

/** Returns what is wrong with an account. */
function judge(account: RoundAccount): readonly string[] {
  const { unexplained, doubled } = account;
  return [
    ...(unexplained > 0
      ? [`${unexplained} packets are not explained (${injectionsText(account.firstUnexplained)})`]
      : []),
    ...(unexplained < 0 ? [`counters have ${-unexplained} losses too many`] : []),
    ...(doubled > 0
      ? [`${doubled} packets are exported more than once (${injectionsText(account.firstDoubled)})`]
      : []),
  ];
}

/** Returns which gaps are too long. */
function judgeLengths({ longestGapMs, gapMs }: RoundAccount, lengthMs: number): readonly string[] {
  return [
    ...(longestGapMs > GAP_MS_MAX ? [`a gap has ${Math.round(longestGapMs)} ms`] : []),
    ...(gapMs > lengthMs * GAP_SHARE_MAX ? [`the gaps have ${Math.round(gapMs)} ms together`] : []),
  ];
}

/** Returns a time of this process as the log has it (UTC). */
function timeOf(ms: number): string {
  return new Date(ms + Date.now() - performance.now()).toISOString().slice(11, 23);
}

/** Returns the times that explain packets, a line for each. */
function factsText(facts: RoundFacts): string {
  const lines = (what: string, intervals: readonly (Interval & { readonly cause?: string })[]) =>
    intervals.map(
      ({ cause, fromMs, toMs }) =>
        `${what} from ${timeOf(fromMs)} for ${Math.round(toMs - fromMs)} ms${cause === undefined ? '' : `: ${cause}`}`,
    );
  return [
    ...lines('gap', facts.gaps),
    ...lines('switch outage', facts.switchOutages),
    ...lines('daemon outage', facts.daemonOutages),
    ...lines('uncounted', facts.uncounted),
    ...lines('thinned', joined(facts.thinned)),
    ...lines(
      'traffic',
      facts.injections.slice(0, 1).map(({ beforeMs, afterMs }) => ({ fromMs: beforeMs, toMs: afterMs })),
    ),
    `counted ${facts.counted}`,
    '',
  ].join('\n');
}

/** Returns the numbers of packets, each with the time in the log (UTC) at which it was injected. */
function injectionsText(injections: readonly Injection[]): string {
  return injections.map(({ number, beforeMs }) => `${number} at ${timeOf(beforeMs)}`).join(', ');
}

/** Returns a line about a round. */
export function roundText({ plan, account, busyShare, faults }: RoundResult): string {
  const head = `round ${plan.index + 1} (${plan.sampler}): ${faultsText(plan)}`;
  const counts =
    account === undefined
      ? ''
      : `; ${account.injected} injected, ${account.exported} exported, ${account.counted} counted as lost, ` +
        `${account.inGaps} in ${account.gapCount} gaps (longest ${Math.round(account.longestGapMs)} ms); processors ${Math.round(busyShare * 100)}% busy`;
  return `${head}${counts}${faults.length === 0 ? '' : `; WRONG: ${faults.join('; ')}`}`;
}
