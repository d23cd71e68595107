// The size of the program's bundle. `npm run bench -- start` measures how long it takes to start.

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { DAEMON_FILE, tier } from '../support/tiers.ts';

/** Largest size in bytes. A fifth of it is packages; it has grown by transports, histories and captures since 1,250,000. */
const BYTES_MAX = 1_350_000;

test('the program has at most 1.35 MB', tier('daemon'), () => {
  const { size } = statSync(DAEMON_FILE);
  assert.ok(size <= BYTES_MAX, `${size} bytes`);
});
