// The dimensions by which traffic is stacked: how a row of the store is assigned to a value, and what the value is called.

import {
  DESTINATION_HAS_PORT,
  SOURCE_HAS_PORT,
  TRAFFIC_DESTINATION,
  TRAFFIC_INTERFACE,
  TRAFFIC_KEY_WORDS,
  TRAFFIC_KIND,
  TRAFFIC_OWNER,
  TRAFFIC_SOURCE,
} from '../../flow/traffic-key.ts';
import { Layer3 } from '../../ipfix/record-layout.ts';
import { UnknownWord } from '../unknown-word.ts';
import { hasPorts } from './application-names.ts';
import { addressLabel, applicationLabel, type Direction, protocolLabel } from './direction.ts';
import { protocolWord, type TrafficFilter } from './traffic-filter.ts';

export const DIMENSIONS = [
  'bridge',
  'interface',
  'protocol',
  'application',
  'source',
  'destination',
] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** Bits of a prefix that addresses are grouped by; all of them once a filter has chosen a prefix. */
const IPV4_BITS = 24;
const IPV6_BITS = 64;

const NUMBER_RANGE = 2 ** 32;

/** A value of a dimension in words. */
export interface DimensionValue {
  readonly label: string;
  /** The words that select it. */
  readonly words: readonly string[];
}

/** Reads the name of a dimension; throws `UnknownWord`. */
export function dimensionOf(text: string): Dimension {
  const found = DIMENSIONS.find((each) => each === text);
  if (found === undefined) {
    throw new UnknownWord(
      `"by=${text}": "${text}" is not a valid dimension; write ${DIMENSIONS.join(', ')}.`,
    );
  }
  return found;
}

/** Returns what all rows with one value have in common: a number, or a text for addresses of IPv6. */
export function groupKey(by: Dimension, words: Int32Array, row: number, hasPrefix: boolean): number | string {
  const from = row * TRAFFIC_KEY_WORDS;
  const kind = words[from + TRAFFIC_KIND]!;
  switch (by) {
    case 'bridge':
      return words[from + TRAFFIC_OWNER]!;
    case 'interface':
      return words[from + TRAFFIC_OWNER]! * NUMBER_RANGE + (words[from + TRAFFIC_INTERFACE]! >>> 0);
    case 'protocol':
      return (kind & 3) === Layer3.other ? kind : kind & 0xff00;
    case 'application':
      // The kind of addresses does not matter to an application.
      return (kind & 3) === Layer3.other
        ? kind
        : (kind & ~(SOURCE_HAS_PORT | DESTINATION_HAS_PORT | 3)) | Layer3.ipv4;
    default: {
      const at = from + (by === 'source' ? TRAFFIC_SOURCE : TRAFFIC_DESTINATION);
      if ((kind & 3) === Layer3.ipv4) {
        return hasPrefix ? words[at]! : words[at]! & ~0xff;
      }
      const size = (kind & 3) === Layer3.ipv6 && !hasPrefix ? IPV6_BITS / 32 : 4;
      return words.subarray(at, at + size).join();
    }
  }
}

/** Returns what the value of a direction is called. */
export function valueOf(by: Dimension, direction: Direction, hasPrefix: boolean): DimensionValue {
  switch (by) {
    case 'bridge':
      return { label: direction.bridge, words: [`bridge=${direction.bridge}`] };
    case 'interface':
      return interfaceValue(direction);
    case 'protocol':
      return { label: protocolLabel(direction), words: [protocolWord(direction)] };
    case 'application':
      return { label: applicationLabel(direction), words: applicationWords(direction) };
    default: {
      const address = by === 'source' ? direction.source : direction.destination;
      const label = addressLabel(address, hasPrefix ? undefined : prefixBits(direction.layer3));
      return { label, words: [`${by === 'source' ? 'src' : 'dst'}=${label}`] };
    }
  }
}

/** Returns the words that select the application of a direction. */
export function applicationWords(direction: Direction): string[] {
  const { protocol, port, layer3 } = direction;
  const isPort = layer3 !== Layer3.other && hasPorts(protocol);
  return [protocolWord(direction), ...(isPort ? [`port=${port}`] : [])];
}

/** Whether a filter has chosen a prefix of a dimension, so that single addresses are shown. */
export function hasPrefixOf(by: Dimension, { words }: TrafficFilter): boolean {
  return words.some((word) => word.startsWith(by === 'source' ? 'src=' : 'dst=') || word.startsWith('ip='));
}

function interfaceValue({ interfaceLabel, interfaceNumber }: Direction): DimensionValue {
  const isNamed = interfaceLabel !== 'unknown' && !interfaceLabel.startsWith('interface ');
  return {
    label: interfaceLabel,
    words: [`interface=${isNamed ? interfaceLabel : interfaceNumber}`],
  };
}

function prefixBits(layer3: Layer3): number | undefined {
  return layer3 === Layer3.ipv4 ? IPV4_BITS : layer3 === Layer3.ipv6 ? IPV6_BITS : undefined;
}
