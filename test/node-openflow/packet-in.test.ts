import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fieldValue, findField } from '../../src/node-openflow/match.ts';
import {
  decodeMetadata,
  decodeNxPacketIn,
  decodePacketIn,
  decodePacketIn2,
  PACKET_IN_REASON_CODES,
  PacketInView,
} from '../../src/node-openflow/packet-in.ts';
import { OpenFlowDecodeError } from '../../src/node-openflow/wire.ts';
import { bodyReader, readVectors, tryPrefixes, type Vector } from './vectors/read-vectors.ts';

const packetIn2 = readVectors('switch-messages.json', /^NXT_PACKET_IN2/);
const nxPacketIn = readVectors('switch-messages.json', /^NXT_PACKET_IN /);
const packetIn = readVectors('switch-messages.json', /^OFPT_PACKET_IN/);
const FRAME = '0123456789abaaaaaaaaaaaa08004500001c00000000401100000a0000010a00000204d2162e00080000';

function decode(vector: Vector, view: PacketInView): void {
  decodePacketIn2(vector.bytes, vector.bodyStart, vector.bytes.length, view);
}

function decodeHex(hex: string, view = new PacketInView()): PacketInView {
  const bytes = Buffer.from(hex, 'hex');
  decodePacketIn2(bytes, 0, bytes.length, view);
  return view;
}

function fault(what: string): (error: unknown) => boolean {
  return (error) => error instanceof OpenFlowDecodeError && error.what === what;
}

describe('NXT_PACKET_IN2 of a real switch', () => {
  test('is decoded to the frame, the flow and the userdata of the action', () => {
    const view = new PacketInView();
    const sampled = packetIn2.filter(({ printed }) => printed.includes('via action'));
    assert.ok(sampled.length >= 4 * 3);
    for (const vector of sampled) {
      decode(vector, view);
      assert.equal(view.bytes.toString('hex', view.packetStart, view.packetEnd), FRAME);
      assert.equal(view.fullLength, 42);
      assert.equal(view.tableId, 0);
      assert.equal(view.reason, PACKET_IN_REASON_CODES.action);
      assert.deepEqual([view.cookieHigh, view.cookieLow], [0, 0x77]);
      assert.equal(view.bytes.toString('hex', view.userdataStart, view.userdataEnd), '01020304');
      const port = findField(decodeMetadata(view), 'in_port_oxm');
      assert.ok(port !== undefined && fieldValue(port) === 1n);
    }
  });

  test('is copied to memory of its own, with all that the view has of it', () => {
    const parts = (view: PacketInView) => [
      view.bytes.toString('hex', view.packetStart, view.packetEnd),
      view.bytes.toString('hex', view.userdataStart, view.userdataEnd),
      view.bytes.toString('hex', view.continuationStart, view.continuationEnd),
      decodeMetadata(view),
      [view.fullLength, view.tableId, view.reason, view.cookieHigh, view.cookieLow, view.inPort],
    ];
    for (const vector of packetIn2) {
      const view = new PacketInView();
      const memory = Buffer.from(vector.bytes);
      decodePacketIn2(memory, vector.bodyStart, memory.length, view);
      const before = parts(view);
      const copy = view.copy();
      memory.fill(0xff);
      assert.deepEqual(parts(copy), before);
      assert.equal(copy.userdataStart === 0, view.userdataStart === 0, 'an absent property stays absent');
    }
  });

  test('resets the view for the next message', () => {
    const view = new PacketInView();
    const [sampled, missed] = ['via action', 'via no_match'].map((via) =>
      packetIn2.find(({ printed }) => printed.includes(via)),
    );
    assert.ok(sampled !== undefined && missed !== undefined);
    decode(sampled, view);
    decode(missed, view);
    const fresh = new PacketInView();
    decode(missed, fresh);
    assert.deepEqual(view, fresh);
    assert.deepEqual([view.userdataStart, view.userdataEnd], [0, 0]);
    const register = findField(decodeMetadata(view), 'reg11');
    assert.ok(register !== undefined && fieldValue(register) === 0x8000_0000n);
  });

  test('is refused by name if truncated', () => {
    const view = new PacketInView();
    for (const vector of packetIn2) {
      tryPrefixes(vector, (reader) => {
        decodePacketIn2(reader.bytes, reader.offset, reader.end, view);
      });
    }
  });
});

describe('NXT_PACKET_IN2 as bytes', () => {
  const packet = '00000007aabbcc00';

  test('is refused without a frame', () => {
    assert.equal(decodeHex(packet).fullLength, 3);
    assert.throws(() => decodeHex(''), fault('packet_in2.packet'));
    assert.throws(() => decodeHex('0003000507000000'), fault('packet_in2.packet'));
  });

  test('may have a full length above that of the frame, but not below', () => {
    assert.equal(decodeHex(`${packet}0001000800000100`).fullLength, 256);
    assert.throws(() => decodeHex(`${packet}0001000800000002`), fault('packet_in2.full_len'));
  });

  test('has a cookie of all ones without a flow', () => {
    const view = decodeHex(packet);
    assert.deepEqual([view.cookieHigh, view.cookieLow], [0xffff_ffff, 0xffff_ffff]);
    const known = decodeHex(`${packet}00040010000000001122334455667788`);
    assert.deepEqual([known.cookieHigh, known.cookieLow], [0x1122_3344, 0x5566_7788]);
  });

  test('may have unknown properties', () => {
    assert.equal(decodeHex(`00990006ffff0000${packet}`).fullLength, 3);
  });

  test('may have a continuation', () => {
    const view = decodeHex(`${packet}0008000c0000000011223344`.padEnd(48, '0'));
    assert.deepEqual([view.continuationStart, view.continuationEnd], [12, 20]);
  });

  test('is refused if a property is too short or too long', () => {
    for (const property of ['00010006ffff0000', '0003000400000000', '0004000800000000', '0005000400000000']) {
      assert.throws(() => decodeHex(`${packet}${property}`), OpenFlowDecodeError);
    }
    assert.throws(() => decodeHex('00000009aabbcc00'), fault('packet_in2.property'));
    assert.throws(() => decodeHex('00000003'), fault('packet_in2.property'));
    assert.throws(() => decodeHex(`${packet}0000`), fault('packet_in2.property'));
  });
});

describe('plain packet-ins of a real switch', () => {
  test('are decoded to the frame, the port, and since OpenFlow 1.3 the cookie', () => {
    assert.equal(packetIn.length, 5);
    for (const vector of packetIn) {
      const message = decodePacketIn(vector.version, bodyReader(vector));
      assert.equal(message.packet.toString('hex'), FRAME);
      assert.equal(message.fullLength, 42);
      assert.equal(message.cookie, vector.version === 1 ? undefined : 0x77n);
      assert.equal(fieldValue(message.metadata[0] ?? assert.fail('no metadata')), 1n);
      tryPrefixes(vector, (reader) => decodePacketIn(vector.version, reader));
    }
  });

  test('include registers in NXT_PACKET_IN', () => {
    assert.equal(nxPacketIn.length, 5);
    for (const vector of nxPacketIn) {
      const message = decodeNxPacketIn(vector.version, bodyReader(vector));
      assert.equal(message.packet.toString('hex'), FRAME);
      assert.equal(message.reason === 0, vector.printed.includes('no_match'));
      assert.equal(findField(message.metadata, 'reg11') !== undefined, message.reason === 0);
      tryPrefixes(vector, (reader) => decodeNxPacketIn(vector.version, reader));
    }
  });
});
