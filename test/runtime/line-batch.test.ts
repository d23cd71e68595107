// Lines of one turn of the event loop: the first at once, the others together.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { LineBatch } from '../../src/runtime/line-batch.ts';
import { nextTurn } from '../../src/runtime/turns.ts';

test('writes the first line of a turn at once, and the others together at its end', async () => {
  const writes: string[] = [];
  const batch = new LineBatch((lines) => writes.push(lines));
  batch.add('first');
  batch.add('second');
  batch.add('third');
  assert.deepEqual(writes, ['first\n']);
  await nextTurn();
  assert.deepEqual(writes, ['first\n', 'second\nthird\n']);
  batch.add('fourth');
  assert.equal(writes.at(-1), 'fourth\n', 'the turn is over');
  await nextTurn();
  assert.equal(writes.length, 3);
});

test('writes what is collected when asked to, and when it is long', () => {
  const writes: string[] = [];
  const batch = new LineBatch((lines) => writes.push(lines));
  batch.add('first');
  batch.add('second');
  batch.flush();
  assert.deepEqual(writes, ['first\n', 'second\n']);
  const line = 'x'.repeat(999);
  for (let count = 0; count < 20; count += 1) {
    batch.add(line);
  }
  assert.equal(writes.length, 3);
  assert.ok((writes.at(-1)?.length ?? 0) > 16_000);
});

test('writes what is collected when the process exits in the turn', () => {
  const file = join(import.meta.dirname, '../../src/runtime/line-batch.ts');
  const program = `
    import { writeSync } from 'node:fs';
    import { LineBatch } from ${JSON.stringify(file)};
    const batch = new LineBatch((lines) => writeSync(1, lines));
    batch.add('first');
    batch.add('last');
    process.exit(0);`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  );
  assert.equal(stdout, 'first\nlast\n', stderr);
});
