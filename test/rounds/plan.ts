// The plan of a run: which faults each round has, with which sampler, and when the second one begins. Every fault comes up with each
// sampler before one is repeated; the odd rounds have a second one. A seed decides the rest.

import { FAULTS, type Fault } from './faults.ts';
import { Random } from './random.ts';
import type { RoundSampler } from './stage.ts';

export interface RoundPlan {
  readonly index: number;
  readonly sampler: RoundSampler;
  readonly faults: readonly { readonly fault: Fault; readonly afterMs: number }[];
  readonly hasStandby: boolean;
  /** Of the choices within the round. */
  readonly seed: number;
}

/** The second fault begins at most that many milliseconds after the first. */
const SECOND_AFTER_MS_MAX = 1500;
const SAMPLERS: readonly RoundSampler[] = ['packet-in', 'datapath'];

/** Returns the plans of a run; `only` selects faults by a part of their names. */
export function planRounds(count: number, seed: number, only?: string): readonly RoundPlan[] {
  const random = new Random(seed);
  const faults = FAULTS.filter(({ name }) => only === undefined || name.includes(only));
  let queue: Fault[] = [];
  return Array.from({ length: count }, (_, index) => {
    const sampler = SAMPLERS[index % SAMPLERS.length] ?? 'packet-in';
    if (queue.length === 0) {
      queue = shuffled(faults, random).flatMap((fault) => [fault, fault]);
    }
    const first = queue.shift() ?? random.oneOf(faults);
    const second = Math.floor(index / 2) % 2 === 1 ? secondFault(first, random) : undefined;
    const chosen = second === undefined ? [first] : [first, second];
    return {
      index,
      sampler,
      faults: chosen.map((fault, at) => ({ fault, afterMs: at * random.below(SECOND_AFTER_MS_MAX) })),
      hasStandby: chosen.some(({ needsStandby }) => needsStandby === true),
      seed: random.below(2 ** 31),
    };
  });
}

/** Returns a fault that can be in a round with another one. */
function secondFault(first: Fault, random: Random): Fault | undefined {
  const others = FAULTS.filter(
    (fault) =>
      fault.part !== first.part &&
      fault.needsStandby === undefined &&
      first.excludes?.includes(fault.part) !== true &&
      fault.excludes?.includes(first.part) !== true,
  );
  return others.length === 0 ? undefined : random.oneOf(others);
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  return items
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** Returns the faults of a round in words. */
export function faultsText({ faults }: RoundPlan): string {
  return faults.map(({ fault }) => fault.name).join(' + ');
}
