// Formats numbers and times.

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

/** Formats a time of day, in the time zone of the browser or in UTC: `12:03:10`, or `12:03` without seconds. */
export function clockText(seconds: number, isUtc: boolean, hasSeconds = true): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    ...(hasSeconds ? { second: '2-digit' } : {}),
    ...(isUtc ? { timeZone: 'UTC' } : {}),
  });
}
