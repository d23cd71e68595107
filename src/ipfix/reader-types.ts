// What the reader gives back: messages, records and problems as plain values.

import type { Element } from './elements.ts';

/** Everything that can be wrong with what an exporter sends; stable, for programs. */
export type ReaderProblemCode =
  | 'short-message'
  | 'bad-version'
  | 'bad-message-length'
  | 'bad-set-length'
  | 'reserved-set-id'
  | 'empty-set'
  | 'short-template'
  | 'bad-template-id'
  | 'bad-field-length'
  | 'bad-scope-count'
  | 'template-changed'
  | 'template-limit'
  | 'domain-limit'
  | 'withdrawal-over-udp'
  | 'unknown-withdrawal'
  | 'unknown-template'
  | 'short-record'
  | 'padding-nonzero'
  | 'sequence-gap'
  | 'sequence-repeat'
  | 'bad-value';

/** Something wrong: a sentence for people, with the place in the message that it is about. */
export interface ReaderProblem {
  readonly code: ReaderProblemCode;
  readonly message: string;
  /** Bytes from the start of the message. */
  readonly offset: number;
}

/** A value: an exact whole number, text (addresses, names), a truth, or bytes that the reader has no meaning for. */
export type FieldValue = number | bigint | string | boolean | Buffer;

/** One field of a template as an exporter has described it. */
export interface ReaderField {
  readonly id: number;
  readonly enterprise: number;
  /** Bytes, or `VARIABLE_LENGTH`. */
  readonly size: number;
  /** Undefined when the table of elements has no such number. */
  readonly element: Element | undefined;
  /** The element's name, or `element ID` and `enterprise PEN element ID` for those without one. */
  readonly name: string;
}

/** A template as an exporter has described it (RFC 7011, section 3.4). */
export interface ReaderTemplate {
  readonly id: number;
  readonly fields: readonly ReaderField[];
  /** How many of the first fields say what the others are about; 0 unless from an Options Template Set. */
  readonly scopeCount: number;
  /** The shortest record, in bytes. */
  readonly recordSizeMin: number;
}

/** A decoded data record; values are in the order of the template's fields. */
export interface DecodedRecord {
  readonly template: ReaderTemplate;
  readonly values: readonly FieldValue[];
}

/** A decoded message, as far as it could be. */
export interface DecodedMessage {
  /** Seconds since 1970; 0 when there was no whole header. */
  readonly exportTimeSeconds: number;
  readonly sequenceNumber: number;
  readonly observationDomainId: number;
  /** Templates that this message describes, the known ones repeated as well. */
  readonly templates: readonly ReaderTemplate[];
  /** Numbers of templates that it withdraws. */
  readonly withdrawals: readonly number[];
  readonly records: readonly DecodedRecord[];
  readonly problems: readonly ReaderProblem[];
}
