import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

test('allocates nothing to look up an interface number, or for a packet-in that becomes a sample with it', () => {
  const probe = fileURLToPath(new URL('./allocation-probe.ts', import.meta.url));
  // Half a gigabyte of young generation: nothing is collected while the probe measures.
  const flags = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256', '--import', 'tsx'];
  const child = spawnSync(process.execPath, [...flags, probe], { encoding: 'utf8' });
  assert.equal(child.status, 0, child.stderr);
  const bytes = JSON.parse(child.stdout) as Record<string, number>;
  assert.ok((bytes['allocating'] ?? 0) > 10, `the probe sees allocation when there is some: ${child.stdout}`);
  for (const path of ['known', 'unknown', 'local', 'packetIn']) {
    assert.ok((bytes[path] ?? Number.NaN) < 2, `${path}: ${child.stdout}`);
  }
});
