// Decoded parts that recur are shared by all that have the same bytes in the same context, and the number of them is limited.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DECODED_PARTS_MAX, DecodedParts } from '../../src/node-openflow/decoded-parts.ts';
import { flowMod } from '../../src/node-openflow/flow-mod.ts';
import { decodeMessage, encodeMessage } from '../../src/node-openflow/message-codec.ts';

function open() {
  const parts = new DecodedParts<string, string>();
  let decoded = 0;
  const get = (context: string, bytes: Buffer) =>
    parts.get(context, bytes, 0, bytes.length, () => {
      decoded += 1;
      return `${context} ${bytes.toString('hex')}`;
    });
  return { get, count: () => decoded };
}

test('what occurs a second time in a context is kept', () => {
  const { get, count } = open();
  const memory = Buffer.from([0xff, 0x80]);
  assert.equal(get('a', memory), 'a ff80');
  assert.equal(get('b', memory), 'b ff80');
  assert.equal(get('a', Buffer.from(memory)), 'a ff80');
  assert.equal(count(), 3);
  assert.equal(get('a', memory), 'a ff80');
  assert.equal(count(), 3);
  assert.equal(get('b', memory), 'b ff80');
  assert.equal(count(), 4);
  memory[1] = 0x81;
  assert.equal(get('a', memory), 'a ff81');
  assert.equal(count(), 5);
});

test('all are forgotten at the limit, and large ones are not kept', () => {
  const { get, count } = open();
  const numbered = (number: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(number);
    return bytes;
  };
  get('a', numbered(0));
  for (let number = 0; number < DECODED_PARTS_MAX; number += 1) {
    get('a', numbered(number));
  }
  get('a', numbered(0));
  assert.equal(count(), DECODED_PARTS_MAX + 1);
  get('a', numbered(DECODED_PARTS_MAX));
  get('a', numbered(0));
  assert.equal(count(), DECODED_PARTS_MAX + 3);
  const large = Buffer.alloc(1000);
  assert.deepEqual([get('a', large), get('a', large)], [get('a', large), get('a', large)]);
  assert.equal(count(), DECODED_PARTS_MAX + 7);
});

test('flows with the same actions share them, and those of another version have their own', () => {
  const instructions = [
    { type: 'apply_actions', actions: [{ type: 'output', port: 7, maxLength: 0 }] },
  ] as const;
  const decode = (version: 4 | 5, priority: number) => {
    const message = { type: 'flow_mod', ...flowMod({ command: 'add', priority, instructions }) } as const;
    const decoded = decodeMessage(version, encodeMessage(version, message, 1)).message;
    return decoded.type === 'flow_mod' ? decoded.instructions : undefined;
  };
  assert.deepEqual(decode(5, 1), instructions);
  const kept = decode(5, 1);
  assert.equal(decode(5, 2), kept);
  assert.notEqual(decode(4, 1), kept);
});
