// One direction of a conversation in words: what the page, `flows` and `top` show of a row of the store.

import {
  SOURCE_HAS_PORT,
  TRAFFIC_DESTINATION,
  TRAFFIC_INTERFACE,
  TRAFFIC_KEY_WORDS,
  TRAFFIC_KIND,
  TRAFFIC_OWNER,
  TRAFFIC_SOURCE,
} from '../../flow/traffic-key.ts';
import { ipv6Text } from '../../ipfix/field-value.ts';
import { Layer3 } from '../../ipfix/record-layout.ts';
import { IP_PROTOCOL_NAMES } from '../protocol-names.ts';
import { applicationName, ethernetTypeName, hasPorts } from './application-names.ts';
import type { History } from './history.ts';

/** A direction of a conversation. */
export interface Direction {
  readonly bridge: string;
  /** The interface that the packets came in by; 0 where it is not known. */
  readonly interfaceNumber: number;
  /** What is attached to it, its name, or its number: one word for showing. */
  readonly interfaceLabel: string;
  /** Its name, where that is another word. */
  readonly interfaceName: string | undefined;
  readonly layer3: Layer3;
  /** The IP protocol; 0 for other packets. */
  readonly protocol: number;
  /** The lower of the two ports, which is taken for that of the application; the Ethernet type of packets without IP. */
  readonly port: number;
  readonly isFromServer: boolean;
  /** 4 bytes of IPv4, 16 of IPv6, 6 of a MAC address. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

export type HistoryNames = Pick<History, 'store' | 'bridges' | 'interfaces'>;

const ADDRESS_SIZES: Readonly<Record<Layer3, number>> = {
  [Layer3.other]: 6,
  [Layer3.ipv4]: 4,
  [Layer3.ipv6]: 16,
};

/** Returns what a row of the store is. */
export function directionOf(row: number, { store, bridges, interfaces }: HistoryNames): Direction {
  const from = row * TRAFFIC_KEY_WORDS;
  const words = store.words.subarray(from, from + TRAFFIC_KEY_WORDS);
  const bridge = bridges.nameOf(words[TRAFFIC_OWNER]!);
  const interfaceNumber = words[TRAFFIC_INTERFACE]! >>> 0;
  const names = interfaces.namesOf(bridge, interfaceNumber);
  const kind = words[TRAFFIC_KIND]!;
  const layer3 = (kind & 3) as Layer3;
  const label = names?.attached ?? names?.name;
  return {
    bridge,
    interfaceNumber,
    interfaceLabel: label ?? (interfaceNumber === 0 ? 'unknown' : `interface ${interfaceNumber}`),
    interfaceName: names !== undefined && names.name !== label ? names.name : undefined,
    layer3,
    protocol: (kind >>> 8) & 0xff,
    port: kind >>> 16,
    isFromServer: (kind & SOURCE_HAS_PORT) !== 0,
    source: addressBytes(words, TRAFFIC_SOURCE, ADDRESS_SIZES[layer3]),
    destination: addressBytes(words, TRAFFIC_DESTINATION, ADDRESS_SIZES[layer3]),
  };
}

/** Returns the protocol in words: `TCP`, `ARP`, `IP 89`. */
export function protocolLabel({ layer3, protocol, port }: Direction): string {
  return layer3 === Layer3.other
    ? ethernetTypeName(port)
    : (IP_PROTOCOL_NAMES.get(protocol) ?? `IP ${protocol}`);
}

/** Returns the application in words: `TCP 443 (https)`; the protocol where packets have no ports. */
export function applicationLabel(direction: Direction): string {
  const { layer3, protocol, port } = direction;
  if (layer3 === Layer3.other || !hasPorts(protocol)) {
    return protocolLabel(direction);
  }
  const name = applicationName(port);
  return `${protocolLabel(direction)} ${port}${name === undefined ? '' : ` (${name})`}`;
}

/** Returns an address, or with `bits` less than its length the prefix: `10.0.0.0/24`. */
export function addressLabel(bytes: Uint8Array, bits: number = bytes.length * 8): string {
  const shown = bits < bytes.length * 8 ? masked(bytes, bits) : bytes;
  const suffix = shown === bytes ? '' : `/${bits}`;
  if (bytes.length === 6) {
    return Array.from(shown, (byte) => byte.toString(16).padStart(2, '0')).join(':');
  }
  return bytes.length === 4 ? `${shown.join('.')}${suffix}` : `${ipv6Text(shown)}${suffix}`;
}

function masked(bytes: Uint8Array, bits: number): Uint8Array {
  return bytes.map((byte, index) => byte & ~(0xff >> Math.min(Math.max(bits - index * 8, 0), 8)));
}

function addressBytes(words: Int32Array, from: number, size: number): Uint8Array {
  return Uint8Array.from(
    { length: size },
    (_, index) => words[from + (index >> 2)]! >>> (24 - (index & 3) * 8),
  );
}
