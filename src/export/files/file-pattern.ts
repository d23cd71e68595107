// The name of the files of a target, such as `%Y%m%d%H%M.ipfix`: plain characters and conversions of strftime(3), in UTC. It is a name
// in one folder and never a path: who may write rows may not choose where a process of root writes.

/** Longest pattern, in characters: its names then fit a file system's limit of 255 bytes. */
export const FILE_PATTERN_MAX = 100;
/** Files whose name is the same but for a number. */
export const FILE_NUMBER_MAX = 99_999;

const SUFFIX = '.ipfix';

interface Conversion {
  readonly digits: number;
  readonly value: (date: Date) => number;
}

const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  Y: { digits: 4, value: (date) => date.getUTCFullYear() },
  m: { digits: 2, value: (date) => date.getUTCMonth() + 1 },
  d: { digits: 2, value: (date) => date.getUTCDate() },
  H: { digits: 2, value: (date) => date.getUTCHours() },
  M: { digits: 2, value: (date) => date.getUTCMinutes() },
  S: { digits: 2, value: (date) => date.getUTCSeconds() },
};
const CONVERSION = /%(?<letter>.)/gsu;

/** Returns why a pattern is refused, as the rest of a sentence; undefined for a valid one. */
export function patternFault(pattern: string): string | undefined {
  if (pattern.length > FILE_PATTERN_MAX) {
    return `which is longer than ${FILE_PATTERN_MAX} characters`;
  }
  for (const { groups } of pattern.matchAll(CONVERSION)) {
    const letter = groups?.['letter'] ?? '';
    if (!Object.hasOwn(CONVERSIONS, letter)) {
      return `which has the conversion ${JSON.stringify(`%${letter}`)}; use %Y, %m, %d, %H, %M and %S`;
    }
  }
  const plain = pattern.replaceAll(CONVERSION, '0');
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/u.test(plain) || plain.includes('..')) {
    return 'which is not a plain name: use letters, digits, "_", "-" and single dots, no "/", and no dot in front';
  }
  if (!pattern.endsWith(SUFFIX) || pattern.length === SUFFIX.length) {
    return `which does not end with ${SUFFIX}`;
  }
  return undefined;
}

/** Returns the name of the pattern at a time, in milliseconds since 1970. It is another one when the next file is due. */
export function fileName(pattern: string, wallMs: number): string {
  const date = new Date(wallMs);
  return pattern.replaceAll(CONVERSION, (_, letter: string) => {
    const { digits, value } = CONVERSIONS[letter]!;
    return String(value(date)).padStart(digits, '0');
  });
}

/** Returns the name of another file of the same time: `NAME-2.ipfix` for 2, and the name itself for 1. */
export function numberedName(name: string, number: number): string {
  return number === 1 ? name : `${name.slice(0, -SUFFIX.length)}-${number}${SUFFIX}`;
}

/** Returns an expression that the names of a pattern match, numbered ones included. */
export function namesOf(pattern: string): RegExp {
  const stem = pattern
    .slice(0, -SUFFIX.length)
    .replaceAll('.', '\\.')
    .replaceAll(CONVERSION, (_, letter: string) => `\\d{${CONVERSIONS[letter]!.digits}}`);
  return new RegExp(`^${stem}(?:-\\d{1,5})?\\${SUFFIX}$`, 'u');
}

/** Returns the name that a file has while the process with the token writes it. */
export function partName(name: string, token: string): string {
  return `.${name}.${token}.part`;
}

/**
 * Returns the name that a file with a temporary name gets, and the token of its process, which earlier versions did not write;
 * undefined for other names.
 */
export function nameOfPart(
  part: string,
): { readonly name: string; readonly token: string | undefined } | undefined {
  const groups = /^\.(?<name>[A-Za-z0-9_][A-Za-z0-9_.-]*\.ipfix)(?:\.(?<token>[0-9a-f]{16}))?\.part$/u.exec(
    part,
  )?.groups;
  return groups && { name: groups['name'] ?? '', token: groups['token'] };
}
