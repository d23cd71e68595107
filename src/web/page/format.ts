// Numbers for people.

const SUFFIXES = ['', 'k', 'M', 'G', 'T', 'P'];

/** At most four digits and a suffix. */
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

/** With thousands apart. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}
