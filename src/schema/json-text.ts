// A JSON parser that keeps the position of each part, so that a file can be edited without changing the rest of it. Strict
// (RFC 8259); duplicate member names are refused as ambiguous.

/** A value and its position: `start` is the offset of its first character, `end` the offset after its last. */
export type JsonPart =
  | {
      readonly kind: 'object';
      readonly start: number;
      readonly end: number;
      readonly members: readonly JsonMember[];
    }
  | {
      readonly kind: 'array';
      readonly start: number;
      readonly end: number;
      readonly items: readonly JsonPart[];
    }
  | { readonly kind: 'scalar'; readonly start: number; readonly end: number; readonly value: JsonScalar };

export type JsonScalar = string | number | boolean | null;
export type JsonObjectPart = Extract<JsonPart, { kind: 'object' }>;

/** A member of an object; `start` and `keyEnd` delimit its name, quotation marks included. */
export interface JsonMember {
  readonly name: string;
  readonly start: number;
  readonly keyEnd: number;
  readonly value: JsonPart;
}

/** Text that is not valid JSON; the message says where. */
export class JsonTextError extends Error {
  readonly code = 'JSON_TEXT';
  /** Counted from 1. */
  readonly line: number;
  /** Counted from 1, in UTF-16 units. */
  readonly column: number;

  constructor(text: string, offset: number, fault: string) {
    const before = text.slice(0, offset);
    const line = before.split('\n').length;
    const column = offset - before.lastIndexOf('\n');
    super(`line ${line}, column ${column}: ${fault}`);
    this.name = 'JsonTextError';
    this.line = line;
    this.column = column;
  }
}

/** Deepest nesting that is accepted; a schema has 9 levels. */
export const JSON_DEPTH_MAX = 64;

/** Parses a whole text. Throws {@link JsonTextError}. */
export function parseJsonText(text: string): JsonPart {
  return new Parser(text).parse();
}

/** Returns the member of that name, if the part is an object that has it. */
export function memberOf(part: JsonPart | undefined, name: string): JsonMember | undefined {
  return part?.kind === 'object' ? part.members.find((member) => member.name === name) : undefined;
}

const WHITESPACE = /[ \t\r\n]*/y;
// oxlint-disable-next-line no-control-regex -- JSON forbids control characters in strings.
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const NUMBER_OR_WORD = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y;

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): JsonPart {
    this.#skip(WHITESPACE);
    const part = this.#value(1);
    this.#skip(WHITESPACE);
    if (this.#at < this.#text.length) {
      throw this.#error('unexpected text after the end of the JSON');
    }
    return part;
  }

  #value(depth: number): JsonPart {
    if (depth > JSON_DEPTH_MAX) {
      throw this.#error(`nested deeper than ${JSON_DEPTH_MAX} levels`);
    }
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      default:
        return this.#scalar();
    }
  }

  #object(depth: number): JsonPart {
    const start = this.#at;
    const members: JsonMember[] = [];
    const names = new Set<string>();
    this.#list('}', () => {
      const keyStart = this.#at;
      const key = this.#skip(STRING) ?? '';
      if (key === '') {
        throw this.#error('expected a member name in quotation marks');
      }
      const name = JSON.parse(key) as string;
      if (names.has(name)) {
        throw this.#error(`duplicate member ${key}`);
      }
      names.add(name);
      const keyEnd = this.#at;
      this.#skip(WHITESPACE);
      this.#expect(':');
      this.#skip(WHITESPACE);
      members.push({ name, start: keyStart, keyEnd, value: this.#value(depth + 1) });
    });
    return { kind: 'object', start, end: this.#at, members };
  }

  #array(depth: number): JsonPart {
    const start = this.#at;
    const items: JsonPart[] = [];
    this.#list(']', () => items.push(this.#value(depth + 1)));
    return { kind: 'array', start, end: this.#at, items };
  }

  /** Parses the inside of brackets: nothing, or items separated by commas. */
  #list(close: string, item: () => void): void {
    this.#at += 1;
    this.#skip(WHITESPACE);
    if (this.#text[this.#at] !== close) {
      item();
      this.#skip(WHITESPACE);
      while (this.#text[this.#at] === ',') {
        this.#at += 1;
        this.#skip(WHITESPACE);
        item();
        this.#skip(WHITESPACE);
      }
    }
    this.#expect(close);
  }

  #scalar(): JsonPart {
    const start = this.#at;
    const source = this.#skip(this.#text[start] === '"' ? STRING : NUMBER_OR_WORD) ?? '';
    if (source === '') {
      throw this.#error('expected a value');
    }
    return { kind: 'scalar', start, end: this.#at, value: JSON.parse(source) as JsonScalar };
  }

  #expect(character: string): void {
    if (this.#text[this.#at] !== character) {
      throw this.#error(`expected "${character}"`);
    }
    this.#at += 1;
  }

  /** Advances past the pattern's match at the current position, and returns the match. */
  #skip(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #error(fault: string): JsonTextError {
    const end = this.#at >= this.#text.length ? ', but the text ends' : '';
    return new JsonTextError(this.#text, this.#at, `${fault}${end}`);
  }
}
