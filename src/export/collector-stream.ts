// The stream of messages to one collector: gives each message its sequence number, and sends templates before the records that
// need them. Both are kept per observation domain and connection (RFC 7011, sections 3.1 and 8); a session sends the bytes.

import { MessageWriter } from '../ipfix/message-writer.ts';
import { SEQUENCE_NUMBER_OFFSET } from '../ipfix/protocol.ts';
import type { CollectorSession, CollectorTarget, OpenSession, SessionStatus } from './collector-session.ts';
import type { OpenMessage } from './open-message.ts';

/**
 * Observation domains whose state a stream keeps. A `sample` action may take its domain from a field of the packet, so there
 * can be any number; beyond the limit the oldest one is dropped, and starts over when it appears again.
 */
export const STREAM_DOMAINS_MAX = 4096;

/** The options of the exporter that a stream uses. */
export interface StreamOptions {
  /** Seconds after which templates are repeated over an unreliable transport. */
  readonly templateIntervalSeconds: number;
  /** All templates, in sets that each fit into a message. */
  readonly templateSets: readonly Buffer[];
  readonly messageBytesMax: number;
}

interface DomainState {
  readonly observationDomainId: number;
  /** Data records before the next message, modulo 2^32. */
  sequenceNumber: number;
  /** `steadySeconds` of the last templates; -Infinity when they are due at once. */
  templateSteadySeconds: number;
  /** Export time of the last templates, for status. */
  templateExportTimeSeconds: number | undefined;
}

/** One observation domain on one connection, for operators. */
export interface DomainStatus {
  readonly observationDomainId: number;
  /** Sequence number of the next message. */
  readonly sequenceNumber: number;
  /** Seconds since 1970; undefined before the first templates. */
  readonly lastTemplateTimeSeconds: number | undefined;
}

/** A collector, for operators. */
export interface CollectorStatus extends SessionStatus {
  readonly target: string;
  readonly templateMessages: number;
  readonly lastTemplateTimeSeconds: number | undefined;
  readonly domains: readonly DomainStatus[];
  /** Domains whose state was dropped at `STREAM_DOMAINS_MAX`. */
  readonly domainsForgotten: number;
}

/** A target with its session and its state per observation domain. */
export class CollectorStream {
  readonly target: CollectorTarget;
  readonly #session: CollectorSession;
  readonly #domains = new Map<number, DomainState>();
  #options: StreamOptions;
  #templateWriter: MessageWriter;
  #lastDomain: DomainState | undefined;
  #templateMessages = 0;
  #lastTemplateTimeSeconds: number | undefined;
  #domainsForgotten = 0;

  constructor(target: CollectorTarget, openSession: OpenSession, options: StreamOptions) {
    this.target = target;
    this.#options = options;
    this.#templateWriter = new MessageWriter(options.messageBytesMax);
    this.#session = openSession(target, {
      restarted: () => this.#startOver(),
      templatesDoubtful: () => {
        for (const domain of this.#domains.values()) {
          domain.templateSteadySeconds = Number.NEGATIVE_INFINITY;
        }
      },
    });
  }

  get backlogCount(): number {
    return this.#session.backlogCount;
  }

  start(): void {
    this.#session.start();
  }

  /** Sends what waits and closes the session. */
  stop(): Promise<void> {
    return this.#session.stop();
  }

  /** Applies new options and keeps the connection. */
  setOptions(options: StreamOptions): void {
    if (options.messageBytesMax !== this.#options.messageBytesMax) {
      this.#templateWriter = new MessageWriter(options.messageBytesMax);
    }
    this.#options = options;
  }

  /**
   * Sends a finished message, templates first when they are due. The sequence number advances for a message that the session
   * drops as well, so that the gap shows the collector that records are missing.
   */
  deliver(message: OpenMessage): void {
    const { writer } = message;
    const domain = this.#domainOf(writer.observationDomainId);
    if (this.#templatesDue(domain, message.steadySeconds)) {
      this.#sendTemplates(domain, message);
    }
    putSequenceNumber(writer.bytes, domain.sequenceNumber);
    domain.sequenceNumber = (domain.sequenceNumber + writer.recordCount) >>> 0;
    this.#session.send(writer.bytes, writer.size, writer.recordCount);
  }

  status(): CollectorStatus {
    return {
      target: this.target.text,
      ...this.#session.status(),
      templateMessages: this.#templateMessages,
      lastTemplateTimeSeconds: this.#lastTemplateTimeSeconds,
      domains: Array.from(this.#domains.values(), (domain) => ({
        observationDomainId: domain.observationDomainId,
        sequenceNumber: domain.sequenceNumber,
        lastTemplateTimeSeconds: domain.templateExportTimeSeconds,
      })),
      domainsForgotten: this.#domainsForgotten,
    };
  }

  /** Templates are repeated at intervals over UDP and sent once over a reliable connection (RFC 7011, section 8.1). */
  #templatesDue(domain: DomainState, steadySeconds: number): boolean {
    if (domain.templateSteadySeconds === Number.NEGATIVE_INFINITY) {
      return true;
    }
    if (this.#session.isReliable) {
      return false;
    }
    return domain.templateSteadySeconds + this.#options.templateIntervalSeconds <= steadySeconds;
  }

  /** Sends all templates; they stay due if the session drops one. */
  #sendTemplates(domain: DomainState, message: OpenMessage): void {
    const writer = this.#templateWriter;
    const { exportTimeSeconds, observationDomainId } = message.writer;
    for (const set of this.#options.templateSets) {
      writer.begin(exportTimeSeconds, observationDomainId);
      writer.appendSet(set);
      putSequenceNumber(writer.bytes, domain.sequenceNumber);
      if (!this.#session.send(writer.bytes, writer.finish(), 0)) {
        return;
      }
      this.#templateMessages += 1;
    }
    domain.templateSteadySeconds = message.steadySeconds;
    domain.templateExportTimeSeconds = exportTimeSeconds;
    this.#lastTemplateTimeSeconds = exportTimeSeconds;
  }

  /** The cached domain is never one that was dropped at the limit: adding a domain drops one, and is cached itself. */
  #domainOf(observationDomainId: number): DomainState {
    if (this.#lastDomain?.observationDomainId === observationDomainId) {
      return this.#lastDomain;
    }
    const domain = this.#domains.get(observationDomainId) ?? this.#addDomain(observationDomainId);
    this.#lastDomain = domain;
    return domain;
  }

  #addDomain(observationDomainId: number): DomainState {
    if (this.#domains.size >= STREAM_DOMAINS_MAX) {
      const [first] = this.#domains.keys();
      if (first !== undefined) {
        this.#domains.delete(first);
      }
      this.#domainsForgotten += 1;
    }
    const domain: DomainState = {
      observationDomainId,
      sequenceNumber: 0,
      templateSteadySeconds: Number.NEGATIVE_INFINITY,
      templateExportTimeSeconds: undefined,
    };
    this.#domains.set(observationDomainId, domain);
    return domain;
  }

  #startOver(): void {
    this.#domains.clear();
    this.#lastDomain = undefined;
  }
}

function putSequenceNumber(bytes: Uint8Array, sequenceNumber: number): void {
  bytes[SEQUENCE_NUMBER_OFFSET] = sequenceNumber >>> 24;
  bytes[SEQUENCE_NUMBER_OFFSET + 1] = sequenceNumber >>> 16;
  bytes[SEQUENCE_NUMBER_OFFSET + 2] = sequenceNumber >>> 8;
  bytes[SEQUENCE_NUMBER_OFFSET + 3] = sequenceNumber;
}
