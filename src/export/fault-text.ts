// What the system's errors about a collector mean, for log and status; docs/conditions.md says what to do.

import { codeOf } from '../runtime/error-code.ts';
import { reasonOf } from '../runtime/sentence.ts';

const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'no process listens at the port',
  EHOSTUNREACH: 'the host does not answer',
  ENETUNREACH: 'there is no route to the host',
  ENOTFOUND: 'the host name has no address',
  EAI_AGAIN: 'the name servers do not answer',
  ENOSPC: 'the disk is full',
  EMSGSIZE: 'the message is too long for the network path',
};

/** Returns a clause such as `the host does not answer (EHOSTUNREACH)`; the system's own words for other errors. */
export function faultText(error: unknown): string {
  const code = codeOf(error);
  const meaning = MEANINGS[code ?? ''];
  return meaning === undefined ? reasonOf(error) : `${meaning} (${code})`;
}
