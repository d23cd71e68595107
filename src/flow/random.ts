// Random numbers from a seed: fast, and reproducible with the same seed. They are not for secrets, because an observer of the
// numbers could compute the seed. The sampler draws from it, and the flow cache expands its seed with it.

/** Returns word `index` of the sequence of `seed`: any 32 bits, as a signed number. */
export function randomWord(seed: number, index: number): number {
  let word = (seed + Math.imul(index + 1, 0x9e3779b9)) | 0;
  word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
  return word ^ (word >>> 15);
}

/** A generator of 32-bit words: sfc32, of period 2^32 at least. Its state is small integers, so a draw allocates nothing. */
export class RandomSource {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#a = randomWord(seed, 0);
    this.#b = randomWord(seed, 1);
    this.#c = randomWord(seed, 2);
    for (let round = 0; round < 12; round += 1) {
      this.next();
    }
  }

  /** Returns the next word: any 32 bits, as a signed number. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum;
  }
}
