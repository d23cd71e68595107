// Counters of 64 bits as two words of an entry (low word first), exact modulo 2^64. A double is exact only up to 2^53, and a
// bigint allocates an object per operation.

const WORD = 0x1_0000_0000;
/** The largest product that may be added to a word in a double without losing a bit. */
const EXACT_MAX = 2 ** 52;

/** The largest number for `addSmall`. */
export const SMALL_MAX = 0x7fff_ffff;

/** Adds a whole number from 0 to `SMALL_MAX`. */
export function addSmall(words: Int32Array, at: number, value: number): void {
  const before = words[at]!;
  const after = (before + value) | 0;
  words[at] = after;
  // The low word has overflowed 2^32 when it was at least 2^31 and is not any more.
  if (before < 0 && after >= 0) {
    words[at + 1]! += 1;
  }
}

/**
 * Adds `factor * size`, or `factor * size * size` when `squared`, of whole numbers below 2^32 (`size` below 2^16 then), or of any
 * whole numbers with a product up to 2^52.
 */
export function addProduct(
  words: Int32Array,
  at: number,
  factor: number,
  size: number,
  squared: boolean,
): void {
  const other = squared ? size * size : size;
  const product = factor * other;
  if (product <= EXACT_MAX) {
    const low = (words[at]! >>> 0) + product;
    words[at] = low;
    words[at + 1] = words[at + 1]! + Math.floor(low / WORD);
    return;
  }
  // Long multiplication by halves of `factor`: each partial product is below 2^48.
  const lowPart = (factor & 0xffff) * other;
  const highPart = (factor >>> 16) * other;
  const low = (words[at]! >>> 0) + lowPart + (highPart % 0x1_0000) * 0x1_0000;
  words[at] = low;
  words[at + 1] = words[at + 1]! + Math.floor(low / WORD) + Math.floor(highPart / 0x1_0000);
}
