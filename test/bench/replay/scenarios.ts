// What the replay benchmark measures, with the goals of each.

import type { Distribution } from '../flow-choice.ts';

/** A capture and an active timeout. */
export interface Scenario {
  readonly name: string;
  readonly flows: number;
  readonly distribution: Distribution;
  /** Seconds of the active timeout. */
  readonly activeTimeout: number;
  readonly goals: Goals;
}

/** Goals of processor time. */
export interface Goals {
  /** Of this build to `GOALS_COMMIT`. */
  readonly earlier?: string;
  /** Of other exporters to this build, by name. */
  readonly peers: Readonly<Record<string, string>>;
}

/** The commit that the goals compare with. */
export const GOALS_COMMIT = '67134872595130514f314e9c3a056c8cc9cca85a';
/** The goal of the peak memory to any earlier commit. */
export const MEMORY_GOAL = '<= 1.0';

/** Seconds of the active timeout with which all flows stay to the end of the capture. */
const HOLD = 4200;
export const SCENARIOS: readonly Scenario[] = [
  {
    name: '1k hold',
    flows: 1000,
    distribution: 'uniform',
    activeTimeout: HOLD,
    goals: { earlier: '<= 0.40', peers: { softflowd: '>= 4', ipfixprobe: '>= 4' } },
  },
  {
    name: '100k Zipf hold',
    flows: 100_000,
    distribution: 'zipf',
    activeTimeout: HOLD,
    goals: { peers: {} },
  },
  {
    name: '100k hold',
    flows: 100_000,
    distribution: 'uniform',
    activeTimeout: HOLD,
    goals: { earlier: '<= 0.40', peers: { softflowd: '>= 12', ipfixprobe: '>= 5' } },
  },
  {
    name: '1M hold',
    flows: 1_000_000,
    distribution: 'uniform',
    activeTimeout: HOLD,
    goals: { earlier: '<= 0.50', peers: { softflowd: '>= 14', ipfixprobe: '>= 3.5' } },
  },
  {
    name: '1M act10',
    flows: 1_000_000,
    distribution: 'uniform',
    activeTimeout: 10,
    goals: { earlier: '<= 0.50', peers: { softflowd: '>= 10', ipfixprobe: '>= 3.5' } },
  },
];
