// Which flow a packet of the benchmark is of: evenly chosen or by Zipf's law, from a seed, the same everywhere.

export type Distribution = 'uniform' | 'zipf';

/** Numbers from 0 to below 1, by mulberry32: good enough to choose flows. */
export function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A flow below `flows` for a draw from `generator`. */
export function chosenFlow(draw: number, flows: number, distribution: Distribution): number {
  if (distribution === 'uniform') {
    return Math.floor(draw * flows);
  }
  // Zipf with exponent 1: the share of the flows up to rank r grows like ln(r).
  return Math.floor(Math.exp(draw * Math.log(flows + 1))) - 1;
}
