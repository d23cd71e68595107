// Encodes the templates of our records as Template Sets (RFC 7011, section 3.4.1).

import { MESSAGE_HEADER_SIZE, SET_HEADER_SIZE, TEMPLATE_SET_ID } from './protocol.ts';
import { type RecordLayout, type RecordTemplate, TEMPLATES, type TemplateField } from './record-layout.ts';

/**
 * Encodes all templates of a layout as whole Template Sets, each of which fits into a message of `messageBytesMax` bytes; one
 * set unless messages are small.
 */
export function encodeTemplateSets(layout: RecordLayout, messageBytesMax: number): readonly Buffer[] {
  const setSizeMax = messageBytesMax - MESSAGE_HEADER_SIZE;
  const sets: Buffer[] = [];
  let records: Buffer[] = [];
  let size = SET_HEADER_SIZE;
  for (const template of TEMPLATES[layout]) {
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

/** The bit of an element id that says that an enterprise number follows (RFC 7011, section 3.2). */
const ENTERPRISE_BIT = 0x8000;

/*
 *  0               2               4
 * +---------------+---------------+
 * | template id   | field count   |
 * +---------------+---------------+
 * | element id    | field length  |  one for each field
 * +---------------+---------------+
 * | enterprise number             |  if it is not an element of IANA
 * +-------------------------------+
 */
function encodeTemplateRecord(template: RecordTemplate): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(template.id, 0);
  head.writeUInt16BE(template.fields.length, 2);
  return Buffer.concat([head, ...template.fields.map(encodeField)]);
}

function encodeField({ element, size }: TemplateField): Buffer {
  const field = Buffer.alloc(element.enterprise === 0 ? 4 : 8);
  field.writeUInt16BE(element.enterprise === 0 ? element.id : element.id | ENTERPRISE_BIT, 0);
  field.writeUInt16BE(size, 2);
  if (element.enterprise !== 0) {
    field.writeUInt32BE(element.enterprise, 4);
  }
  return field;
}

function templateSet(records: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(SET_HEADER_SIZE);
  const set = Buffer.concat([header, ...records]);
  set.writeUInt16BE(TEMPLATE_SET_ID, 0);
  set.writeUInt16BE(set.length, 2);
  return set;
}
