// Times in an entry of the flow cache: whole microseconds as two words, the low one first. The packet path compares and copies
// the words; they become doubles only for the encoder of records.

/**
 * The unit of the upper word, in microseconds. The words of a time are `Math.floor(micros / TIME_WORD) | 0`, which is right for
 * negative times too, and `micros | 0`; written out where they are needed, so that no double is passed to a function for each
 * packet.
 */
export const TIME_WORD = 0x1_0000_0000;

/** The inverse of `TIME_WORD`, exact: multiplying is faster than dividing. */
export const TIME_WORD_INVERSE = 2 ** -32;

/** Sets the time at `at` to these words. */
export function putTime(words: Int32Array, at: number, high: number, low: number): void {
  words[at] = low;
  words[at + 1] = high;
}

/** Returns whether the time at `at` is not later than the given one. */
export function isTimeUpTo(words: Int32Array, at: number, high: number, low: number): boolean {
  const ownHigh = words[at + 1]!;
  return ownHigh < high || (ownHigh === high && words[at]! >>> 0 <= low >>> 0);
}

/** Returns the time at `at`, in microseconds. */
export function timeOf(words: Int32Array, at: number): number {
  return words[at + 1]! * TIME_WORD + (words[at]! >>> 0);
}
