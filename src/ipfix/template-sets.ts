// Encodes the templates of our records as Template Sets (RFC 7011, section 3.4.1).

import { MESSAGE_HEADER_SIZE, SET_HEADER_SIZE, TEMPLATE_SET_ID } from './protocol.ts';
import { type RecordFormat, type RecordTemplate, TEMPLATES } from './record-layout.ts';

/**
 * Encodes all templates of a format as whole Template Sets, each of which fits into a message of `messageBytesMax` bytes; one
 * set unless messages are small.
 */
export function encodeTemplateSets(format: RecordFormat, messageBytesMax: number): readonly Buffer[] {
  const setSizeMax = messageBytesMax - MESSAGE_HEADER_SIZE;
  const sets: Buffer[] = [];
  let records: Buffer[] = [];
  let size = SET_HEADER_SIZE;
  for (const template of TEMPLATES[format]) {
    const record = encodeTemplateRecord(template);
    if (size + record.length > setSizeMax && records.length > 0) {
      sets.push(templateSet(records));
      records = [];
      size = SET_HEADER_SIZE;
    }
    records.push(record);
    size += record.length;
  }
  sets.push(templateSet(records));
  return sets;
}

/*
 *  0               2               4
 * +---------------+---------------+
 * | template id   | field count   |
 * +---------------+---------------+
 * | element id    | field length  |  one for each field
 * +---------------+---------------+
 */
function encodeTemplateRecord(template: RecordTemplate): Buffer {
  const record = Buffer.alloc(4 + 4 * template.fields.length);
  record.writeUInt16BE(template.id, 0);
  record.writeUInt16BE(template.fields.length, 2);
  for (const [index, field] of template.fields.entries()) {
    record.writeUInt16BE(field.element.id, 4 + 4 * index);
    record.writeUInt16BE(field.size, 6 + 4 * index);
  }
  return record;
}

function templateSet(records: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(SET_HEADER_SIZE);
  const set = Buffer.concat([header, ...records]);
  set.writeUInt16BE(TEMPLATE_SET_ID, 0);
  set.writeUInt16BE(set.length, 2);
  return set;
}
