// Counts with their noun.

/** Formats a number of things: `1 bridge`, `2,000 bridges`. */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${whole(value)} ${Math.round(value) === 1 ? noun : plural}`;
}

/** Formats a whole number with separators of thousands, without Intl, which is slow to load. */
export function whole(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(?:\d{3})+$)/gu, ',');
}
