// The gate of all samples: what waits is processed in order once the daemon is proved to be the active one, and dropped otherwise.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SampleAdmission, SampleGate, WAITING_BYTES_MAX } from '../../src/control/sample-gate.ts';

function open() {
  const state: { admission: SampleAdmission } = { admission: 'active' };
  const gate = new SampleGate(() => state.admission);
  const processed: string[] = [];
  const memory = Buffer.alloc(16);
  const receive = gate.datagrams((bytes) => processed.push(bytes.toString()));
  /** Receives a sample in memory that is used again. */
  const arrive = (text: string) => {
    memory.write(text);
    receive(memory.subarray(0, text.length));
  };
  return { state, gate, processed, arrive, receive };
}

test('samples wait until the proof, and are processed in the order of their arrival', () => {
  const { state, gate, processed, arrive } = open();
  arrive('a');
  state.admission = 'unproved';
  arrive('b');
  arrive('c');
  gate.follow();
  assert.deepEqual([processed, gate.isOpen], [['a'], false]);
  assert.deepEqual(gate.status(), { waiting: 2, delayed: 0, dropped: 0, notActive: 0 });
  state.admission = 'active';
  assert.equal(gate.isOpen, false, 'what waits goes first');
  arrive('d');
  assert.deepEqual([processed, gate.isOpen], [['a', 'b', 'c', 'd'], true]);
  assert.deepEqual(gate.status(), { waiting: 0, delayed: 2, dropped: 0, notActive: 0 });
});

test('samples of several sources keep their order', () => {
  const { state, gate, processed, arrive } = open();
  const other = gate.datagrams((bytes) => processed.push(`other ${bytes.toString()}`));
  state.admission = 'unproved';
  arrive('a');
  other(Buffer.from('b'));
  arrive('c');
  state.admission = 'active';
  gate.follow();
  assert.deepEqual(processed, ['a', 'other b', 'c']);
});

test('samples of the time of another daemon are dropped, and not counted as lost', () => {
  const { state, gate, processed, arrive } = open();
  state.admission = 'unproved';
  arrive('a');
  state.admission = 'other';
  gate.follow();
  arrive('b');
  state.admission = 'active';
  arrive('c');
  assert.deepEqual(processed, ['c']);
  assert.deepEqual(gate.status(), { waiting: 0, delayed: 0, dropped: 0, notActive: 2 });
});

test('at the limit the newest samples are dropped, and lost if this daemon was the active one', () => {
  const { state, gate, processed, receive } = open();
  state.admission = 'unproved';
  const sample = Buffer.alloc(WAITING_BYTES_MAX / 4);
  for (let count = 0; count < 6; count += 1) {
    receive(sample);
  }
  assert.deepEqual(gate.status(), { waiting: 4, delayed: 0, dropped: 0, notActive: 0 });
  state.admission = 'active';
  gate.follow();
  receive(sample);
  assert.equal(processed.length, 5);
  assert.deepEqual(gate.status(), { waiting: 0, delayed: 4, dropped: 2, notActive: 0 });
});

test('samples beyond the limit are not lost if another daemon was the active one', () => {
  const { state, gate, receive } = open();
  state.admission = 'unproved';
  for (let count = 0; count < 6; count += 1) {
    receive(Buffer.alloc(WAITING_BYTES_MAX / 4));
  }
  state.admission = 'other';
  gate.follow();
  assert.deepEqual(gate.status(), { waiting: 0, delayed: 0, dropped: 0, notActive: 6 });
});
