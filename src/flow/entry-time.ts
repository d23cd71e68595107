// Times in an entry of the flow cache: whole microseconds as two words, the low one first. The packet path
// compares and copies the words, and makes doubles of them only for whoever writes the record.

/**
 * What the upper word counts in. A time's words are `Math.floor(micros / TIME_WORD) | 0`, which is right for
 * negative times too, and `micros | 0`; written out where they are needed, so that no double is passed to a
 * function for each packet.
 */
export const TIME_WORD = 0x1_0000_0000;

/** Multiplying by it is dividing by `TIME_WORD`, exactly and faster. */
export const TIME_WORD_INVERSE = 2 ** -32;

/** Sets the time at `at` to these words. */
export function putTime(words: Int32Array, at: number, high: number, low: number): void {
  words[at] = low;
  words[at + 1] = high;
}

/** Whether the time at `at` is not later than the given one. */
export function isTimeUpTo(words: Int32Array, at: number, high: number, low: number): boolean {
  const ownHigh = words[at + 1]!;
  return ownHigh < high || (ownHigh === high && words[at]! >>> 0 <= low >>> 0);
}

/** The time at `at`, in microseconds. */
export function timeOf(words: Int32Array, at: number): number {
  return words[at + 1]! * TIME_WORD + (words[at]! >>> 0);
}
