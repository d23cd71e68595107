// The templates and the next sequence numbers of exporters, per session and observation domain (RFC 7011, section 8). Any host
// can send UDP datagrams, so everything here has a limit: a session or domain beyond it replaces the least recently used one,
// and templates beyond it are refused.

import type { ReaderTemplate } from './reader-types.ts';

/** Limits of what a reader stores. */
export interface ReaderLimits {
  /** Sessions (exporters). */
  readonly sessionsMax: number;
  /** Observation domains of one session. */
  readonly domainsMax: number;
  /** Templates of one domain. */
  readonly templatesMax: number;
  /** Fields of all templates of all sessions; this limits the memory. */
  readonly fieldsMax: number;
  /** Refused templates of one domain whose ids are stored, to say so of sets that need them. */
  readonly refusedMax: number;
}

export const READER_LIMITS: ReaderLimits = {
  sessionsMax: 256,
  domainsMax: 1024,
  templatesMax: 1024,
  fieldsMax: 262_144,
  refusedMax: 16,
};

/** What the reader stores, and what it dropped at its limits. */
export interface TemplateStoreStatus {
  readonly sessions: number;
  readonly templateFields: number;
  readonly sessionsDropped: number;
  readonly domainsDropped: number;
  readonly templatesRefused: number;
}

const NONE: ReadonlySet<number> = new Set();

/** One observation domain of one session. */
export class DomainState {
  /** The expected sequence number of the next message; undefined when it is unknown. */
  nextSequenceNumber: number | undefined;
  /** The sequence number that would follow the last message, if that was late. */
  lateSequenceNumber: number | undefined;
  readonly templates = new Map<number, ReaderTemplate>();
  /** Ids of templates that were refused, the latest last. */
  refused: ReadonlySet<number> = NONE;
}

/** What a reader stores between messages. */
export class TemplateStore {
  readonly #limits: ReaderLimits;
  /** Both maps are in the order of use, the least recently used first. */
  readonly #sessions = new Map<string, Map<number, DomainState>>();
  #templateFields = 0;
  #sessionsDropped = 0;
  #domainsDropped = 0;
  #templatesRefused = 0;

  constructor(limits: ReaderLimits) {
    this.#limits = limits;
  }

  /** Returns the state of a domain, which is created if needed. `isOtherDropped` says that it replaced another one. */
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

  /** Stores a template; returns false when it would exceed a limit. */
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
    if (domain.refused.has(template.id)) {
      domain.refused = new Set([...domain.refused].filter((id) => id !== template.id));
    }
    return true;
  }

  /** Notes a template that is not stored; its records cannot be decoded with an older template of that id either. */
  refuseTemplate(domain: DomainState, id: number): void {
    this.removeTemplate(domain, id);
    const others = [...domain.refused].filter((other) => other !== id);
    domain.refused = new Set([...others.slice(Math.max(0, others.length + 1 - this.#limits.refusedMax)), id]);
  }

  /** Removes a template; returns false when it was not known. */
  removeTemplate(domain: DomainState, id: number): boolean {
    const known = domain.templates.get(id);
    if (known === undefined) {
      return false;
    }
    this.#templateFields -= known.fields.length;
    domain.templates.delete(id);
    return true;
  }

  /** Removes a session, such as a TCP connection that has ended (RFC 7011, section 8.3). */
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
