// The figures of docs/sampling.md, "Which one to use": they follow from the arithmetic by which the statistics are tested.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PATTERNS } from './support/bursty-traffic.ts';
import { relativeError } from './support/sampling-error.ts';

const page = readFileSync(join(import.meta.dirname, '..', 'docs', 'sampling.md'), 'utf8');
/** Octets of the largest packet of the kernel, and of the test's stream. */
const SEGMENTED_MAX = 65_536;
const STREAM_OCTETS = 200e6;

const percent = (share: number) => `${Number((100 * share).toPrecision(2))}%`;

test('the table of samplers has the standard errors that tests assert', () => {
  const [four, many, most] = [4, 64, 400].map((interval) => percent(relativeError(10_000, interval)));
  assert.ok(page.includes(`${four} of 10,000 packets at 1 in 4, ${many} at 1 in 64, ${most} at 1 in 400`));
  const segmented = percent(relativeError(STREAM_OCTETS / SEGMENTED_MAX, 64));
  assert.ok(page.includes(`${segmented} of 200 MB at 1 in 64`), segmented);
});

test('the table of samplers has the bursts that are tested', () => {
  const { short, rare, long } = PATTERNS;
  assert.ok(
    page.includes(`bursts of ${short.burstMs} ms, ${rare.burstMs / 1000} s and ${long.burstMs / 1000} s`),
  );
});
