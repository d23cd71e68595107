import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

test('allocates nothing for a packet, whether it joins a flow, starts one or is not kept', () => {
  const probe = fileURLToPath(new URL('./allocation-probe.ts', import.meta.url));
  // Half a gigabyte of young generation: nothing is collected during a measurement.
  const flags = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256', '--import', 'tsx'];
  const child = spawnSync(process.execPath, [...flags, probe], { encoding: 'utf8' });
  assert.equal(child.status, 0, child.stderr);
  const bytes = JSON.parse(child.stdout) as Record<string, number>;
  assert.ok((bytes['allocating'] ?? 0) > 10, `the probe sees allocation when there is some: ${child.stdout}`);
  // An object or a boxed number takes 16 bytes. Code that is not compiled yet allocates some of them.
  for (const path of [
    'hits',
    'churn',
    'hitsInBatches',
    'churnInBatches',
    'wasmHits',
    'wasmChurn',
    'hookSampler',
    'setSampler',
  ]) {
    assert.ok((bytes[path] ?? Number.NaN) < 2, `${path}: ${child.stdout}`);
  }
  assert.ok((bytes['compensationFactor'] ?? 0) > 1.5, child.stdout);
  assert.ok((bytes['octetCompensationFactor'] ?? 0) > 1.5, child.stdout);
  assert.notEqual(bytes['octetCompensationFactor'], bytes['compensationFactor']);
  assert.ok(
    (bytes['wasmExpired'] ?? 0) > 1_000_000 && (bytes['wasmAggregated'] ?? 0) > 1_000_000,
    child.stdout,
  );
  assert.ok((bytes['expired'] ?? 0) > 1_000_000 && (bytes['aggregated'] ?? 0) > 1_000_000, child.stdout);
});
