// A strict IPFIX reader for `collect` and for the tests: it decodes as much of a message as it can, and reports what is wrong
// in sentences. It has no socket and no clock: its owner passes whole messages and the names of their sessions.

import { decodeValue, isPossibleSize } from './field-value.ts';
import {
  DATA_SET_ID_MIN,
  IPFIX_VERSION,
  MESSAGE_HEADER_SIZE,
  OPTIONS_TEMPLATE_SET_ID,
  otherProtocol,
  SET_HEADER_SIZE,
  TEMPLATE_SET_ID,
  VARIABLE_LENGTH,
} from './protocol.ts';
import { fieldOf, recordSizeMin, sameTemplate } from './reader-template.ts';
import type {
  DecodedMessage,
  DecodedRecord,
  FieldValue,
  ReaderField,
  ReaderProblem,
  ReaderProblemCode,
  ReaderTemplate,
} from './reader-types.ts';
import {
  type DomainState,
  READER_LIMITS,
  type ReaderLimits,
  TemplateStore,
  type TemplateStoreStatus,
} from './template-store.ts';

/** Padding aligns sets to 4 or 8 bytes (RFC 7011, section 3.3.1); more bytes that are not zeros are a truncated record. */
const PADDING_SIZE_MAX = 7;
/** Problems of one message that are kept; a hostile message can have thousands. */
const PROBLEMS_MAX = 100;

/** How a message was received. */
export type ReaderTransport = 'udp' | 'tcp';

/** Reads messages of any number of sessions. */
export class MessageReader {
  readonly #store: TemplateStore;

  constructor(limits: Partial<ReaderLimits> = {}) {
    this.#store = new TemplateStore({ ...READER_LIMITS, ...limits });
  }

  /**
   * Decodes one message, which is all of `bytes`. Templates and sequence numbers are stored for the session, which is a pair of
   * addresses and ports over UDP and a connection otherwise (RFC 7011, section 2, "Transport Session").
   */
  read(session: string, bytes: Buffer, transport: ReaderTransport = 'udp'): DecodedMessage {
    return new MessageDecoding(this.#store, session, bytes, transport).decode();
  }

  /** Removes a session that has ended. */
  endSession(session: string): void {
    this.#store.endSession(session);
  }

  status(): TemplateStoreStatus {
    return this.#store.status();
  }
}

/** The decoding of one message: walks over its sets and collects records, templates and problems. */
class MessageDecoding {
  readonly #store: TemplateStore;
  readonly #session: string;
  /** The message; less than what was received when that is longer. */
  #bytes: Buffer;
  readonly #transport: ReaderTransport;
  readonly #templates: ReaderTemplate[] = [];
  readonly #withdrawals: number[] = [];
  readonly #records: DecodedRecord[] = [];
  readonly #problems: ReaderProblem[] = [];
  /** False as soon as data records may not have been counted, so that the next sequence number is unknown. */
  #isCountComplete = true;

  constructor(store: TemplateStore, session: string, bytes: Buffer, transport: ReaderTransport) {
    this.#store = store;
    this.#session = session;
    this.#bytes = bytes;
    this.#transport = transport;
  }

  decode(): DecodedMessage {
    const bytes = this.#bytes;
    if (bytes.length < MESSAGE_HEADER_SIZE) {
      const text = `The message has ${bytes.length} bytes, fewer than the ${MESSAGE_HEADER_SIZE} of its header.`;
      this.#problem('short-message', 0, text);
      return this.#result(0, 0, 0);
    }
    const result = () => this.#result(bytes.readUInt32BE(4), bytes.readUInt32BE(8), bytes.readUInt32BE(12));
    const version = bytes.readUInt16BE(0);
    if (version !== IPFIX_VERSION) {
      const text = `The message has version ${version}${otherProtocol(bytes)}; IPFIX is version ${IPFIX_VERSION}.`;
      this.#problem('bad-version', 0, text);
      return result();
    }
    const length = bytes.readUInt16BE(2);
    if (length !== bytes.length) {
      const text = `The message has ${bytes.length} bytes, and ${length} according to its header.`;
      this.#problem('bad-message-length', 2, text);
      if (length > bytes.length || length < MESSAGE_HEADER_SIZE) {
        return result();
      }
      this.#bytes = bytes.subarray(0, length);
    }
    const { state, isOtherDropped } = this.#store.domain(this.#session, bytes.readUInt32BE(12));
    if (isOtherDropped) {
      this.#problem(
        'domain-limit',
        12,
        'Too many sessions or observation domains; the least recently used one is dropped.',
      );
    }
    const isLate = this.#checkSequence(state, bytes.readUInt32BE(8));
    this.#readSets(state);
    const next = this.#isCountComplete ? (bytes.readUInt32BE(8) + this.#records.length) >>> 0 : undefined;
    state.lateSequenceNumber = isLate ? next : undefined;
    if (!isLate) {
      state.nextSequenceNumber = next;
    }
    return result();
  }

  /**
   * Checks that the sequence number counts the data records of this domain before this message (RFC 7011, section 3.1).
   * Returns true for a message that is late; one with 0, or that follows the last late one, is from a restarted exporter.
   */
  #checkSequence(state: DomainState, sequenceNumber: number): boolean {
    const expected = state.nextSequenceNumber;
    if (expected === undefined || expected === sequenceNumber) {
      return false;
    }
    const missing = (sequenceNumber - expected) >>> 0;
    const facts = `sequence number ${sequenceNumber}, expected ${expected}`;
    if (missing < 0x8000_0000) {
      const records = missing === 1 ? 'data record is' : 'data records are';
      this.#problem('sequence-gap', 8, `${missing} ${records} missing: ${facts}.`);
      return false;
    }
    const text = `The message is repeated or late, or its exporter has restarted: ${facts}.`;
    this.#problem('sequence-repeat', 8, text);
    return sequenceNumber !== 0 && sequenceNumber !== state.lateSequenceNumber;
  }

  /* Each set: set id (2), length with this header (2), records, padding. RFC 7011, section 3.3. */
  #readSets(state: DomainState): void {
    const bytes = this.#bytes;
    for (let at = MESSAGE_HEADER_SIZE; at < bytes.length; ) {
      const left = bytes.length - at;
      const length = left < SET_HEADER_SIZE ? 0 : bytes.readUInt16BE(at + 2);
      if (length < SET_HEADER_SIZE || length > left) {
        const facts = left < SET_HEADER_SIZE ? 'a truncated header' : `length ${length}`;
        const text = `A set has ${facts} where ${left} bytes of the message are left; the rest is ignored.`;
        this.#problem('bad-set-length', at, text);
        this.#isCountComplete = false;
        return;
      }
      this.#readSet(state, bytes.readUInt16BE(at), at + SET_HEADER_SIZE, at + length);
      at += length;
    }
  }

  #readSet(state: DomainState, setId: number, start: number, end: number): void {
    if (start === end) {
      this.#problem('empty-set', start, `Set ${setId} has no record (RFC 7011, section 3.3).`);
      return;
    }
    if (setId === TEMPLATE_SET_ID || setId === OPTIONS_TEMPLATE_SET_ID) {
      this.#readTemplateSet(state, setId, start, end);
    } else if (setId >= DATA_SET_ID_MIN) {
      this.#readDataSet(state, setId, start, end);
    } else {
      const text = `Set id ${setId} is reserved (RFC 7011, section 3.3.2).`;
      this.#problem('reserved-set-id', start, text);
    }
  }

  /*
   * Each record: template id (2), field count (2), in an Options Template Set also scope field count (2), then for each
   * field: enterprise bit and element id (2), length (2), with the enterprise bit also the enterprise number (4).
   * A field count of 0 withdraws the template. RFC 7011, sections 3.4 and 8.1.
   */
  #readTemplateSet(state: DomainState, setId: number, start: number, end: number): void {
    const bytes = this.#bytes;
    let at = start;
    while (end - at >= 4) {
      const id = bytes.readUInt16BE(at);
      const fieldCount = bytes.readUInt16BE(at + 2);
      if (id === 0 && fieldCount === 0) {
        break;
      }
      if (id < DATA_SET_ID_MIN && (id !== setId || fieldCount !== 0)) {
        const text = `Template id ${id} is less than ${DATA_SET_ID_MIN}; the rest of the set is ignored.`;
        this.#problem('bad-template-id', at, text);
        return;
      }
      if (fieldCount === 0) {
        this.#withdraw(state, id, at);
        at += 4;
        continue;
      }
      const next = this.#readTemplate(state, setId, at, end);
      if (next === undefined) {
        return;
      }
      at = next;
    }
    this.#checkPadding(at, end, 'a template');
  }

  /** Reads one template record; returns the offset behind it, or undefined when it is truncated. */
  #readTemplate(state: DomainState, setId: number, start: number, end: number): number | undefined {
    const bytes = this.#bytes;
    const id = bytes.readUInt16BE(start);
    const fieldCount = bytes.readUInt16BE(start + 2);
    const isOptions = setId === OPTIONS_TEMPLATE_SET_ID;
    let at = start + (isOptions ? 6 : 4);
    const fields: ReaderField[] = [];
    while (fields.length < fieldCount) {
      const size = end - at < 4 ? 4 : (bytes.readUInt16BE(at) & 0x8000) === 0 ? 4 : 8;
      if (end - at < size) {
        const text = `Template ${id} has ${fieldCount} fields, and its set ends after ${fields.length}.`;
        this.#problem('short-template', start, text);
        this.#store.refuseTemplate(state, id);
        return undefined;
      }
      const elementId = bytes.readUInt16BE(at) & 0x7fff;
      fields.push(
        fieldOf(elementId, size === 8 ? bytes.readUInt32BE(at + 4) : 0, bytes.readUInt16BE(at + 2)),
      );
      at += size;
    }
    const scopeCount = isOptions ? bytes.readUInt16BE(start + 4) : 0;
    if (isOptions && (scopeCount === 0 || scopeCount > fieldCount)) {
      const text = `Options template ${id} has ${scopeCount} scope fields and ${fieldCount} fields.`;
      this.#problem('bad-scope-count', start + 4, text);
      this.#store.refuseTemplate(state, id);
    } else {
      this.#addTemplate(state, { id, fields, scopeCount, recordSizeMin: recordSizeMin(fields) }, start);
    }
    return at;
  }

  #addTemplate(state: DomainState, template: ReaderTemplate, offset: number): void {
    for (const { element, size, name } of template.fields) {
      // A set would have an unlimited number of records without bytes.
      const isPossible =
        size === VARIABLE_LENGTH || (element === undefined ? true : isPossibleSize(element.type, size));
      if (size > 0 && isPossible) {
        continue;
      }
      this.#problem('bad-field-length', offset, `Template ${template.id} has length ${size} for ${name}.`);
      this.#store.refuseTemplate(state, template.id);
      return;
    }
    const known = state.templates.get(template.id);
    if (known !== undefined && !sameTemplate(known, template)) {
      const text = `Template ${template.id} has changed without a withdrawal (RFC 7011, section 8.1).`;
      this.#problem('template-changed', offset, text);
    }
    if (!this.#store.addTemplate(state, template)) {
      this.#store.refuseTemplate(state, template.id);
      const text = `Template ${template.id} exceeds the number of templates that are stored; it is ignored.`;
      this.#problem('template-limit', offset, text);
      return;
    }
    this.#templates.push(template);
  }

  /** Withdraws a template; the id of a template set withdraws all templates of that kind. */
  #withdraw(state: DomainState, id: number, offset: number): void {
    if (this.#transport === 'udp') {
      const text = `Template ${id} is withdrawn over UDP, which is not allowed; it stays (RFC 7011, section 8.4).`;
      this.#problem('withdrawal-over-udp', offset, text);
      return;
    }
    this.#withdrawals.push(id);
    if (id === TEMPLATE_SET_ID || id === OPTIONS_TEMPLATE_SET_ID) {
      for (const template of state.templates.values()) {
        const setId = template.scopeCount > 0 ? OPTIONS_TEMPLATE_SET_ID : TEMPLATE_SET_ID;
        if (setId === id) {
          this.#store.removeTemplate(state, template.id);
        }
      }
    } else if (!this.#store.removeTemplate(state, id)) {
      this.#problem('unknown-withdrawal', offset, `Template ${id} is withdrawn and is unknown.`);
    }
  }

  #readDataSet(state: DomainState, setId: number, start: number, end: number): void {
    const template = state.templates.get(setId);
    if (template === undefined) {
      const why = state.refused.has(setId) ? `template ${setId} was refused` : 'which is unknown';
      const text = `A set of ${end - start} bytes needs template ${setId}, ${why}; it is ignored.`;
      this.#problem('unknown-template', start, text);
      this.#isCountComplete = false;
      return;
    }
    let at = start;
    while (end - at >= template.recordSizeMin) {
      const next = this.#readRecord(template, at, end);
      if (next === undefined) {
        this.#isCountComplete = false;
        return;
      }
      at = next;
    }
    if (end - at > PADDING_SIZE_MAX && !isZero(this.#bytes, at, end)) {
      const text = `A record of template ${setId} has ${end - at} bytes instead of ${template.recordSizeMin}.`;
      this.#problem('short-record', at, text);
      return;
    }
    this.#checkPadding(at, end, `a record of template ${setId}`);
  }

  /** Reads one record; returns the offset behind it, or undefined when it is truncated. */
  #readRecord(template: ReaderTemplate, start: number, end: number): number | undefined {
    const bytes = this.#bytes;
    const values: FieldValue[] = [];
    let at = start;
    for (const field of template.fields) {
      let { size } = field;
      if (size === VARIABLE_LENGTH) {
        // One byte of length, or 255 and two bytes (RFC 7011, section 7).
        const isLong = at < end && bytes[at] === 255;
        const lengthSize = isLong ? 3 : 1;
        size = at + lengthSize > end ? end : isLong ? bytes.readUInt16BE(at + 1) : bytes.readUInt8(at);
        at += lengthSize;
      }
      if (size > end - at) {
        const text = `A record of template ${template.id} is truncated at ${field.name}, where its set ends.`;
        this.#problem('short-record', start, text);
        return undefined;
      }
      values.push(this.#valueOf(field, at, at + size));
      at += size;
    }
    this.#records.push({ template, values });
    return at;
  }

  #valueOf(field: ReaderField, start: number, end: number): FieldValue {
    const bytes = this.#bytes.subarray(start, end);
    const isPossible = field.element === undefined || isPossibleSize(field.element.type, bytes.length);
    const value = isPossible ? decodeValue(field, bytes) : undefined;
    if (value !== undefined) {
      return value;
    }
    const shown = bytes.subarray(0, 16).toString('hex');
    this.#problem(
      'bad-value',
      start,
      `The value of ${field.name} is not valid: 0x${shown}, ${bytes.length} bytes.`,
    );
    return Buffer.from(bytes);
  }

  /** Checks that padding is zeros (RFC 7011, section 3.3.1). */
  #checkPadding(start: number, end: number, record: string): void {
    if (isZero(this.#bytes, start, end)) {
      return;
    }
    const text = `${end - start} bytes behind ${record} are neither a record nor padding of zeros.`;
    this.#problem('padding-nonzero', start, text);
  }

  #problem(code: ReaderProblemCode, offset: number, message: string): void {
    if (this.#problems.length < PROBLEMS_MAX) {
      this.#problems.push({ code, message, offset });
    }
  }

  #result(exportTimeSeconds: number, sequenceNumber: number, observationDomainId: number): DecodedMessage {
    return {
      exportTimeSeconds,
      sequenceNumber,
      observationDomainId,
      templates: this.#templates,
      withdrawals: this.#withdrawals,
      records: this.#records,
      problems: this.#problems,
    };
  }
}

function isZero(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    if (bytes[at] !== 0) {
      return false;
    }
  }
  return true;
}
