// The layout of our records: the information elements of each template, in order and with their sizes, and which of them form
// the flow key. One table for each record format. The dissector, the flow cache, the encoder, the template sets and the
// filter of `flows` take template ids, sizes and offsets from here.

import { type Element, elementNamed } from './elements.ts';

/** Whether the frame has an 802.1Q tag. */
export const Layer2 = { untagged: 0, vlan: 1 } as const;
export type Layer2 = (typeof Layer2)[keyof typeof Layer2];

/** The network protocol of the frame. */
export const Layer3 = { other: 0, ipv4: 1, ipv6: 2 } as const;
export type Layer3 = (typeof Layer3)[keyof typeof Layer3];

/** Whether the flow key has ports. */
export const Layer4 = { other: 0, tcpUdp: 1 } as const;
export type Layer4 = (typeof Layer4)[keyof typeof Layer4];

interface Layers {
  readonly layer2: Layer2;
  readonly layer3: Layer3;
  readonly layer4: Layer4;
}

/** Fields that stand side by side in the templates of some layers. */
interface RecordPart {
  /** Whether the fields belong to the flow key; the others are aggregated over the samples of a flow. */
  readonly isKey: boolean;
  /** Whether the template of these layers has the part. Default: it has. */
  readonly when?: (layers: Layers) => boolean;
  /** Elements by name, and their bytes. */
  readonly fields: readonly (readonly [name: string, size: number])[];
}

/** The parts of a format in the order of the record, by name. */
type RecordFormat = Readonly<Record<string, RecordPart>>;

const isIp = ({ layer3 }: Layers): boolean => layer3 !== Layer3.other;

/** The record of the exporter of 2013: its flow key is the first part of the record. */
const ORIGINAL = {
  common: {
    isKey: true,
    fields: [
      ['observationPointId', 4],
      ['sourceMacAddress', 6],
      ['destinationMacAddress', 6],
      ['ethernetType', 2],
      ['ethernetHeaderLength', 1],
    ],
  },
  vlan: {
    isKey: true,
    when: ({ layer2 }) => layer2 === Layer2.vlan,
    fields: [
      ['vlanId', 2],
      ['dot1qVlanId', 2],
      ['dot1qPriority', 1],
    ],
  },
  ip: {
    isKey: true,
    when: isIp,
    fields: [
      ['ipVersion', 1],
      ['ipTTL', 1],
      ['protocolIdentifier', 1],
      ['ipDiffServCodePoint', 1],
      ['ipPrecedence', 1],
      ['ipClassOfService', 1],
    ],
  },
  ipv4: {
    isKey: true,
    when: ({ layer3 }) => layer3 === Layer3.ipv4,
    fields: [
      ['sourceIPv4Address', 4],
      ['destinationIPv4Address', 4],
    ],
  },
  ipv6: {
    isKey: true,
    when: ({ layer3 }) => layer3 === Layer3.ipv6,
    fields: [
      ['sourceIPv6Address', 16],
      ['destinationIPv6Address', 16],
      ['flowLabelIPv6', 4],
    ],
  },
  ports: {
    isKey: true,
    when: ({ layer4 }) => layer4 === Layer4.tcpUdp,
    fields: [
      ['sourceTransportPort', 2],
      ['destinationTransportPort', 2],
    ],
  },
  counts: {
    isKey: false,
    fields: [
      ['flowStartDeltaMicroseconds', 4],
      ['flowEndDeltaMicroseconds', 4],
      ['packetDeltaCount', 8],
      ['layer2OctetDeltaCount', 8],
      ['flowEndReason', 1],
    ],
  },
  ipLengths: {
    isKey: false,
    when: isIp,
    fields: [
      ['octetDeltaSumOfSquares', 8],
      ['minimumIpTotalLength', 8],
      ['maximumIpTotalLength', 8],
    ],
  },
} as const satisfies RecordFormat;

/** The first template id; smaller ones are reserved (RFC 7011, section 3.4.1). */
const TEMPLATE_ID_FIRST = 256;
const TEMPLATE_ID_COUNT = 12;

/** One field of a record. */
export interface TemplateField {
  readonly element: Element;
  /** Bytes from the start of the record. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** One template, with the sizes in bytes that follow from its fields. */
export interface RecordTemplate {
  readonly id: number;
  readonly isVlan: boolean;
  /** Whether the records have the parts about IP. */
  readonly isIp: boolean;
  readonly fields: readonly TemplateField[];
  /** The flow key, which is the first part of the record. */
  readonly keySize: number;
  readonly recordSize: number;
}

/** All templates by ascending id: 256, 258 to 262, 264 to 267. */
export const TEMPLATES: readonly RecordTemplate[] = [Layer2.untagged, Layer2.vlan].flatMap((layer2) =>
  [Layer3.other, Layer3.ipv4, Layer3.ipv6].flatMap((layer3) =>
    (layer3 === Layer3.other ? [Layer4.other] : [Layer4.other, Layer4.tcpUdp]).map((layer4) =>
      templateOf({ layer2, layer3, layer4 }, Object.values(ORIGINAL)),
    ),
  ),
);

/** The longest flow key and the longest record, in bytes. */
export const KEY_SIZE_MAX = Math.max(...TEMPLATES.map((template) => template.keySize));
export const RECORD_SIZE_MAX = Math.max(...TEMPLATES.map((template) => template.recordSize));

// What the packet path looks up, by template id less TEMPLATE_ID_FIRST.
const byIndex: (RecordTemplate | undefined)[] = Array.from({ length: TEMPLATE_ID_COUNT });
const keySizes = new Uint8Array(TEMPLATE_ID_COUNT);
for (const template of TEMPLATES) {
  byIndex[template.id - TEMPLATE_ID_FIRST] = template;
  keySizes[template.id - TEMPLATE_ID_FIRST] = template.keySize;
}

/** Returns the id of the template of these layers. There is no template with ports and without IP. */
export function templateId(layer2: Layer2, layer3: Layer3, layer4: Layer4): number {
  return TEMPLATE_ID_FIRST + (layer2 * 3 + layer3) * 2 + layer4;
}

/** Returns the bytes of the flow key of a template. */
export function keySize(id: number): number {
  return keySizes[id - TEMPLATE_ID_FIRST]!;
}

/** Returns the template with that id, which must be one of ours. */
export function templateWithId(id: number): RecordTemplate {
  const template = byIndex[id - TEMPLATE_ID_FIRST];
  if (template === undefined) {
    throw new Error(`template id ${id} is not one of our templates`);
  }
  return template;
}

/** Returns where an aggregated element begins behind the flow key, in bytes; it is the same in all templates. */
export function offsetBehindKey(name: string): number {
  for (const template of TEMPLATES) {
    const field = template.fields.find(({ element }) => element.name === name);
    if (field !== undefined && field.offset >= template.keySize) {
      return field.offset - template.keySize;
    }
  }
  throw new Error(`element ${name} is not aggregated`);
}

function templateOf(layers: Layers, format: readonly RecordPart[]): RecordTemplate {
  const parts = format.filter(({ when }) => when === undefined || when(layers));
  let recordSize = 0;
  const fields = parts.flatMap((part) =>
    part.fields.map(([name, size]) => {
      const offset = recordSize;
      recordSize += size;
      return { element: elementNamed(name), offset, size };
    }),
  );
  return {
    id: templateId(layers.layer2, layers.layer3, layers.layer4),
    isVlan: layers.layer2 === Layer2.vlan,
    isIp: isIp(layers),
    fields,
    keySize: parts.filter((part) => part.isKey).reduce((size, part) => size + sizeOf(part), 0),
    recordSize,
  };
}

function sizeOf({ fields }: RecordPart): number {
  return fields.reduce((sum, [, size]) => sum + size, 0);
}
