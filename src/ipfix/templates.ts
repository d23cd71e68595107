// The ten templates of our records: which information elements stand where. The flow key comes first, then what a flow
// has gathered; both are made of parts that depend on the layers that the packet has. The cache and the encoder use the
// sizes, the exporter sends the encoded sets, and the tests compare records with the fields.

import { type Element, elementNamed } from './elements.ts';
import { MESSAGE_HEADER_SIZE, SET_HEADER_SIZE, TEMPLATE_SET_ID } from './protocol.ts';

/** One field of a record: an element and the bytes that it has in our records. */
export interface TemplateField {
  readonly element: Element;
  /** Bytes from the start of the record. */
  readonly offset: number;
  readonly size: number;
}

/** One template, with the sizes in bytes that follow from its fields. */
export interface RecordTemplate {
  readonly id: number;
  readonly isVlan: boolean;
  /** True for IPv4 and IPv6: the record ends with the aggregated IP part. */
  readonly isIp: boolean;
  readonly fields: readonly TemplateField[];
  /** The flow key, which is the first part of the record. */
  readonly keySize: number;
  readonly recordSize: number;
}

type Part = readonly (readonly [name: string, size: number])[];

const KEY_COMMON: Part = [
  ['observationPointId', 4],
  ['sourceMacAddress', 6],
  ['destinationMacAddress', 6],
  ['ethernetType', 2],
  ['ethernetHeaderLength', 1],
];
const KEY_VLAN: Part = [
  ['vlanId', 2],
  ['dot1qVlanId', 2],
  ['dot1qPriority', 1],
];
const KEY_IP: Part = [
  ['ipVersion', 1],
  ['ipTTL', 1],
  ['protocolIdentifier', 1],
  ['ipDiffServCodePoint', 1],
  ['ipPrecedence', 1],
  ['ipClassOfService', 1],
];
const KEY_IPV4: Part = [
  ['sourceIPv4Address', 4],
  ['destinationIPv4Address', 4],
];
const KEY_IPV6: Part = [
  ['sourceIPv6Address', 16],
  ['destinationIPv6Address', 16],
  ['flowLabelIPv6', 4],
];
const KEY_PORTS: Part = [
  ['sourceTransportPort', 2],
  ['destinationTransportPort', 2],
];
const AGGREGATED_COMMON: Part = [
  ['flowStartDeltaMicroseconds', 4],
  ['flowEndDeltaMicroseconds', 4],
  ['packetDeltaCount', 8],
  ['layer2OctetDeltaCount', 8],
  ['flowEndReason', 1],
];
const AGGREGATED_IP: Part = [
  ['octetDeltaSumOfSquares', 8],
  ['minimumIpTotalLength', 8],
  ['maximumIpTotalLength', 8],
];

const LAYER3_KEYS: readonly (readonly Part[])[] = [[], [KEY_IP, KEY_IPV4], [KEY_IP, KEY_IPV6]];

/** The number of the first template; smaller ones are reserved (RFC 7011, section 3.4.1). */
const TEMPLATE_ID_FIRST = 256;

/** All templates by ascending number: 256, 258 to 262, 264 to 267. */
export const TEMPLATES: readonly RecordTemplate[] = [0, 1].flatMap((layer2) =>
  [0, 1, 2].flatMap((layer3) =>
    (layer3 === 0 ? [0] : [0, 1]).map((layer4) => templateOf(layer2, layer3, layer4)),
  ),
);

/** The longest record, so that a message that holds one holds any. */
export const RECORD_SIZE_MAX = Math.max(...TEMPLATES.map((template) => template.recordSize));

const byIndex: (RecordTemplate | undefined)[] = Array.from({ length: 12 });
for (const template of TEMPLATES) {
  byIndex[template.id - TEMPLATE_ID_FIRST] = template;
}

/** The template of that number; it must be one of ours. */
export function templateWithId(id: number): RecordTemplate {
  const template = byIndex[id - TEMPLATE_ID_FIRST];
  if (template === undefined) {
    throw new Error(`No template of ours has the number ${id}.`);
  }
  return template;
}

/**
 * All templates as whole Template Sets (RFC 7011, section 3.4.1), each of which fits into a message of
 * `messageBytesMax` bytes; one set unless messages are small.
 */
export function encodeTemplateSets(messageBytesMax: number): readonly Buffer[] {
  const setSizeMax = messageBytesMax - MESSAGE_HEADER_SIZE;
  const sets: Buffer[] = [];
  let records: Buffer[] = [];
  let size = SET_HEADER_SIZE;
  for (const template of TEMPLATES) {
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

function templateOf(layer2: number, layer3: number, layer4: number): RecordTemplate {
  const isVlan = layer2 === 1;
  const isIp = layer3 !== 0;
  const key = [
    KEY_COMMON,
    ...(isVlan ? [KEY_VLAN] : []),
    ...(LAYER3_KEYS[layer3] ?? []),
    ...(layer4 === 1 ? [KEY_PORTS] : []),
  ].flat();
  const aggregated = [AGGREGATED_COMMON, ...(isIp ? [AGGREGATED_IP] : [])].flat();
  let recordSize = 0;
  const fields = [...key, ...aggregated].map(([name, size]) => {
    const offset = recordSize;
    recordSize += size;
    return { element: elementNamed(name), offset, size };
  });
  const keySize = key.reduce((sum, [, size]) => sum + size, 0);
  const id = TEMPLATE_ID_FIRST + (layer2 * 3 + layer3) * 2 + layer4;
  return { id, isVlan, isIp, fields, keySize, recordSize };
}
