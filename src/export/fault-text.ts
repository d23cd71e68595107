// What the system's errors about a collector mean, for those who read logs and status; docs/conditions.md says what to do.

import { reasonOf } from '../runtime/sentence.ts';
import { codeOf } from './session-traffic.ts';

const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'its host answers that nobody listens at the port',
  EHOSTUNREACH: 'its host does not answer',
  ENETUNREACH: 'there is no route to it',
  ENOTFOUND: 'its name has no address',
  EAI_AGAIN: 'the name servers do not answer',
  EMSGSIZE: 'a message is too long for the network path',
};

/** Part of a sentence, such as `its host does not answer (EHOSTUNREACH)`; the system's own words for other errors. */
export function faultText(error: unknown): string {
  const code = codeOf(error);
  const meaning = MEANINGS[code];
  return meaning === undefined ? reasonOf(error) : `${meaning} (${code})`;
}
