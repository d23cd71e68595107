// The error that ends a command, as text for a terminal.

import { safeLines } from '../runtime/safe-text.ts';

/** Returns the message of what was thrown, in which names and words of others are safe to show. */
export function errorText(thrown: unknown): string {
  return safeLines(thrown instanceof Error ? thrown.message : String(thrown));
}
