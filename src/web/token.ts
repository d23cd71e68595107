// Reads the token of --web-token-file.

import { readFileSync, statSync } from 'node:fs';
import { reasonOf } from '../runtime/sentence.ts';

/** Shortest token, in characters. */
const TOKEN_CHARACTERS_MIN = 16;

/** Returns the first line of the file; throws a sentence when it cannot be read or is too short. */
export function readToken(file: string): string {
  let text: string;
  try {
    // Reading a pipe would wait for its writer, and no signal would end that.
    if (statSync(file).isFIFO()) {
      throw new Error('it is a pipe');
    }
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`--web-token-file: ${file} cannot be read: ${reasonOf(error)}.`, { cause: error });
  }
  const token = text.split('\n', 1)[0]?.trim() ?? '';
  if (token.length < TOKEN_CHARACTERS_MIN) {
    throw new Error(
      `--web-token-file: the first line of ${file} has ${token.length} characters; at least ${TOKEN_CHARACTERS_MIN} are needed. ` +
        'Make one with "openssl rand -hex 32".',
    );
  }
  return token;
}
