// The program's one file: how large it may be. `npm run bench -- start` measures how long it takes to start.

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { DAEMON_FILE, tier } from '../support/tiers.ts';

/** Raised only with a reason in the commit: packages are half of it. */
const BYTES_MAX = 1_000_000;

test('the program has at most 1.0 MB', tier('daemon'), () => {
  const { size } = statSync(DAEMON_FILE);
  assert.ok(size <= BYTES_MAX, `${size} bytes`);
});
