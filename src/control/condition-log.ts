// Logs each condition once, at the level of its severity, and again when it recurs.

import { type Condition, describeCondition } from '../config/condition.ts';
import type { Logger } from '../runtime/log.ts';

/** Conditions that are logged at a time; the others are counted. */
export const CONDITIONS_LOGGED_MAX = 100;

export class ConditionLog {
  readonly #log: Logger;
  #known: ReadonlyMap<string, Condition['severity']> = new Map();
  /** The texts of conditions: those of rows that have not changed are the same objects. */
  readonly #texts = new WeakMap<Condition, string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Takes all conditions of the moment. */
  update(conditions: readonly Condition[]): void {
    const now = new Map(conditions.map((condition) => [this.#textOf(condition), condition.severity]));
    const added = [...now].filter(([text]) => !this.#known.has(text));
    this.#known = now;
    for (const [text, severity] of added.slice(0, CONDITIONS_LOGGED_MAX)) {
      this.#log[severity === 'error' ? 'error' : 'warn'](text);
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
