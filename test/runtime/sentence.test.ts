import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clause, reasonOf } from '../../src/runtime/sentence.ts';

test('removes only the full stop of a sentence', () => {
  assert.equal(
    clause('Cannot connect to unix:/a.sock: connect ENOENT.'),
    'Cannot connect to unix:/a.sock: connect ENOENT',
  );
  assert.equal(clause('connect ENOENT /a.sock'), 'connect ENOENT /a.sock');
  assert.equal(clause('One. Two.\n'), 'One. Two');
  assert.equal(clause('unknown command\n'), 'unknown command');
  assert.equal(clause('and so on ...'), 'and so on ...');
  assert.equal(clause(''), '');
});

test('returns the message of an error, or the text of anything else that was thrown', () => {
  assert.equal(reasonOf(new Error('It is gone.')), 'It is gone');
  assert.equal(reasonOf('gone'), 'gone');
});
