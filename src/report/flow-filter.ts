// Filters flows by words such as `src=10.0.0.0/8` or `port=53`. A filter is compiled to bytes once for each template, so that a
// million flows are tested without decoding them.

import ipaddr from 'ipaddr.js';
import type { FlowRecord } from '../flow/flow-record.ts';
import type { BridgeInterface } from '../intake/ingress-interfaces.ts';
import { isExtended, RECORD_LAYOUTS, type RecordTemplate, TEMPLATES } from '../ipfix/record-layout.ts';
import { IP_PROTOCOL_NAMES } from './protocol-names.ts';
import { UnknownWord } from './unknown-word.ts';

/** Bytes that a field of the key must have: `(key & mask) === value`, byte by byte. */
interface FieldTest {
  readonly offset: number;
  readonly value: Uint8Array;
  readonly mask: Uint8Array;
}

/** One word: elements of which any may match (source or destination), with the bytes to match. */
interface Term {
  readonly elements: readonly string[];
  readonly value: Uint8Array;
  readonly mask: Uint8Array;
}

/** What a filter reads of a flow. */
export type FilteredFlow = Pick<
  FlowRecord,
  'keyBytes' | 'keyStart' | 'templateId' | 'observationDomainId' | 'ingressInterface'
>;

/** In lower case, and ICMPv6 as `icmp6`. */
const PROTOCOLS: ReadonlyMap<string, number> = new Map(
  Array.from(IP_PROTOCOL_NAMES, ([number, name]) => [name.toLowerCase().replace('v6', '6'), number]),
);

const WORDS =
  'ip= src= dst= (address or prefix), port= sport= dport=, proto= (number or name), mac=, vlan=, ' +
  'type= (Ethernet type), interface= (name, what is attached, or number), domain= and point=';

/** A conjunction of words. */
export class FlowFilter {
  readonly #terms: readonly Term[];
  readonly #domainId: number | undefined;
  /** Values of `interface=`, all of which have to match. */
  readonly #interfaces: readonly string[];
  readonly #testsByTemplate: ReadonlyMap<number, readonly (readonly FieldTest[])[]>;

  private constructor(terms: readonly Term[], domainId: number | undefined, interfaces: readonly string[]) {
    this.#terms = terms;
    this.#domainId = domainId;
    this.#interfaces = interfaces;
    this.#testsByTemplate = new Map(
      RECORD_LAYOUTS.flatMap((layout) =>
        TEMPLATES[layout].map((template) => [template.id, this.#compile(template)]),
      ),
    );
  }

  /** Reads words of the form `KEY=VALUE`; throws `UnknownWord` with a sentence. */
  static parse(words: readonly string[]): FlowFilter {
    const terms: Term[] = [];
    const interfaces: string[] = [];
    let domainId: number | undefined;
    for (const word of words) {
      const at = word.indexOf('=');
      const key = word.slice(0, Math.max(at, 0));
      const value = word.slice(at + 1);
      if (key === 'domain') {
        domainId = wholeNumber(word, value, 0xffff_ffff);
      } else if (key === 'interface') {
        interfaces.push(value);
      } else {
        terms.push(termOf(word, key, value));
      }
    }
    return new FlowFilter(terms, domainId, interfaces);
  }

  /**
   * Returns the test of whether a flow matches all words, for the flows of a bridge with these interfaces. The names are those
   * that the interfaces have now; only the format `extended` has the interface of a flow.
   */
  testFor(interfaces: readonly BridgeInterface[]): (record: FilteredFlow) => boolean {
    const numbers = this.#interfaces.map((text) => numbersOf(text, interfaces));
    if (numbers.length === 0) {
      return (record) => this.#matches(record);
    }
    return (record) =>
      isExtended(record.templateId) &&
      numbers.every((some) => some.has(record.ingressInterface)) &&
      this.#matches(record);
  }

  /** Returns the value of the first `interface=` that is neither a number nor a name of these interfaces. */
  unknownInterface(interfaces: readonly BridgeInterface[]): string | undefined {
    return this.#interfaces.find((text) => numbersOf(text, interfaces).size === 0);
  }

  #matches(record: FilteredFlow): boolean {
    if (this.#domainId !== undefined && record.observationDomainId !== this.#domainId) {
      return false;
    }
    if (this.#terms.length === 0) {
      return true;
    }
    const { keyBytes, keyStart } = record;
    const terms = this.#testsByTemplate.get(record.templateId) ?? [];
    return terms.every((tests) => tests.some((test) => isMatch(keyBytes, keyStart + test.offset, test)));
  }

  #compile({ fields }: RecordTemplate): readonly (readonly FieldTest[])[] {
    return this.#terms.map(({ elements, value, mask }) =>
      fields
        .filter(({ element, size }) => elements.includes(element.name) && size === value.length)
        .map(({ offset }) => ({ offset, value, mask })),
    );
  }
}

/** Returns the numbers of the interfaces with this name, or with this attached; a number is one too. */
function numbersOf(text: string, interfaces: readonly BridgeInterface[]): ReadonlySet<number> {
  const named = interfaces.filter(({ name, description }) => name === text || description === text);
  return new Set([...named.map(({ number }) => number), ...(/^\d{1,10}$/u.test(text) ? [Number(text)] : [])]);
}

function isMatch(bytes: Uint8Array, start: number, { value, mask }: FieldTest): boolean {
  for (let index = 0; index < value.length; index += 1) {
    if (((bytes[start + index]! ^ value[index]!) & mask[index]!) !== 0) {
      return false;
    }
  }
  return true;
}

function termOf(word: string, key: string, value: string): Term {
  switch (key) {
    case 'ip':
      return addressTerm(word, value, ['source', 'destination']);
    case 'src':
      return addressTerm(word, value, ['source']);
    case 'dst':
      return addressTerm(word, value, ['destination']);
    case 'port':
      return numberTerm(word, value, ['sourceTransportPort', 'destinationTransportPort'], 2);
    case 'sport':
      return numberTerm(word, value, ['sourceTransportPort'], 2);
    case 'dport':
      return numberTerm(word, value, ['destinationTransportPort'], 2);
    case 'proto': {
      const number = PROTOCOLS.get(value.toLowerCase());
      return numberTerm(word, number === undefined ? value : String(number), ['protocolIdentifier'], 1);
    }
    case 'vlan':
      return numberTerm(word, value, ['vlanId'], 2);
    case 'type':
      return numberTerm(word, value, ['ethernetType'], 2);
    case 'point':
      return numberTerm(word, value, ['observationPointId'], 4);
    case 'mac':
      return macTerm(word, value);
    default:
      throw new UnknownWord(`"${word}" is not a valid filter; write ${WORDS}.`);
  }
}

function addressTerm(word: string, text: string, sides: readonly string[]): Term {
  const [address = '', ...bitsTexts] = text.split('/');
  const bitsText = bitsTexts.length === 0 ? undefined : bitsTexts.join('/');
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) && !ipaddr.IPv6.isValid(address)) {
    throw new UnknownWord(`"${word}": "${address}" is not a valid IP address.`);
  }
  const parsed = ipaddr.parse(address);
  const value = Uint8Array.from(parsed.toByteArray());
  const bits = bitsText === undefined ? value.length * 8 : wholeNumber(word, bitsText, value.length * 8);
  const mask = value.map((_byte, index) => 0xff & ~(0xff >> Math.min(Math.max(bits - index * 8, 0), 8)));
  const version = parsed.kind() === 'ipv4' ? 'IPv4' : 'IPv6';
  return { elements: sides.map((side) => `${side}${version}Address`), value, mask };
}

function numberTerm(word: string, text: string, elements: readonly string[], size: number): Term {
  const number = wholeNumber(word, text, 2 ** (size * 8) - 1);
  const value = Buffer.alloc(size);
  value.writeUIntBE(number, 0, size);
  return { elements, value, mask: Buffer.alloc(size, 0xff) };
}

function macTerm(word: string, text: string): Term {
  if (!/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/iu.test(text)) {
    throw new UnknownWord(`"${word}": "${text}" is not a valid MAC address; write it as 02:00:00:00:00:01.`);
  }
  const value = Buffer.from(text.replaceAll(':', ''), 'hex');
  return { elements: ['sourceMacAddress', 'destinationMacAddress'], value, mask: Buffer.alloc(6, 0xff) };
}

function wholeNumber(word: string, text: string, max: number): number {
  const number = /^(?:\d{1,10}|0x[0-9a-f]{1,8})$/iu.test(text) ? Number(text) : Number.NaN;
  if (!(number <= max)) {
    throw new UnknownWord(`"${word}": "${text}" is not a whole number from 0 to ${max}.`);
  }
  return number;
}
