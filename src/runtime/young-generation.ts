// How fast V8's young generation grows. It begins small, and a thousand new rows stay: each collection of garbage copies what has been
// made since the last one, twice, until the young generation has doubled often enough. It is let grow at once instead, up to the
// size that it has in any process with as many objects.

import { setFlagsFromString } from 'node:v8';

/** The factor by which the young generation grows when what it has is still in use; V8's default is 2. */
const GROWTH_FACTOR = 8;

let isSet = false;

/** To be called when many objects are about to be made that stay. */
export function growYoungGeneration(): void {
  if (!isSet) {
    isSet = true;
    setFlagsFromString(`--semi-space-growth-factor=${GROWTH_FACTOR}`);
  }
}
