// Formats numbers.

const SUFFIXES = ['', 'k', 'M', 'G', 'T', 'P'];

/** Formats a number in at most four digits and a suffix. */
export function short(value: number): string {
  let rest = value;
  let power = 0;
  while (Math.abs(rest) >= 1000 && power < SUFFIXES.length - 1) {
    rest /= 1000;
    power += 1;
  }
  const digits =
    Number.isInteger(rest) || Math.abs(rest) >= 100 ? Math.round(rest).toString() : rest.toPrecision(3);
  return `${digits}${SUFFIXES[power]}`;
}

/** Formats a number of things: `1 bridge`, `2 bridges`. */
export function counted(value: number, noun: string): string {
  return `${whole(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** Formats a whole number with thousands separators. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}
