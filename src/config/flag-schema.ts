// The readers that flags of several commands share, and the validation of flags. A flag is text, so a reader is a function from
// text to a value or to what is wrong with it. A schema has a reader for each flag.

/** A flag or an environment variable with an invalid value; the message is a sentence. */
export class SettingsError extends Error {
  readonly code = 'SETTINGS';

  constructor(message: string) {
    super(message);
    this.name = 'SettingsError';
  }
}

/** The value of a flag, or what is wrong with it: clauses. */
export type FlagResult<Value> = { readonly value: Value } | { readonly faults: readonly string[] };

/** Reads what the command line has of a flag; undefined if it is not given. */
export type FlagReader<Value> = (input: unknown) => FlagResult<Value>;

/** The values that the readers of a schema return. */
export type FlagValues<Schema> = {
  readonly [Name in keyof Schema]: Schema[Name] extends FlagReader<infer Value> ? Value : never;
};

/** Returns the reader of one of a few words. */
export function choice<const Choice extends string>(choices: readonly Choice[]): FlagReader<Choice> {
  return (input) => {
    const value = choices.find((each) => each === input);
    return value === undefined
      ? fault(`"${String(input)}" is not one of ${choices.slice(0, -1).join(', ')} and ${choices.at(-1)}`)
      : { value };
  };
}

/** Returns the reader of a whole number in decimal digits. */
export function wholeNumber(min: number, max: number): FlagReader<number> {
  return (input) => {
    const value = typeof input === 'string' && /^\d+$/u.test(input) ? Number(input) : Number.NaN;
    return value >= min && value <= max
      ? { value }
      : fault(`"${String(input)}" is not a whole number from ${min} to ${max}`);
  };
}

/** Reads any text. */
export const anyText: FlagReader<string> = (input) =>
  typeof input === 'string' ? { value: input } : fault('the value is missing');

/** Reads an optional text that is not empty. */
export const filledText: FlagReader<string | undefined> = optional((input) =>
  input === '' ? fault('the value is empty') : anyText(input),
);

/** Reads the texts of a flag that is given once or several times. */
export const texts: FlagReader<readonly string[]> = (input) =>
  Array.isArray(input) && input.length > 0 && input.every((each) => typeof each === 'string')
    ? { value: input }
    : fault('the value is missing');

/** Reads whether a flag without a value is given, on the command line or as a variable. */
export const isGiven: FlagReader<boolean> = (input) => ({ value: input !== undefined && input !== false });

/** Returns a reader that has a value for a flag that is not given. */
export function withDefault<Value>(reader: FlagReader<Value>, value: NoInfer<Value>): FlagReader<Value> {
  return (input) => (input === undefined ? { value } : reader(input));
}

/** Returns a reader of a flag that may be omitted. */
export function optional<Value>(reader: FlagReader<Value>): FlagReader<Value | undefined> {
  return withDefault<Value | undefined>(reader, undefined);
}

/** Returns the result of a value with one fault: a clause. */
export function fault(text: string): { readonly faults: readonly string[] } {
  return { faults: [text] };
}

/** Validates flags; throws `SettingsError` with a sentence that names each flag with an invalid value. */
export function parse<Schema extends Readonly<Record<string, FlagReader<unknown>>>>(
  schema: Schema,
  flags: Readonly<Record<string, unknown>>,
): FlagValues<Schema> {
  const values: Record<string, unknown> = {};
  const faults: string[] = [];
  for (const [name, read] of Object.entries(schema)) {
    const result = read(flags[name]);
    if ('value' in result) {
      values[name] = result.value;
    } else {
      faults.push(...result.faults.map((text) => `${flagName(name)}: ${text}`));
    }
  }
  if (faults.length > 0) {
    throw new SettingsError(`${faults.join('; ')}.`);
  }
  return values as FlagValues<Schema>;
}

function flagName(name: string): string {
  return `--${name.replace(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`)}`;
}
