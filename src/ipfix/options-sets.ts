// The options templates of the exporter and their records (RFC 7011, section 3.4.2): how its packets are sampled, and what the
// interface numbers in its records mean. The table below is the only definition of their layout.
//
// Each options template and each record is a set of its own: nfdump reads only the first options template of a set, and its
// older releases only the first record.

import { elementNamed } from './elements.ts';
import { OPTIONS_TEMPLATE_SET_ID, SET_HEADER_SIZE } from './protocol.ts';

/** An interface as collectors are to show it. */
export interface DescribedInterface {
  /** The number in records. */
  readonly number: number;
  readonly name: string;
  /** What is attached. */
  readonly description: string;
}

/** What the options records of an exporter say. */
export interface OptionsContent {
  /** N of 1-in-N sampling; undefined: no record of the sampling. */
  readonly samplingPopulation: number | undefined;
  /** Undefined: no records of interfaces. */
  readonly interfaces: readonly DescribedInterface[] | undefined;
}

/** A whole set: an options template, or one record. */
export interface OptionsSet {
  readonly bytes: Buffer;
  /** 0 or 1. The domain id of a record, at `SCOPE_OFFSET`, is 0. */
  readonly recordCount: number;
}

/** Bytes of the name and of the description of an interface; the last one is always 0. */
const INTERFACE_TEXT_BYTES = 32;
/** Offset of the observation domain id, the scope of all options records, in the set of a record. */
export const SCOPE_OFFSET = SET_HEADER_SIZE;

type Fields = readonly (readonly [name: string, size: number])[];

/** The scope is the first field. */
const SAMPLING_TEMPLATE = {
  id: 576,
  fields: [
    ['observationDomainId', 4],
    ['samplingInterval', 4],
    ['samplingAlgorithm', 1],
    ['samplingSize', 4],
    ['samplingPopulation', 4],
  ],
} as const satisfies { id: number; fields: Fields };

const INTERFACE_TEMPLATE = {
  id: 577,
  fields: [
    ['observationDomainId', 4],
    ['ingressInterface', 4],
    ['interfaceName', INTERFACE_TEXT_BYTES],
    ['interfaceDescription', INTERFACE_TEXT_BYTES],
  ],
} as const satisfies { id: number; fields: Fields };

/** Values of samplingInterval and samplingAlgorithm: counts in records are scaled already, and a collector must not scale them. */
const SCALED = 1;
const DETERMINISTIC = 1;
/** Of `samplingPopulation` packets one is selected. */
const SAMPLING_SIZE = 1;

/** Encodes the options templates of the content, then their records; every set has one of either. */
export function encodeOptionsSets({ samplingPopulation, interfaces }: OptionsContent): readonly OptionsSet[] {
  return [
    ...(samplingPopulation === undefined ? [] : [templateSet(SAMPLING_TEMPLATE)]),
    ...(interfaces === undefined ? [] : [templateSet(INTERFACE_TEMPLATE)]),
    ...(samplingPopulation === undefined
      ? []
      : [recordSet(SAMPLING_TEMPLATE, [0, SCALED, DETERMINISTIC, SAMPLING_SIZE, samplingPopulation])]),
    ...(interfaces ?? []).map(({ number, name, description }) =>
      recordSet(INTERFACE_TEMPLATE, [0, number, name, description]),
    ),
  ];
}

/*
 *  0               2               4               6
 * +---------------+---------------+---------------+
 * | template id   | field count   | scope fields  |
 * +---------------+---------------+---------------+
 * | element id    | field length  |  one for each field
 * +---------------+---------------+
 */
function templateSet(template: { readonly id: number; readonly fields: Fields }): OptionsSet {
  const headSize = SET_HEADER_SIZE + 6;
  const bytes = Buffer.alloc(headSize + 4 * template.fields.length);
  bytes.writeUInt16BE(OPTIONS_TEMPLATE_SET_ID, 0);
  bytes.writeUInt16BE(bytes.length, 2);
  bytes.writeUInt16BE(template.id, SET_HEADER_SIZE);
  bytes.writeUInt16BE(template.fields.length, SET_HEADER_SIZE + 2);
  bytes.writeUInt16BE(1, SET_HEADER_SIZE + 4);
  for (const [index, [name, size]] of template.fields.entries()) {
    bytes.writeUInt16BE(elementNamed(name).id, headSize + 4 * index);
    bytes.writeUInt16BE(size, headSize + 4 * index + 2);
  }
  return { bytes, recordCount: 0 };
}

/** Encodes one record from the values of its fields; texts are cut and padded with zeros. */
function recordSet(
  template: { readonly id: number; readonly fields: Fields },
  values: readonly (number | string)[],
): OptionsSet {
  const size = template.fields.reduce((sum, [, fieldSize]) => sum + fieldSize, SET_HEADER_SIZE);
  const bytes = Buffer.alloc(size);
  bytes.writeUInt16BE(template.id, 0);
  bytes.writeUInt16BE(size, 2);
  let at = SET_HEADER_SIZE;
  for (const [index, [, fieldSize]] of template.fields.entries()) {
    const value = values[index] ?? 0;
    if (typeof value === 'number') {
      bytes.writeUIntBE(value, at, fieldSize);
    } else {
      writeText(bytes.subarray(at, at + fieldSize), value);
    }
    at += fieldSize;
  }
  return { bytes, recordCount: 1 };
}

/** Characters that could move a cursor, end a line or turn the direction of text. */
const CONTROLS = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Writes as many characters in UTF-8 as fit in front of a zero, with `?` for control characters. */
function writeText(field: Buffer, text: string): void {
  // `write` never writes a part of a character. Collectors such as nfdump read up to the zero.
  field.write(text.replace(CONTROLS, '?'), 0, field.length - 1, 'utf8');
}
