// Spreads the periodic work of many bridges: what begins for all at the same time is then due at different times, and does not hold
// up packets.

/** FNV-1a, 32 bits: offset basis and prime. */
const HASH_BASIS = 0x811c9dc5;
const HASH_PRIME = 0x01000193;

/** Returns a number of milliseconds from 0 to less than `rangeMs`, always the same for a name. */
export function phaseOf(name: string, rangeMs: number): number {
  let hash = HASH_BASIS;
  for (let index = 0; index < name.length; index += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(index), HASH_PRIME);
  }
  return (hash >>> 0) % rangeMs;
}
