import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../support/process.ts';

test('allocates nothing for a sample or a record, with a cache, without and with a full one, in each layout', async () => {
  const probe = fileURLToPath(new URL('./allocation-probe.ts', import.meta.url));
  // Half a gigabyte of young generation: nothing is collected during a measurement.
  const flags = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256', '--import', 'tsx'];
  const output = await runProgram(process.execPath, [...flags, probe], { timeoutMs: 180_000 });
  const result = JSON.parse(output) as Record<string, number>;
  // An object or a boxed number takes 16 bytes at least; batches and messages allocate a little, shared by many.
  assert.equal(Object.keys(result).length, 12);
  for (const path of Object.keys(result).filter((name) => name !== 'octetCount')) {
    assert.ok((result[path] ?? Number.NaN) < 4, `${path}: ${output}`);
  }
  assert.ok((result['octetCount'] ?? 0) > 100_000_000, `records were made: ${output}`);
});
