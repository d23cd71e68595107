import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseVlogSpec } from '../../src/runtime/vlog-spec.ts';

test('parses module, destination and level in any order, with any separator', () => {
  const all = { module: undefined, destination: undefined };
  assert.deepEqual(parseVlogSpec('dbg'), { ...all, level: 'debug' });
  assert.deepEqual(parseVlogSpec('ANY:console:WARN'), { ...all, destination: 'console', level: 'warn' });
  assert.deepEqual(parseVlogSpec('bridge'), { ...all, module: 'bridge', level: 'debug' });
  assert.deepEqual(parseVlogSpec('off file,bridge'), { module: 'bridge', destination: 'file', level: 'off' });
  assert.deepEqual(parseVlogSpec('emer'), { ...all, level: 'error' });
});

test('refuses two modules, two levels or two destinations', () => {
  assert.equal(parseVlogSpec('a:b'), '"a:b" names two modules.');
  assert.equal(parseVlogSpec('dbg:info'), '"dbg:info" names two levels.');
  assert.equal(parseVlogSpec('file:console'), '"file:console" names two destinations.');
});
