// Logs each condition once, and again when it recurs.

import { type Condition, describeCondition } from '../config/condition.ts';
import type { Logger } from '../runtime/log.ts';

/** Conditions that are logged at a time; the others are counted. */
export const CONDITIONS_LOGGED_MAX = 100;

export class ConditionLog {
  readonly #log: Logger;
  #known: ReadonlySet<string> = new Set();
  /** The texts of conditions: those of rows that have not changed are the same objects. */
  readonly #texts = new WeakMap<Condition, string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Takes all conditions of the moment. */
  update(conditions: readonly Condition[]): void {
    const now = new Set(conditions.map((condition) => this.#textOf(condition)));
    const added = [...now].filter((text) => !this.#known.has(text));
    this.#known = now;
    for (const text of added.slice(0, CONDITIONS_LOGGED_MAX)) {
      this.#log.warn(text);
    }
    if (added.length > CONDITIONS_LOGGED_MAX) {
      this.#log.warn(`${added.length - CONDITIONS_LOGGED_MAX} more conditions; see "ovs-ipfix status"`);
    }
  }

  #textOf(condition: Condition): string {
    const text = this.#texts.get(condition) ?? describeCondition(condition);
    this.#texts.set(condition, text);
    return text;
  }
}
