// Chooses the flow of a packet of the benchmark: uniformly or by Zipf's law, reproducibly from a seed.

export type Distribution = 'uniform' | 'zipf';

/** Returns a generator of numbers from 0 to below 1 (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Returns a flow below `flows` for a draw from `generator`. */
export function chosenFlow(draw: number, flows: number, distribution: Distribution): number {
  if (distribution === 'uniform') {
    return Math.floor(draw * flows);
  }
  // Zipf with exponent 1: the share of the flows up to rank r grows like ln(r).
  return Math.floor(Math.exp(draw * Math.log(flows + 1))) - 1;
}
