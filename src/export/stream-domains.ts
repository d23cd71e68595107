// The state of a stream by observation domain: sequence numbers, and which templates the collector has, are kept per domain and
// connection (RFC 7011, sections 3.1 and 8).

import type { RecordLayout } from '../ipfix/record-layout.ts';

/**
 * Observation domains whose state a stream keeps. A `sample` action may take its domain from a field of the packet, so there
 * can be any number; beyond the limit the oldest one is dropped, and starts over when it appears again.
 */
export const STREAM_DOMAINS_MAX = 4096;

/** Observation domains that get options records; those of one bridge can be 56 messages. */
export const OPTIONS_DOMAINS_MAX = 64;

export interface DomainState {
  readonly observationDomainId: number;
  /** Data records before the next message, modulo 2^32. */
  sequenceNumber: number;
  /** `steadySeconds` of the last templates. */
  templateSteadySeconds: number;
  /** Export time of the last templates, for status. */
  templateExportTimeSeconds: number | undefined;
  /** Whether the domain is one of those that get options records. */
  readonly hasOptions: boolean;
  /** Layouts whose templates have been sent and are valid. */
  readonly layouts: Set<RecordLayout>;
  areOptionsDue: boolean;
  /** `steadySeconds` of the last options records; -Infinity before the first. */
  optionsSteadySeconds: number;
}

/** One observation domain on one connection, for operators. */
export interface DomainStatus {
  readonly observationDomainId: number;
  /** Sequence number of the next message. */
  readonly sequenceNumber: number;
  /** Seconds since 1970; undefined before the first templates. */
  readonly lastTemplateTimeSeconds: number | undefined;
}

export class StreamDomains {
  readonly #domains = new Map<number, DomainState>();
  #last: DomainState | undefined;
  #forgotten = 0;

  /** Domains whose state was dropped at `STREAM_DOMAINS_MAX`. */
  get forgotten(): number {
    return this.#forgotten;
  }

  all(): Iterable<DomainState> {
    return this.#domains.values();
  }

  /**
   * Returns the state of a domain, a new one the first time. The cached domain is never one that was dropped at the limit: adding a
   * domain drops one, and is cached itself.
   */
  of(observationDomainId: number): DomainState {
    if (this.#last?.observationDomainId === observationDomainId) {
      return this.#last;
    }
    const domain = this.#domains.get(observationDomainId) ?? this.#add(observationDomainId);
    this.#last = domain;
    return domain;
  }

  /** Forgets all domains: a new connection begins. */
  clear(): void {
    this.#domains.clear();
    this.#last = undefined;
  }

  status(): readonly DomainStatus[] {
    return Array.from(this.#domains.values(), (domain) => ({
      observationDomainId: domain.observationDomainId,
      sequenceNumber: domain.sequenceNumber,
      lastTemplateTimeSeconds: domain.templateExportTimeSeconds,
    }));
  }

  #add(observationDomainId: number): DomainState {
    if (this.#domains.size >= STREAM_DOMAINS_MAX) {
      const [first] = this.#domains.keys();
      if (first !== undefined) {
        this.#domains.delete(first);
      }
      this.#forgotten += 1;
    }
    const domain: DomainState = {
      hasOptions: this.#domains.size < OPTIONS_DOMAINS_MAX,
      layouts: new Set(),
      areOptionsDue: false,
      optionsSteadySeconds: Number.NEGATIVE_INFINITY,
      observationDomainId,
      sequenceNumber: 0,
      templateSteadySeconds: Number.NEGATIVE_INFINITY,
      templateExportTimeSeconds: undefined,
    };
    this.#domains.set(observationDomainId, domain);
    return domain;
  }
}
