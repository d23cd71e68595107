// Extracts data records from IPFIX messages as bytes, for tests that compare with the bytes of another exporter. Independent of
// the product's reader: it uses only the lengths of templates (RFC 7011, section 3).

const MESSAGE_HEADER_SIZE = 16;
const SET_HEADER_SIZE = 4;
const TEMPLATE_SET_ID = 2;

/** The bytes of a data record. */
export interface RawRecord {
  readonly templateId: number;
  readonly observationDomainId: number;
  readonly bytes: Buffer;
}

/** Returns the data records of messages in order; a template applies to all later messages, in every domain. */
export function rawRecords(messages: readonly Buffer[]): RawRecord[] {
  const sizes = new Map<number, number>();
  return messages.flatMap((message) => recordsOfMessage(message, sizes));
}

function recordsOfMessage(message: Buffer, sizes: Map<number, number>): RawRecord[] {
  const observationDomainId = message.readUInt32BE(12);
  const records: RawRecord[] = [];
  for (let at = MESSAGE_HEADER_SIZE; at < message.length; ) {
    const setId = message.readUInt16BE(at);
    const end = at + message.readUInt16BE(at + 2);
    const content = message.subarray(at + SET_HEADER_SIZE, end);
    if (setId === TEMPLATE_SET_ID) {
      learnTemplates(content, sizes);
    } else {
      const size = sizes.get(setId);
      if (size === undefined) {
        throw new Error(`Records of template ${setId} came before the template.`);
      }
      for (let start = 0; start + size <= content.length; start += size) {
        records.push({
          templateId: setId,
          observationDomainId,
          bytes: content.subarray(start, start + size),
        });
      }
    }
    at = end;
  }
  return records;
}

/** Reads templates, whose fields must have a fixed length and no enterprise number. */
function learnTemplates(content: Buffer, sizes: Map<number, number>): void {
  for (let at = 0; at + SET_HEADER_SIZE <= content.length; ) {
    const templateId = content.readUInt16BE(at);
    const fieldCount = content.readUInt16BE(at + 2);
    at += 4;
    let size = 0;
    for (let field = 0; field < fieldCount; field += 1, at += 4) {
      const fieldSize = content.readUInt16BE(at + 2);
      if (content.readUInt16BE(at) >= 0x8000 || fieldSize === 0xffff) {
        throw new Error(`Template ${templateId} has a field that this test cannot extract.`);
      }
      size += fieldSize;
    }
    sizes.set(templateId, size);
  }
}
