// The templates that exporters have described, per session and observation domain, and what their sequence numbers
// should be (RFC 7011, section 8). Anyone can send UDP datagrams, so everything here has a limit: sessions and domains
// beyond theirs drop the one used longest ago, and templates beyond theirs are refused.

import type { ReaderTemplate } from './reader-types.ts';

/** How much a reader remembers. */
export interface ReaderLimits {
  /** Sessions (exporters). */
  readonly sessionsMax: number;
  /** Observation domains of one session. */
  readonly domainsMax: number;
  /** Templates of one domain. */
  readonly templatesMax: number;
  /** Fields of all templates of all sessions together; what bounds the memory. */
  readonly fieldsMax: number;
}

export const READER_LIMITS: ReaderLimits = {
  sessionsMax: 256,
  domainsMax: 1024,
  templatesMax: 1024,
  fieldsMax: 262_144,
};

/** What the reader remembers, and what it has dropped at its limits. */
export interface TemplateStoreStatus {
  readonly sessions: number;
  readonly templateFields: number;
  readonly sessionsDropped: number;
  readonly domainsDropped: number;
  readonly templatesRefused: number;
}

/** One observation domain of one session. */
export class DomainState {
  /** The sequence number that the next message should have; undefined when there is no telling. */
  nextSequenceNumber: number | undefined;
  /** The number that would follow upon the last message, when that came late. */
  lateSequenceNumber: number | undefined;
  readonly templates = new Map<number, ReaderTemplate>();
}

/** All that a reader remembers between messages. */
export class TemplateStore {
  readonly #limits: ReaderLimits;
  /** Both maps are in the order of use, the oldest first. */
  readonly #sessions = new Map<string, Map<number, DomainState>>();
  #templateFields = 0;
  #sessionsDropped = 0;
  #domainsDropped = 0;
  #templatesRefused = 0;

  constructor(limits: ReaderLimits) {
    this.#limits = limits;
  }

  /** The state of a domain, made when there is none. `isOtherDropped` says that another one had to go for it. */
  domain(session: string, observationDomainId: number): { state: DomainState; isOtherDropped: boolean } {
    let domains = this.#sessions.get(session);
    let isOtherDropped = false;
    if (domains === undefined) {
      if (this.#sessions.size >= this.#limits.sessionsMax) {
        this.#dropOldestSession();
        isOtherDropped = true;
      }
      domains = new Map();
    }
    this.#sessions.delete(session);
    this.#sessions.set(session, domains);
    let state = domains.get(observationDomainId);
    if (state === undefined) {
      if (domains.size >= this.#limits.domainsMax) {
        this.#dropOldestDomain(domains);
        isOtherDropped = true;
      }
      state = new DomainState();
    }
    domains.delete(observationDomainId);
    domains.set(observationDomainId, state);
    return { state, isOtherDropped };
  }

  /** Remembers a template; false when a limit forbids it. */
  addTemplate(domain: DomainState, template: ReaderTemplate): boolean {
    const known = domain.templates.get(template.id);
    const fieldsAfter = this.#templateFields - (known?.fields.length ?? 0) + template.fields.length;
    const isTooMany = known === undefined && domain.templates.size >= this.#limits.templatesMax;
    if (isTooMany || fieldsAfter > this.#limits.fieldsMax) {
      this.#templatesRefused += 1;
      return false;
    }
    this.#templateFields = fieldsAfter;
    domain.templates.set(template.id, template);
    return true;
  }

  /** Forgets a template; false when it was not known. */
  removeTemplate(domain: DomainState, id: number): boolean {
    const known = domain.templates.get(id);
    if (known === undefined) {
      return false;
    }
    this.#templateFields -= known.fields.length;
    domain.templates.delete(id);
    return true;
  }

  /** Forgets a session, such as a TCP connection that has ended (RFC 7011, section 8.3). */
  endSession(session: string): void {
    const domains = this.#sessions.get(session);
    if (domains === undefined) {
      return;
    }
    for (const domain of domains.values()) {
      this.#releaseFields(domain);
    }
    this.#sessions.delete(session);
  }

  status(): TemplateStoreStatus {
    return {
      sessions: this.#sessions.size,
      templateFields: this.#templateFields,
      sessionsDropped: this.#sessionsDropped,
      domainsDropped: this.#domainsDropped,
      templatesRefused: this.#templatesRefused,
    };
  }

  #dropOldestSession(): void {
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined) {
      this.endSession(oldest);
    }
    this.#sessionsDropped += 1;
  }

  #dropOldestDomain(domains: Map<number, DomainState>): void {
    const [oldest] = domains;
    if (oldest === undefined) {
      return;
    }
    this.#releaseFields(oldest[1]);
    domains.delete(oldest[0]);
    this.#domainsDropped += 1;
  }

  #releaseFields(domain: DomainState): void {
    for (const template of domain.templates.values()) {
      this.#templateFields -= template.fields.length;
    }
  }
}
