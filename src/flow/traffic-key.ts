// What the history of traffic keeps apart: one direction of a conversation, without the port of the client, which is another one
// for each connection. Read from the flow key of a sample, and allocates nothing.

import { Layer3, RECORD_LAYOUTS, type RecordTemplate, TEMPLATES } from '../ipfix/record-layout.ts';
import type { FlowKey } from '../packet/flow-key.ts';

/** Words of a key: owner, interface, kind, source and destination, each of four words. */
export const TRAFFIC_KEY_WORDS = 11;
/** The exporter in a slot; the bridge in the history. */
export const TRAFFIC_OWNER = 0;
/** The interface that the packets came in by, as in records; 0 in the format `original`. */
export const TRAFFIC_INTERFACE = 1;
/**
 * Bits 0 and 1: the kind of addresses, a `Layer3` (`other`: MAC addresses); bit 2: the source has the port of the application; bit
 * 3: the destination has it, and neither where both ports are equal; bits 8 to 15: the IP protocol; bits 16 to 31: the port of the
 * application, or the Ethernet type of packets without IP.
 */
export const TRAFFIC_KIND = 2;
export const TRAFFIC_SOURCE = 3;
export const TRAFFIC_DESTINATION = 7;

/** The bits of `TRAFFIC_KIND` that say which end has the port of the application. */
export const SOURCE_HAS_PORT = 4;
export const DESTINATION_HAS_PORT = 8;

/** Where the parts of a key are in the flow key of a template, in bytes; -1: it does not have them. */
interface Offsets {
  readonly layer3: Layer3;
  readonly source: number;
  readonly destination: number;
  readonly ports: number;
  /** The word of ingressInterface. */
  readonly interfaceWord: number;
}

const FIRST_ID = 256;
const offsetsById: (Offsets | undefined)[] = [];
for (const template of RECORD_LAYOUTS.flatMap((layout) => TEMPLATES[layout])) {
  offsetsById[template.id - FIRST_ID] = offsetsOf(template);
}

/** Writes the key of a sample to `to`. */
export function readTrafficKey(key: FlowKey, owner: number, to: Int32Array): void {
  const offsets = offsetsById[key.templateId - FIRST_ID]!;
  const { bytes } = key;
  const { layer3, source, destination, ports } = offsets;
  to[TRAFFIC_OWNER] = owner;
  to[TRAFFIC_INTERFACE] = offsets.interfaceWord < 0 ? 0 : key.words[offsets.interfaceWord]!;
  if (layer3 === Layer3.ipv4) {
    to.fill(0, TRAFFIC_SOURCE);
    to[TRAFFIC_SOURCE] = wordAt(bytes, source);
    to[TRAFFIC_DESTINATION] = wordAt(bytes, destination);
  } else if (layer3 === Layer3.ipv6) {
    for (let index = 0; index < 4; index += 1) {
      to[TRAFFIC_SOURCE + index] = wordAt(bytes, source + index * 4);
      to[TRAFFIC_DESTINATION + index] = wordAt(bytes, destination + index * 4);
    }
  } else {
    to.fill(0, TRAFFIC_SOURCE);
    to[TRAFFIC_SOURCE] = wordAt(bytes, source);
    to[TRAFFIC_SOURCE + 1] = halfAt(bytes, source + 4) << 16;
    to[TRAFFIC_DESTINATION] = wordAt(bytes, destination);
    to[TRAFFIC_DESTINATION + 1] = halfAt(bytes, destination + 4) << 16;
    to[TRAFFIC_KIND] = (halfAt(bytes, ports) << 16) | layer3;
    return;
  }
  let kind = (key.protocol << 8) | layer3;
  if (ports >= 0) {
    const sourcePort = halfAt(bytes, ports);
    const destinationPort = halfAt(bytes, ports + 2);
    kind |= Math.min(sourcePort, destinationPort) << 16;
    if (sourcePort < destinationPort) {
      kind |= SOURCE_HAS_PORT;
    } else if (destinationPort < sourcePort) {
      kind |= DESTINATION_HAS_PORT;
    }
  }
  to[TRAFFIC_KIND] = kind;
}

function offsetsOf(template: RecordTemplate): Offsets {
  const offsetOf = (name: string) => template.fields.find(({ element }) => element.name === name)?.offset;
  const interfaceWord = template.extended === undefined ? -1 : (template.keySize + 3) >> 2;
  const ports = offsetOf('sourceTransportPort') ?? -1;
  for (const [layer3, version] of [
    [Layer3.ipv4, 'IPv4'],
    [Layer3.ipv6, 'IPv6'],
  ] as const) {
    const source = offsetOf(`source${version}Address`);
    if (source !== undefined) {
      const destination = offsetOf(`destination${version}Address`)!;
      return { layer3, source, destination, ports, interfaceWord };
    }
  }
  return {
    layer3: Layer3.other,
    source: offsetOf('sourceMacAddress')!,
    destination: offsetOf('destinationMacAddress')!,
    // The Ethernet type is in place of a port.
    ports: offsetOf('ethernetType')!,
    interfaceWord,
  };
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function halfAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
