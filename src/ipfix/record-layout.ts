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

/** What the flow key has of the transport header: nothing, ports, or type and code of ICMP (format `extended` only). */
export const Layer4 = { other: 0, ports: 1, icmp: 2 } as const;
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
type RecordParts = Readonly<Record<string, RecordPart>>;

/** The formats of records: that of the exporter of 2013, and that record with what today's collectors need behind it. */
export const RECORD_FORMATS = ['original', 'extended'] as const;
export type RecordFormat = (typeof RECORD_FORMATS)[number];
/** The layouts of records: those of the formats, and the extended record with what is known of a tunnel. */
export const RECORD_LAYOUTS = [...RECORD_FORMATS, 'tunnel'] as const;
export type RecordLayout = (typeof RECORD_LAYOUTS)[number];
/** The format of rows and replays that do not choose one. */
export const RECORD_FORMAT_DEFAULT: RecordFormat = 'extended';

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
    when: ({ layer4 }) => layer4 === Layer4.ports,
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
} as const satisfies RecordParts;

/** The original record, then what today's collectors need. The elements of its key behind the first part have a word each. */
const EXTENDED = {
  ...ORIGINAL,
  ingress: { isKey: true, fields: [['ingressInterface', 4]] },
  egress: {
    isKey: false,
    fields: [
      ['egressInterface', 4],
      ['flowDirection', 1],
    ],
  },
  tcp: {
    isKey: false,
    when: ({ layer4 }) => layer4 === Layer4.ports,
    // 1 byte: nfacctd reads 2 bytes, the size of the type, as 0.
    fields: [['tcpControlBits', 1]],
  },
  icmp: {
    isKey: true,
    when: ({ layer3, layer4 }) => layer3 === Layer3.ipv4 && layer4 === Layer4.icmp,
    fields: [['icmpTypeCodeIPv4', 2]],
  },
  icmpv6: {
    isKey: true,
    when: ({ layer3, layer4 }) => layer3 === Layer3.ipv6 && layer4 === Layer4.icmp,
    fields: [['icmpTypeCodeIPv6', 2]],
  },
  octets: { isKey: false, fields: [['octetDeltaCount', 8]] },
  sampling: { isKey: false, fields: [['samplingInterval', 4]] },
  // Behind the deltas and last: of two times, old releases of nfdump and goflow2 take the later one in the record.
  times: {
    isKey: false,
    fields: [
      ['flowStartMilliseconds', 8],
      ['flowEndMilliseconds', 8],
    ],
  },
} as const satisfies RecordParts;

const { times: EXTENDED_TIMES, ...EXTENDED_FRONT } = EXTENDED;

/** The extended record with a tunnel: zeros for packets without one. The times stay last. */
const TUNNEL = {
  ...EXTENDED_FRONT,
  tunnel: {
    isKey: true,
    fields: [
      ['tunnelType', 1],
      ['tunnelKey', 4],
      ['tunnelSourceIPv4Address', 4],
      ['tunnelDestinationIPv4Address', 4],
      ['tunnelProtocolIdentifier', 1],
      ['tunnelSourceTransportPort', 2],
      ['tunnelDestinationTransportPort', 2],
    ],
  },
  times: EXTENDED_TIMES,
} as const satisfies RecordParts;

/** Words of the flow key with what is known of the tunnel, the last ones: one for each element, in the order of the record. */
export const TUNNEL_WORD_COUNT = TUNNEL.tunnel.fields.length;

/** The first template id; smaller ones are reserved (RFC 7011, section 3.4.1). */
const TEMPLATE_ID_FIRST = 256;
/** The first template id of the format `extended`: a collector that keeps templates never sees one id with two layouts. */
const EXTENDED_ID_FIRST = 512;
/** What a template id of the layout `tunnel` exceeds that of `extended` by. */
const TUNNEL_ID_OFFSET = 32;
/** Ids up to that of a tagged ICMPv6 packet. */
const TEMPLATE_ID_COUNT = EXTENDED_ID_FIRST + TUNNEL_ID_OFFSET + 6 * 4 - TEMPLATE_ID_FIRST;

/** One field of a record. */
export interface TemplateField {
  readonly element: Element;
  /** Bytes from the start of the record. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** Offsets of the elements that only the format `extended` has, in bytes from the start of the record; -1 without the element. */
export interface ExtendedOffsets {
  readonly ingressInterface: number;
  readonly egressInterface: number;
  readonly flowDirection: number;
  readonly tcpControlBits: number;
  /** Of icmpTypeCodeIPv4 or icmpTypeCodeIPv6. */
  readonly icmpTypeCode: number;
  readonly octetDeltaCount: number;
  readonly samplingInterval: number;
  /** Of tunnelType, the first of the elements of a tunnel. */
  readonly tunnel: number;
  readonly flowStartMilliseconds: number;
  readonly flowEndMilliseconds: number;
}

/** One template, with the sizes in bytes that follow from its fields. */
export interface RecordTemplate {
  readonly id: number;
  readonly isVlan: boolean;
  /** Whether the records have the parts about IP. */
  readonly isIp: boolean;
  readonly fields: readonly TemplateField[];
  /** The leading part of the flow key, which is the first part of the record. */
  readonly keySize: number;
  /** Elements of the flow key that stand further behind in the record: its trailing part. */
  readonly trailingKeyFieldCount: number;
  readonly recordSize: number;
  /** Undefined in the format `original`. */
  readonly extended: ExtendedOffsets | undefined;
}

const layersOfPackets: readonly Layers[] = [Layer2.untagged, Layer2.vlan].flatMap((layer2) => [
  { layer2, layer3: Layer3.other, layer4: Layer4.other },
  ...[Layer3.ipv4, Layer3.ipv6].flatMap((layer3) =>
    [Layer4.other, Layer4.ports, Layer4.icmp].map((layer4) => ({ layer2, layer3, layer4 })),
  ),
]);

/**
 * The templates of each layout by ascending id: 256, 258 to 262, 264 to 267; 512, 516 to 518, 520 to 522 and so on to 534; 544
 * to 566 likewise.
 */
export const TEMPLATES: Readonly<Record<RecordLayout, readonly RecordTemplate[]>> = {
  original: layersOfPackets
    .filter(({ layer4 }) => layer4 !== Layer4.icmp)
    .map((layers) => templateOf(layers, templateId(layers.layer2, layers.layer3, layers.layer4), ORIGINAL)),
  extended: layersOfPackets.map((layers) => {
    const original = templateId(layers.layer2, layers.layer3, Layer4.other);
    return templateOf(layers, extendedTemplateId(original, layers.layer4), EXTENDED);
  }),
  tunnel: layersOfPackets.map((layers) => {
    const original = templateId(layers.layer2, layers.layer3, Layer4.other);
    return templateOf(layers, tunnelTemplateId(extendedTemplateId(original, layers.layer4)), TUNNEL);
  }),
};

const ALL_TEMPLATES = RECORD_LAYOUTS.flatMap((layout) => TEMPLATES[layout]);

/** The longest record of all layouts, in bytes. */
export const RECORD_SIZE_MAX = Math.max(...ALL_TEMPLATES.map((template) => template.recordSize));

// What the packet path looks up, by template id less TEMPLATE_ID_FIRST.
const byIndex: (RecordTemplate | undefined)[] = Array.from({ length: TEMPLATE_ID_COUNT });
const keySizes = new Uint8Array(TEMPLATE_ID_COUNT);
const keyWordCounts = new Uint8Array(TEMPLATE_ID_COUNT);
for (const template of ALL_TEMPLATES) {
  const index = template.id - TEMPLATE_ID_FIRST;
  byIndex[index] = template;
  keySizes[index] = template.keySize;
  keyWordCounts[index] = ((template.keySize + 3) >> 2) + template.trailingKeyFieldCount;
}

/** The longest flow key of all layouts, in words. */
export const KEY_WORD_COUNT_MAX = Math.max(...keyWordCounts);

/** Returns the id of the template of these layers in the format `original`. There is no template with ports and without IP. */
export function templateId(layer2: Layer2, layer3: Layer3, layer4: Layer4): number {
  return TEMPLATE_ID_FIRST + (layer2 * 3 + layer3) * 2 + layer4;
}

/** Returns the id in the format `extended`, 512 + (layer 2 * 3 + layer 3) * 4 + layer 4, from that in `original`. */
export function extendedTemplateId(original: number, layer4: Layer4): number {
  return EXTENDED_ID_FIRST + ((original - TEMPLATE_ID_FIRST) >> 1) * 4 + layer4;
}

/** Returns the network protocol of a template of the format `original`. */
export function layer3Of(original: number): Layer3 {
  return (((original - TEMPLATE_ID_FIRST) >> 1) % 3) as Layer3;
}

/** Returns the id in the layout `tunnel` from that in `extended`. */
export function tunnelTemplateId(extended: number): number {
  return extended + TUNNEL_ID_OFFSET;
}

/** Returns whether a template is one of the format `extended`, with a tunnel or not. */
export function isExtended(id: number): boolean {
  return id >= EXTENDED_ID_FIRST;
}

/** Returns the layout of a template. */
export function layoutOfTemplate(id: number): RecordLayout {
  return id < EXTENDED_ID_FIRST
    ? 'original'
    : id < EXTENDED_ID_FIRST + TUNNEL_ID_OFFSET
      ? 'extended'
      : 'tunnel';
}

/** Returns the bytes of the leading part of the flow key of a template. */
export function keySize(id: number): number {
  return keySizes[id - TEMPLATE_ID_FIRST]!;
}

/** Returns the words of the flow key of a template: its leading part, padded with zeros, and a word for each other element. */
export function keyWordCount(id: number): number {
  return keyWordCounts[id - TEMPLATE_ID_FIRST]!;
}

/** Returns the template with that id, which must be one of ours. */
export function templateWithId(id: number): RecordTemplate {
  const template = byIndex[id - TEMPLATE_ID_FIRST];
  if (template === undefined) {
    throw new Error(`template id ${id} is not one of our templates`);
  }
  return template;
}

/** Returns where an aggregated element of the original record begins behind the key, in bytes; it is the same in all templates. */
export function offsetBehindKey(name: string): number {
  for (const template of TEMPLATES.original) {
    const field = template.fields.find(({ element }) => element.name === name);
    if (field !== undefined && field.offset >= template.keySize) {
      return field.offset - template.keySize;
    }
  }
  throw new Error(`element ${name} is not aggregated`);
}

function templateOf(layers: Layers, id: number, format: RecordParts): RecordTemplate {
  const parts = Object.values(format).filter(({ when }) => when === undefined || when(layers));
  let recordSize = 0;
  const fields = parts.flatMap((part) =>
    part.fields.map(([name, size]) => {
      const offset = recordSize;
      recordSize += size;
      return { element: elementNamed(name), offset, size };
    }),
  );
  const leadingCount = parts.findIndex((part) => !part.isKey);
  const trailing = parts.slice(leadingCount).filter((part) => part.isKey);
  return {
    id,
    isVlan: layers.layer2 === Layer2.vlan,
    isIp: isIp(layers),
    fields,
    keySize: parts.slice(0, leadingCount).reduce((size, part) => size + sizeOf(part), 0),
    trailingKeyFieldCount: trailing.reduce((count, part) => count + part.fields.length, 0),
    recordSize,
    extended: format === ORIGINAL ? undefined : extendedOffsets(fields),
  };
}

function extendedOffsets(fields: readonly TemplateField[]): ExtendedOffsets {
  const offsets = new Map(fields.map(({ element, offset }) => [element.name, offset]));
  const offsetOf = (name: string): number => offsets.get(name) ?? -1;
  return {
    ingressInterface: offsetOf('ingressInterface'),
    egressInterface: offsetOf('egressInterface'),
    flowDirection: offsetOf('flowDirection'),
    tcpControlBits: offsetOf('tcpControlBits'),
    icmpTypeCode: offsets.get('icmpTypeCodeIPv4') ?? offsetOf('icmpTypeCodeIPv6'),
    octetDeltaCount: offsetOf('octetDeltaCount'),
    samplingInterval: offsetOf('samplingInterval'),
    tunnel: offsetOf('tunnelType'),
    flowStartMilliseconds: offsetOf('flowStartMilliseconds'),
    flowEndMilliseconds: offsetOf('flowEndMilliseconds'),
  };
}

function sizeOf({ fields }: RecordPart): number {
  return fields.reduce((sum, [, size]) => sum + size, 0);
}
