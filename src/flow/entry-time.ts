// Times in an entry of the flow cache: whole microseconds as two words, the low one first. The packet path compares
// and copies the words, and makes doubles of them only for whoever writes the record.

const WORD = 0x1_0000_0000;

/** The upper word of a time, rounded down, so that it is right for negative times too. */
export function highWord(micros: number): number {
  return Math.floor(micros / WORD) | 0;
}

/** The lower word of a time, as a signed number. */
export function lowWord(micros: number): number {
  return micros | 0;
}

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
  return words[at + 1]! * WORD + (words[at]! >>> 0);
}
