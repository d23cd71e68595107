// The size of the program's bundle. `npm run bench -- start` measures how long it takes to start.

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { DAEMON_FILE, tier } from '../support/tiers.ts';

/** Largest size in bytes, half of which is packages; 100,000 of it are the second source of samples, the datapath. */
const BYTES_MAX = 1_250_000;

test('the program has at most 1.25 MB', tier('daemon'), () => {
  const { size } = statSync(DAEMON_FILE);
  assert.ok(size <= BYTES_MAX, `${size} bytes`);
});
