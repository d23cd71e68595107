// Selects directions of the history by words, as `flows` selects flows of the caches: `bridge=`, `interface=`, `proto=`, `port=`,
// `src=`, `dst=` and `ip=`. All words have to match.

import ipaddr from 'ipaddr.js';
import { Layer3 } from '../../ipfix/record-layout.ts';
import { IP_PROTOCOL_NAMES } from '../protocol-names.ts';
import { UnknownWord } from '../unknown-word.ts';
import { hasPorts } from './application-names.ts';
import type { Direction } from './direction.ts';

type Test = (direction: Direction) => boolean;

const WORDS =
  'bridge=, interface= (name, what is attached, or number), proto= (number or name), port= (that of the application), ' +
  'type= (Ethernet type), ip=, src= and dst= (address or prefix)';

const PROTOCOLS: ReadonlyMap<string, number> = new Map(
  Array.from(IP_PROTOCOL_NAMES, ([number, name]) => [name.toLowerCase().replace('v6', '6'), number]),
);

export class TrafficFilter {
  readonly words: readonly string[];
  readonly #tests: readonly Test[];
  /** Values of `interface=`: conversations in which packets came in by it, in both directions. */
  readonly #interfaces: readonly string[];
  readonly bridges: readonly string[];

  private constructor(
    words: readonly string[],
    tests: readonly Test[],
    interfaces: readonly string[],
    bridges: readonly string[],
  ) {
    this.words = words;
    this.#tests = tests;
    this.#interfaces = interfaces;
    this.bridges = bridges;
  }

  /** Reads words of the form `KEY=VALUE`; throws `UnknownWord` with a sentence. */
  static parse(words: readonly string[]): TrafficFilter {
    const tests: Test[] = [];
    const interfaces: string[] = [];
    const bridges: string[] = [];
    for (const word of words) {
      const at = word.indexOf('=');
      const key = word.slice(0, Math.max(at, 0));
      const value = word.slice(at + 1);
      if (key === 'interface') {
        interfaces.push(value);
      } else if (key === 'bridge') {
        bridges.push(value);
      } else {
        tests.push(testOf(word, key, value));
      }
    }
    return new TrafficFilter(words, tests, interfaces, bridges);
  }

  /** Whether the filter selects all traffic of the bridges that it names. */
  get isByBridge(): boolean {
    return this.#tests.length === 0 && this.#interfaces.length === 0;
  }

  /** Whether a bridge is selected. */
  hasBridge(bridge: string): boolean {
    return this.bridges.every((name) => name === bridge);
  }

  /** Whether the direction matches all words but `interface=`. */
  matches(direction: Direction): boolean {
    return this.hasBridge(direction.bridge) && this.#tests.every((test) => test(direction));
  }

  /** Returns how many values of `interface=` there are. */
  get interfaceCount(): number {
    return this.#interfaces.length;
  }

  /** Returns whether the packets came in by an interface with the value of that index. */
  isInterface(index: number, { interfaceLabel, interfaceName, interfaceNumber }: Direction): boolean {
    const value = this.#interfaces[index];
    return value === interfaceLabel || value === interfaceName || value === String(interfaceNumber);
  }
}

function testOf(word: string, key: string, value: string): Test {
  switch (key) {
    case 'proto': {
      const number = PROTOCOLS.get(value.toLowerCase()) ?? wholeNumber(word, value, 255);
      return ({ layer3, protocol }) => layer3 !== Layer3.other && protocol === number;
    }
    case 'port': {
      const number = wholeNumber(word, value, 65_535);
      return ({ protocol, port }) => hasPorts(protocol) && port === number;
    }
    case 'type': {
      const number = wholeNumber(word, value, 65_535);
      return ({ layer3, port }) => layer3 === Layer3.other && port === number;
    }
    case 'ip': {
      const isIn = addressTest(word, value);
      return ({ source, destination }) => isIn(source) || isIn(destination);
    }
    case 'src': {
      const isIn = addressTest(word, value);
      return ({ source }) => isIn(source);
    }
    case 'dst': {
      const isIn = addressTest(word, value);
      return ({ destination }) => isIn(destination);
    }
    default:
      throw new UnknownWord(`"${word}" is not a valid filter of the history; write ${WORDS}.`);
  }
}

/** Returns the test of an address or prefix; a MAC address is allowed for packets without IP. */
function addressTest(word: string, text: string): (bytes: Uint8Array) => boolean {
  const [address = '', ...bitsTexts] = text.split('/');
  const bitsText = bitsTexts.length === 0 ? undefined : bitsTexts.join('/');
  const bytes = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/iu.test(address)
    ? Buffer.from(address.replaceAll(':', ''), 'hex')
    : ipBytes(word, address);
  const bits = bitsText === undefined ? bytes.length * 8 : wholeNumber(word, bitsText, bytes.length * 8);
  return (other) =>
    other.length === bytes.length &&
    other.every((byte, index) => {
      const mask = 0xff & ~(0xff >> Math.min(Math.max(bits - index * 8, 0), 8));
      return ((byte ^ bytes[index]!) & mask) === 0;
    });
}

function ipBytes(word: string, address: string): Uint8Array {
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) && !ipaddr.IPv6.isValid(address)) {
    throw new UnknownWord(`"${word}": "${address}" is not a valid address.`);
  }
  return Uint8Array.from(ipaddr.parse(address).toByteArray());
}

function wholeNumber(word: string, text: string, max: number): number {
  const number = /^(?:\d{1,10}|0x[0-9a-f]{1,8})$/iu.test(text) ? Number(text) : Number.NaN;
  if (!(number <= max)) {
    throw new UnknownWord(`"${word}": "${text}" is not a whole number from 0 to ${max}.`);
  }
  return number;
}

/** Returns the word that selects an Ethernet type or an IP protocol. */
export function protocolWord({ layer3, protocol, port }: Direction): string {
  if (layer3 === Layer3.other) {
    return `type=0x${port.toString(16).padStart(4, '0')}`;
  }
  const name = IP_PROTOCOL_NAMES.get(protocol);
  return `proto=${name === undefined ? protocol : name.toLowerCase().replace('v6', '6')}`;
}
