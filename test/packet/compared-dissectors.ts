// The dissector beside its plain counterpart, in both record formats.

import assert from 'node:assert/strict';
import { keySize, keyWordCount } from '../../src/ipfix/record-layout.ts';
import { dissect } from '../../src/packet/dissect.ts';
import { dissectExtended } from '../../src/packet/dissect-extended.ts';
import { FlowKey } from '../../src/packet/flow-key.ts';
import { naiveDissect, naiveDissectExtended } from './naive-dissector.ts';
import { VECTOR_OBSERVATION_POINT_ID as POINT } from './record-vectors.ts';

/** A key full of other bytes: what a dissection does not write shows. */
export function usedKey(): FlowKey {
  const key = new FlowKey();
  key.bytes.fill(0xee);
  key.faults = 0xee;
  key.protocol = 0xee;
  return key;
}

export function keyHex(key: FlowKey): string {
  return key.bytes.toString('hex', 0, key.size);
}

export function dissected(frame: Buffer, point = POINT): FlowKey {
  const key = usedKey();
  dissect(frame, 0, frame.length, point, key);
  return key;
}

export function assertAgrees(frame: Buffer, point: number): void {
  // The frame lies between other bytes, which must not affect the key.
  const around = Buffer.concat([Buffer.alloc(3, 0x45), frame, Buffer.alloc(64, 0x45)]);
  const key = usedKey();
  dissect(around, 3, 3 + frame.length, point, key);
  const naive = naiveDissect(frame, point);
  assert.equal(keyHex(key), naive.key, frame.toString('hex'));
  assert.equal(key.templateId, naive.templateId, frame.toString('hex'));
  assert.equal(key.size, keySize(key.templateId));
  assert.equal(key.isIp, key.size > 24);
  assert.equal(key.ethernetHeaderLength, key.bytes[18]);
  for (let at = key.size; at % 4 !== 0; at += 1) {
    assert.equal(key.bytes[at], 0, 'the last word is filled up with zeros');
  }
  assertExtendedAgrees(around, 3, frame, point);
}

export function assertExtendedAgrees(around: Buffer, start: number, frame: Buffer, point: number): void {
  const ingress = 0x0100_0000 + (point % 0x10000);
  const key = usedKey();
  dissectExtended(around, start, start + frame.length, point, ingress, key);
  const naive = naiveDissectExtended(frame, point);
  const text = frame.toString('hex');
  assert.equal(keyHex(key), naive.key, text);
  assert.equal(key.templateId, naive.templateId, text);
  assert.equal(key.size, keySize(key.templateId));
  const trailing = naive.icmpTypeCode === undefined ? [ingress] : [ingress, naive.icmpTypeCode];
  const leadingWords = Math.ceil(key.size / 4);
  assert.equal(keyWordCount(key.templateId), leadingWords + trailing.length);
  assert.deepEqual([...key.words.subarray(leadingWords, leadingWords + trailing.length)], trailing, text);
  assert.equal(key.tcpControlBits, naive.tcpFlags, text);
  assert.equal(key.ipTotalLength, naive.ipTotalLength, text);
  for (let at = key.size; at % 4 !== 0; at += 1) {
    assert.equal(key.bytes[at], 0, 'the last word is filled up with zeros');
  }
}
