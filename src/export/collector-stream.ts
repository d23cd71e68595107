// The stream of messages to one collector: gives each message its sequence number, and sends templates before the records that
// need them, and with them the options records. All are kept per observation domain and connection (RFC 7011, sections 3.1 and
// 8); a session sends the bytes.

import { MessageWriter } from '../ipfix/message-writer.ts';
import { SCOPE_OFFSET } from '../ipfix/options-sets.ts';
import {
  EXPORT_TIME_OFFSET,
  MESSAGE_HEADER_SIZE,
  OBSERVATION_DOMAIN_OFFSET,
  SEQUENCE_NUMBER_OFFSET,
} from '../ipfix/protocol.ts';
import { layoutOfTemplate, type RecordLayout, TEMPLATES } from '../ipfix/record-layout.ts';
import type {
  CollectorSession,
  CollectorTarget,
  OpenSession,
  SendAhead,
  SessionHealth,
  SessionStatus,
} from './collector-session.ts';
import { collectorKey } from './exporter-options.ts';
import type { OpenMessage } from './open-message.ts';
import type { SendAccount, SendBudget } from './send-budget.ts';
import { type DomainState, type DomainStatus, StreamDomains } from './stream-domains.ts';
import { type StreamOptions, templateSetsOf } from './stream-options.ts';
import type { WaitingMessage } from './waiting-messages.ts';

/**
 * Seconds between two runs of options records to a domain: templates are repeated after each error of the network, and
 * options records then at most so often.
 */
const OPTIONS_PAUSE_SECONDS = 10;

/** A collector, for operators. */
export interface CollectorStatus extends SessionStatus {
  readonly target: string;
  /** Whether it gets records now. */
  readonly isInUse: boolean;
  readonly templateMessages: number;
  readonly lastTemplateTimeSeconds: number | undefined;
  /** Messages with options records, and those records; they are not in `recordsSent`. */
  readonly optionsMessages: number;
  readonly optionsRecordsSent: number;
  readonly domains: readonly DomainStatus[];
  /** Domains whose state was dropped at `STREAM_DOMAINS_MAX`. */
  readonly domainsForgotten: number;
}

/** The domain and the times of a message: see `OpenMessage`. */
export interface MessageTime {
  readonly observationDomainId: number;
  readonly exportTimeSeconds: number;
  readonly steadySeconds: number;
}

/** A target with its session and its state per observation domain. */
export class CollectorStream {
  readonly target: CollectorTarget;
  readonly #session: CollectorSession;
  /** Undefined over a reliable transport, which the collector itself slows down. */
  readonly #account: SendAccount | undefined;
  readonly #domains = new StreamDomains();
  /** Sends a message: by the session, or ahead of the message that a reliable session hands over. */
  #transmit: SendAhead;
  #options: StreamOptions;
  #templateWriter: MessageWriter;
  #templateMessages = 0;
  #lastTemplateTimeSeconds: number | undefined;
  #optionsMessages = 0;
  #optionsRecordsSent = 0;

  constructor(
    target: CollectorTarget,
    openSession: OpenSession,
    options: StreamOptions,
    budget: SendBudget | undefined,
  ) {
    this.target = target;
    this.#options = options;
    this.#templateWriter = new MessageWriter(options.messageBytesMax);
    this.#session = openSession(target, {
      restarted: () => this.#domains.clear(),
      templatesDoubtful: () => this.#templatesAreDue(),
      stamp: (message, sendAhead) => this.#stamp(message, sendAhead),
    });
    this.#transmit = (bytes, size, recordCount) => this.#session.send(bytes, size, recordCount);
    this.#account = this.#session.isReliable ? undefined : budget?.open(collectorKey(target));
  }

  get backlogCount(): number {
    return this.#session.backlogCount;
  }

  /** The longest message that fits the path, in bytes; undefined: not known, or any. */
  get messageBytesMax(): number | undefined {
    return this.#session.messageBytesMax;
  }

  /** Whether messages wait in memory until the collector takes them. */
  get isReliable(): boolean {
    return this.#session.isReliable;
  }

  start(): void {
    this.#session.start();
  }

  /** Milliseconds until the send budget allows the next slice of records; 0: now. */
  waitMs(): number {
    return this.#account?.waitMs() ?? 0;
  }

  /** Notes for how many microseconds the oldest flow has been due. */
  setLateness(micros: number): void {
    this.#account?.setLateness(micros);
  }

  /** Notes that the records of so many flows will follow; the longest record of the layout gives the most messages. */
  expect(flowCount: number): void {
    const { recordLayout, messageBytesMax } = this.#options;
    const recordSizeMax = Math.max(...TEMPLATES[recordLayout].map(({ recordSize }) => recordSize));
    this.#account?.expect(flowCount, Math.ceil((flowCount * recordSizeMax) / messageBytesMax));
  }

  /** Sends what waits, for `timeoutMs` at most, and closes the session; resolves to the records that were still waiting. */
  stop(timeoutMs: number): Promise<number> {
    this.#account?.close();
    return this.#session.stop(timeoutMs);
  }

  /**
   * Applies new options and keeps the connection. The templates of another layout, and other options records, are sent before
   * the next records.
   */
  setOptions(options: StreamOptions): void {
    if (options.messageBytesMax !== this.#options.messageBytesMax) {
      this.#templateWriter = new MessageWriter(options.messageBytesMax);
    }
    if (options.optionsRecords !== this.#options.optionsRecords) {
      for (const domain of this.#domains.all()) {
        domain.areOptionsDue = domain.hasOptions;
        domain.optionsSteadySeconds = Number.NEGATIVE_INFINITY;
      }
    }
    this.#options = options;
  }

  get health(): SessionHealth {
    return this.#session.health ?? 'works';
  }

  /** Templates are sent before the next records of each domain: the collector has not been used for a while. */
  requireTemplates(): void {
    if (!this.#session.isReliable) {
      this.#templatesAreDue();
    }
  }

  /** Sends the templates of a domain alone over UDP: an answer shows whether the collector works, and no record is at stake. */
  probe({ observationDomainId, exportTimeSeconds, steadySeconds }: MessageTime): void {
    const { isReliable, isConnected = true } = this.#session;
    if (!isReliable && isConnected) {
      const domain = this.#domains.of(observationDomainId);
      this.#sendTemplates(domain, this.#options.recordLayout, exportTimeSeconds, steadySeconds);
    }
  }

  /**
   * Sends a finished message, templates and options records first when they are due. The sequence number advances for a
   * message that the session drops as well, so that the gap shows the collector that records are missing.
   */
  deliver(message: OpenMessage): void {
    const { writer } = message;
    if (this.#session.isReliable) {
      this.#session.send(writer.bytes, writer.size, writer.recordCount);
      return;
    }
    const domain = this.#domains.of(writer.observationDomainId);
    const { recordLayout } = this.#options;
    this.#prepare(domain, recordLayout, writer.exportTimeSeconds, message.steadySeconds);
    this.#number(domain, writer.bytes, writer.recordCount);
    this.#send(writer.bytes, writer.size, writer.recordCount);
  }

  /** The same for a message that has waited: it may be of an earlier layout, and has its export time from then. */
  #stamp({ bytes, recordCount, lostBefore }: WaitingMessage, sendAhead: SendAhead): void {
    this.#transmit = sendAhead;
    const exportTimeSeconds = bytes.readUInt32BE(EXPORT_TIME_OFFSET);
    const domain = this.#domains.of(bytes.readUInt32BE(OBSERVATION_DOMAIN_OFFSET));
    const isFirst = domain.layouts.size === 0;
    const layout = layoutOfTemplate(bytes.readUInt16BE(MESSAGE_HEADER_SIZE));
    this.#prepare(domain, layout, exportTimeSeconds, exportTimeSeconds);
    if (!isFirst) {
      domain.sequenceNumber = (domain.sequenceNumber + lostBefore) >>> 0;
    }
    this.#number(domain, bytes, recordCount);
  }

  status(isInUse: boolean): CollectorStatus {
    return {
      target: this.target.text,
      isInUse,
      ...this.#session.status(),
      templateMessages: this.#templateMessages,
      lastTemplateTimeSeconds: this.#lastTemplateTimeSeconds,
      optionsMessages: this.#optionsMessages,
      optionsRecordsSent: this.#optionsRecordsSent,
      domains: this.#domains.status(),
      domainsForgotten: this.#domains.forgotten,
    };
  }

  #send(bytes: Buffer, size: number, recordCount: number): boolean {
    const isAccepted = this.#transmit(bytes, size, recordCount);
    if (isAccepted) {
      this.#account?.spend(size, recordCount);
    }
    return isAccepted;
  }

  #templatesAreDue(): void {
    for (const domain of this.#domains.all()) {
      domain.layouts.clear();
    }
  }

  /** Sends what has to precede a message with records of the layout. */
  #prepare(
    domain: DomainState,
    layout: RecordLayout,
    exportTimeSeconds: number,
    steadySeconds: number,
  ): void {
    const { templateIntervalSeconds } = this.#options;
    if (this.#templatesDue(domain, layout, steadySeconds)) {
      this.#sendTemplates(domain, layout, exportTimeSeconds, steadySeconds);
    }
    // The wall clock, which times messages that have waited, may step back.
    const sinceOptions = Math.abs(steadySeconds - domain.optionsSteadySeconds);
    if (this.#session.isReliable && sinceOptions >= templateIntervalSeconds) {
      domain.areOptionsDue = domain.hasOptions;
    }
    if (domain.areOptionsDue && sinceOptions >= OPTIONS_PAUSE_SECONDS) {
      this.#sendOptions(domain, exportTimeSeconds, steadySeconds);
    }
  }

  #number(domain: DomainState, bytes: Uint8Array, recordCount: number): void {
    putSequenceNumber(bytes, domain.sequenceNumber);
    domain.sequenceNumber = (domain.sequenceNumber + recordCount) >>> 0;
  }

  /** Templates are repeated at intervals over UDP and sent once over a reliable connection (RFC 7011, section 8.1). */
  #templatesDue(domain: DomainState, layout: RecordLayout, steadySeconds: number): boolean {
    if (!domain.layouts.has(layout)) {
      return true;
    }
    if (this.#session.isReliable) {
      return false;
    }
    return domain.templateSteadySeconds + this.#options.templateIntervalSeconds <= steadySeconds;
  }

  /** Sends all templates; they stay due if the session drops one. */
  #sendTemplates(
    domain: DomainState,
    layout: RecordLayout,
    exportTimeSeconds: number,
    steadySeconds: number,
  ): void {
    const writer = this.#templateWriter;
    const { observationDomainId } = domain;
    if (!this.#session.isReliable) {
      // Repetitions are of this layout only.
      domain.layouts.clear();
    }
    for (const set of templateSetsOf(layout, this.#options.messageBytesMax)) {
      writer.begin(exportTimeSeconds, observationDomainId);
      writer.appendSet(set);
      putSequenceNumber(writer.bytes, domain.sequenceNumber);
      if (!this.#send(writer.bytes, writer.finish(), 0)) {
        return;
      }
      this.#templateMessages += 1;
    }
    domain.layouts.add(layout);
    domain.templateSteadySeconds = steadySeconds;
    domain.templateExportTimeSeconds = exportTimeSeconds;
    this.#lastTemplateTimeSeconds = exportTimeSeconds;
    domain.areOptionsDue = domain.hasOptions;
  }

  /**
   * Sends all options templates and options records, in as few messages as possible. What the session drops is not sent
   * before the next templates: a run is large, and would crowd out flow records.
   */
  #sendOptions(domain: DomainState, exportTimeSeconds: number, steadySeconds: number): void {
    const writer = this.#templateWriter;
    const { observationDomainId } = domain;
    domain.areOptionsDue = false;
    domain.optionsSteadySeconds = steadySeconds;
    writer.begin(exportTimeSeconds, observationDomainId);
    for (const { bytes, recordCount } of this.#options.optionsRecords.sets) {
      if (!writer.appendSet(bytes, recordCount)) {
        this.#sendOptionsMessage(domain);
        writer.begin(exportTimeSeconds, observationDomainId);
        writer.appendSet(bytes, recordCount);
      }
      if (recordCount > 0) {
        writer.view.setUint32(writer.size - bytes.length + SCOPE_OFFSET, observationDomainId);
      }
    }
    if (writer.recordCount > 0) {
      this.#sendOptionsMessage(domain);
    }
  }

  /** Sends the message that is being written. Options records are data records: the sequence number counts them. */
  #sendOptionsMessage(domain: DomainState): void {
    const { bytes, recordCount } = this.#templateWriter;
    const size = this.#templateWriter.finish();
    this.#number(domain, bytes, recordCount);
    if (this.#send(bytes, size, 0)) {
      this.#optionsMessages += 1;
      this.#optionsRecordsSent += recordCount;
    }
  }
}

function putSequenceNumber(bytes: Uint8Array, sequenceNumber: number): void {
  bytes[SEQUENCE_NUMBER_OFFSET] = sequenceNumber >>> 24;
  bytes[SEQUENCE_NUMBER_OFFSET + 1] = sequenceNumber >>> 16;
  bytes[SEQUENCE_NUMBER_OFFSET + 2] = sequenceNumber >>> 8;
  bytes[SEQUENCE_NUMBER_OFFSET + 3] = sequenceNumber;
}
