// Messages within messages. A message of an error that we make is a sentence with its full stop, one of the system's is
// not; embedded in a sentence of ours, either must read alike.

/** A sentence as a part of another one: without its final stop, so that "...: ${clause(text)}." has exactly one. */
export function clause(text: string): string {
  // "..." is no full stop but says that something was left out.
  return text.replace(/(?<!\.)\.\s*$/u, '');
}

/** Why something failed, as a part of a sentence: the message of whatever was thrown, without its final stop. */
export function reasonOf(thrown: unknown): string {
  return clause(thrown instanceof Error ? thrown.message : String(thrown));
}
