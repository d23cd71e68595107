// Embeds the message of an error in a sentence. The daemon's own errors end with a full stop, those of the system do not.

/** Returns a sentence without its full stop, for use within another one. */
export function clause(text: string): string {
  // "..." is not a full stop: it says that something was left out.
  return text.trimEnd().replace(/(?<!\.)\.$/u, '');
}

/** Returns the message of what was thrown without its full stop, for use within a sentence. */
export function reasonOf(thrown: unknown): string {
  return clause(thrown instanceof Error ? thrown.message : String(thrown));
}
