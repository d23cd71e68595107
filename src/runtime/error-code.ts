// The code of an error: of the system (`ECONNREFUSED`), of Node.js, or of the daemon's own classes.

/** Returns the code of what was thrown; undefined if it has none. */
export function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string'
    ? thrown.code
    : undefined;
}

/** Returns the code of the innermost cause: that of the system behind an error of ours; undefined if it has none. */
export function rootCodeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && thrown.cause !== undefined ? rootCodeOf(thrown.cause) : codeOf(thrown);
}

/** Whether the system has denied access. */
export function isForbidden(thrown: unknown): boolean {
  return ['EACCES', 'EPERM'].includes(rootCodeOf(thrown) ?? '');
}
