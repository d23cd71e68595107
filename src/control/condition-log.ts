// Logs each condition once, at the level of its severity, and again when it recurs.

import { type Condition, describeCondition } from '../config/condition.ts';
import type { Logger } from '../runtime/log.ts';

export class ConditionLog {
  readonly #log: Logger;
  readonly #logged = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Takes all conditions of the moment. */
  update(conditions: readonly Condition[]): void {
    const now = new Map(conditions.map((condition) => [describeCondition(condition), condition.severity]));
    for (const logged of this.#logged) {
      if (!now.has(logged)) {
        this.#logged.delete(logged);
      }
    }
    for (const [text, severity] of now) {
      if (!this.#logged.has(text)) {
        this.#logged.add(text);
        this.#log[severity === 'error' ? 'error' : 'warn'](text);
      }
    }
  }
}
