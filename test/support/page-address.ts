// Where the live page of a test's daemon is.

import type { Daemon } from './daemon.ts';
import { waitFor } from './wait.ts';

/** Returns the page's address, from the daemon's log. */
export async function pageAddress(daemon: Daemon): Promise<string> {
  return waitFor(async () => /the page is at (?<url>http:\S+)/u.exec(daemon.log)?.groups?.['url'], {
    what: 'the daemon says where its page is',
  });
}
