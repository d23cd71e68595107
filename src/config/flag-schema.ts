// The schemas that flags of several commands share, and the validation of flags.

import * as z from 'zod/mini';

/** A flag or an environment variable with an invalid value; the message is a sentence. */
export class SettingsError extends Error {
  readonly code = 'SETTINGS';

  constructor(message: string) {
    super(message);
    this.name = 'SettingsError';
  }
}

/** Schema of one of a few words. */
export function choice<const Choice extends string>(choices: readonly Choice[]) {
  const list = `${choices.slice(0, -1).join(', ')} and ${choices.at(-1)}`;
  return z.enum(choices, { error: ({ input }) => `"${String(input)}" is not one of ${list}` });
}

/** Schema of a whole number in decimal digits. */
export function wholeNumber(min: number, max: number) {
  const error = ({ input }: { readonly input?: unknown }) =>
    `"${String(input)}" is not a whole number from ${min} to ${max}`;
  return z.pipe(
    z.pipe(z.string({ error }).check(z.regex(/^\d+$/u, { error })), z.transform(Number)),
    z.number({ error }).check(z.minimum(min, { error }), z.maximum(max, { error })),
  );
}

/** Schema of an optional text that is not empty. */
export const filledText = z.optional(z.string().check(z.minLength(1, { error: 'the value is empty' })));

/** Validates flags; throws `SettingsError` with a sentence that names each flag with an invalid value. */
export function parse<Schema extends z.ZodMiniType>(schema: Schema, flags: unknown): z.output<Schema> {
  const result = schema.safeParse(flags);
  if (result.success) {
    return result.data;
  }
  const faults = result.error.issues.map((issue) => `${flagName(issue.path)}: ${issue.message}`);
  throw new SettingsError(`${faults.join('; ')}.`);
}

function flagName(path: readonly PropertyKey[]): string {
  return `--${path.join('.').replace(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`)}`;
}
