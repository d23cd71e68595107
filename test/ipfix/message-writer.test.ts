import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import { MessageWriter } from '../../src/ipfix/message-writer.ts';
import { TEMPLATES, templateWithId } from '../../src/ipfix/record-layout.ts';
import { encodeTemplateSets } from '../../src/ipfix/template-sets.ts';

function finished(writer: MessageWriter): Buffer {
  return Buffer.from(writer.bytes.subarray(0, writer.finish()));
}

function reserve(writer: MessageWriter, templateId: number, fill: number): boolean {
  const size = templateWithId(templateId).recordSize;
  const offset = writer.reserveRecords(templateId, size);
  if (offset >= 0) {
    writer.bytes.fill(fill, offset, offset + size);
  }
  return offset >= 0;
}

test('writes a message without sets as its header', () => {
  const writer = new MessageWriter(1400);
  writer.begin(0x53724e01, 11);
  assert.equal(finished(writer).toString('hex'), '000a001053724e01000000000000000b');
});

test('writes export time and domain unsigned, modulo 2^32', () => {
  const writer = new MessageWriter(1400);
  writer.begin(2 ** 32 + 5, 0xffff_ffff);
  assert.equal(finished(writer).toString('hex'), '000a00100000000500000000ffffffff');
  assert.deepEqual([writer.exportTimeSeconds, writer.observationDomainId], [5, 0xffff_ffff]);
});

test('puts consecutive records of one template into a set, and starts another for another template', () => {
  const writer = new MessageWriter(1400);
  writer.begin(1, 1);
  for (const templateId of [256, 256, 259, 256]) {
    assert.ok(reserve(writer, templateId, 0xee));
  }
  const message = finished(writer);
  assert.equal(writer.recordCount, 4);
  assert.equal(message.readUInt16BE(2), message.length);
  const sets: [number, number][] = [];
  for (let at = 16; at < message.length; at += message.readUInt16BE(at + 2)) {
    sets.push([message.readUInt16BE(at), message.readUInt16BE(at + 2)]);
  }
  assert.deepEqual(sets, [
    [256, 4 + 44 + 44],
    [259, 4 + 86],
    [256, 4 + 44],
  ]);
});

test('counts the records of a whole set, and none of a set that does not fit', () => {
  const writer = new MessageWriter(16 + 4 + 44 + 8);
  writer.begin(1, 1);
  assert.ok(reserve(writer, 256, 1));
  assert.ok(writer.appendSet(Buffer.from('0240000800000001', 'hex'), 1));
  assert.equal(writer.appendSet(Buffer.from('0240000800000001', 'hex'), 1), false);
  assert.equal(writer.recordCount, 2);
  assert.equal(finished(writer).readUInt16BE(16 + 2), 4 + 44, 'the set before it is closed');
});

test('refuses a record that does not fit, and keeps the message as it was', () => {
  const writer = new MessageWriter(16 + 4 + 44 + 4 + 85);
  writer.begin(1, 1);
  assert.ok(reserve(writer, 256, 1));
  assert.equal(reserve(writer, 259, 2), false, 'a byte is missing');
  assert.ok(reserve(writer, 256, 3), 'the set was not closed');
  const message = finished(writer);
  assert.equal(message.length, 16 + 4 + 44 + 44);
  assert.equal(writer.recordCount, 2);
});

test('fills a message to its last byte', () => {
  const writer = new MessageWriter(16 + 4 + 3 * 86);
  writer.begin(1, 1);
  let count = 0;
  while (reserve(writer, 259, 0)) {
    count += 1;
  }
  assert.equal(count, 3);
  assert.equal(finished(writer).length, 16 + 4 + 3 * 86);
});

test('writes all templates and a record of each into one message, which the reader decodes', () => {
  const writer = new MessageWriter(65_535);
  writer.begin(7, 9);
  for (const set of encodeTemplateSets('original', 1400)) {
    assert.ok(writer.appendSet(set));
  }
  for (const template of TEMPLATES.original) {
    assert.ok(reserve(writer, template.id, template.id & 0xff));
  }
  const decoded = new MessageReader().read('s', finished(writer));
  assert.deepEqual(decoded.problems, []);
  assert.deepEqual(
    decoded.records.map((record) => record.template.id),
    TEMPLATES.original.map((template) => template.id),
  );
});

test('refuses a set that does not fit', () => {
  const writer = new MessageWriter(512);
  writer.begin(1, 1);
  const [set] = encodeTemplateSets('original', 1400);
  assert.ok(set);
  assert.equal(writer.appendSet(set), false);
  assert.equal(finished(writer).length, 16);
});

test('is reused for the next message', () => {
  const writer = new MessageWriter(1400);
  writer.begin(1, 1);
  reserve(writer, 267, 0xff);
  writer.finish();
  writer.begin(2, 3);
  assert.ok(reserve(writer, 267, 0));
  const message = finished(writer);
  assert.equal(message.subarray(0, 20).toString('hex'), '000a008b000000020000000000000003010b007b');
  assert.ok(message.subarray(20).every((byte) => byte === 0));
});

test('refuses a limit that exceeds the length field', () => {
  assert.throws(() => new MessageWriter(65_536), RangeError);
});

test('reserves as many records at once as there is room for, and no more', () => {
  const { recordSize } = templateWithId(256);
  const writer = new MessageWriter(200 + recordSize);
  writer.begin(1, 1);
  const room = writer.roomFor(256, recordSize);
  assert.equal(room, Math.floor((200 + recordSize - 16 - 4) / recordSize));
  const offset = writer.reserveRecords(256, recordSize, room);
  assert.equal(offset, 20);
  assert.deepEqual([writer.size, writer.recordCount], [20 + room * recordSize, room]);
  assert.equal(writer.roomFor(256, recordSize), 0);
  assert.equal(writer.roomFor(259, recordSize), 0, 'the header of another set');
  assert.equal(finished(writer).readUInt16BE(18), 4 + room * recordSize);
});
