// Makes names and texts of others safe to show in a terminal, a log, a page or a metric: what a terminal or a reader would
// interpret instead of showing it is escaped. Bidirectional controls are part of it, because they change the order of what
// follows. The page uses it too, so it imports no module of Node.

/** Characters that are never shown as they are. */
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
/** The same, and a backslash that would read as the start of an escape. */
const AMBIGUOUS = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]|\\(?=x[\da-f]{2}|u[\da-f]{4})/gu;
const ESCAPE = /\\x(?<byte>[\da-f]{2})|\\u(?<unit>[\da-f]{4})/gu;
/** Longest name of an interface or of what is attached to it, in characters: a row may have any length. */
export const NAME_CHARACTERS_MAX = 256;

/** Escapes unsafe characters of a text as `\x1b` or `\u202e`, line breaks too. */
export function safeText(text: string): string {
  return escapeUnsafe(text, escapeOf);
}

/** Escapes a name likewise, and so that two names never become the same. */
export function safeName(name: string): string {
  return name.replace(AMBIGUOUS, escapeOf);
}

/** Returns the name that `safeName` was given. */
export function originalName(safe: string): string {
  return safe.replace(ESCAPE, (escaped) => String.fromCodePoint(Number.parseInt(escaped.slice(2), 16)));
}

/** Returns a name for showing: safe, and cut off at the limit. */
export function shownName(name: string): string {
  return safeName(name.length > NAME_CHARACTERS_MAX ? `${name.slice(0, NAME_CHARACTERS_MAX)}...` : name);
}

/** Escapes unsafe characters of a text but line breaks and tabs. */
export function safeLines(text: string): string {
  return escapeUnsafe(text, (character) =>
    character === '\n' || character === '\t' ? character : escapeOf(character),
  );
}

/** Escapes unsafe characters in a way of the caller. */
export function escapeUnsafe(text: string, escape: (character: string) => string): string {
  return text.replace(UNSAFE, escape);
}

function escapeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code <= 0xff
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}
