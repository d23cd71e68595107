// What the reader returns: messages, records and problems as plain values.

import type { Element } from './elements.ts';

/** What can be wrong with messages of an exporter; stable codes, for programs. */
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

/** A violation of RFC 7011, or records that cannot be decoded: a sentence, and the offset that it is about. */
export interface ReaderProblem {
  readonly code: ReaderProblemCode;
  readonly message: string;
  /** Bytes from the start of the message. */
  readonly offset: number;
}

/** A value: an exact whole number, text (addresses, names), a boolean, or bytes of an unknown type. */
export type FieldValue = number | bigint | string | boolean | Buffer;

/** One field of a template from an exporter. */
export interface ReaderField {
  readonly id: number;
  readonly enterprise: number;
  /** Bytes, or `VARIABLE_LENGTH`. */
  readonly size: number;
  /** Undefined when the table of elements does not have the number. */
  readonly element: Element | undefined;
  /** The element's name, or `element ID` and `enterprise PEN element ID` for those without one. */
  readonly name: string;
}

/** A template from an exporter (RFC 7011, section 3.4). */
export interface ReaderTemplate {
  readonly id: number;
  readonly fields: readonly ReaderField[];
  /** Scope fields, which come first (RFC 7011, section 3.4.2.1); 0 except in an Options Template Set. */
  readonly scopeCount: number;
  /** The shortest record, in bytes. */
  readonly recordSizeMin: number;
}

/** A decoded data record; values are in the order of the template's fields. */
export interface DecodedRecord {
  readonly template: ReaderTemplate;
  readonly values: readonly FieldValue[];
}

/** A message, as far as it could be decoded. */
export interface DecodedMessage {
  /** Seconds since 1970; 0 when the header is truncated. */
  readonly exportTimeSeconds: number;
  readonly sequenceNumber: number;
  readonly observationDomainId: number;
  /** Templates in this message, including those that were known. */
  readonly templates: readonly ReaderTemplate[];
  /** Ids of templates that it withdraws. */
  readonly withdrawals: readonly number[];
  readonly records: readonly DecodedRecord[];
  readonly problems: readonly ReaderProblem[];
}
