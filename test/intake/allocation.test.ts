import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

test('allocates nothing to look up an interface number, or for a packet-in or a record of the datapath that becomes a sample', () => {
  const probe = fileURLToPath(new URL('./allocation-probe.ts', import.meta.url));
  // Half a gigabyte of young generation: nothing is collected while the probe measures.
  const flags = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256', '--import', 'tsx'];
  const child = spawnSync(process.execPath, [...flags, probe], { encoding: 'utf8' });
  assert.equal(child.status, 0, child.stderr);
  const bytes = JSON.parse(child.stdout) as Record<string, number>;
  assert.ok((bytes['allocating'] ?? 0) > 10, `the probe sees allocation when there is some: ${child.stdout}`);
  // The probe feeds records that follow each other.
  assert.deepEqual(
    [bytes['datapathLost'], bytes['datapathRestarts'], bytes['setLost']],
    [0, 0, 0],
    child.stdout,
  );
  assert.ok((bytes['datapathReceived'] ?? 0) > 1_000_000, child.stdout);
  for (const path of ['known', 'unknown', 'local', 'packetIn', 'datapath', 'set']) {
    assert.ok((bytes[path] ?? Number.NaN) < 2, `${path}: ${child.stdout}`);
  }
});
