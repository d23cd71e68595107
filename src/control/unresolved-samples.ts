// The flows of one bridge whose `sample` actions take an id from a field that packet-ins lack, such as dp_hash: their samples
// are exported with the id 0, and the condition `sample-field-unresolved` names them. Groups have the same condition.

import type { Condition } from '../config/condition.ts';
import type { Action } from '../node-openflow/index.ts';
import { type TranslationOptions, unresolvedIds } from './translation.ts';

/** Most flows that are reported by name; see docs/conditions.md. */
const NAMED_MAX = 20;

export class UnresolvedSamples {
  readonly #found = new Map<string, { readonly ids: readonly string[]; readonly name: string }>();

  /** Adds or removes a flow. `nameOf` returns its name for operators: "flow table=0,priority=3,ip". */
  update(key: string, actions: readonly Action[], options: TranslationOptions, nameOf: () => string): void {
    const ids = unresolvedIds(actions, options);
    if (ids.length > 0) {
      this.#found.set(key, { ids, name: nameOf() });
    } else {
      this.#found.delete(key);
    }
  }

  delete(key: string): void {
    this.#found.delete(key);
  }

  clear(): void {
    this.#found.clear();
  }

  conditions(bridge: string): readonly Condition[] {
    return [...this.#found.values()]
      .slice(0, NAMED_MAX)
      .map(({ ids, name }) => unresolvedCondition(`Bridge ${bridge}, ${name}`, ids));
  }
}

/** Returns the condition of one flow or group. */
function unresolvedCondition(where: string, ids: readonly string[]): Condition {
  return {
    code: 'sample-field-unresolved',
    severity: 'warning',
    where,
    message:
      `Its "sample" action has ${[...new Set(ids)].join(' and ')}, a field that Open vSwitch does not show to ` +
      'controllers: its records have 0 for this id.',
    action:
      'Copy the value to a register before the action and take the id from there, as in ' +
      '"move:FIELD->NXM_NX_REG0[],sample(...,obs_point_id=NXM_NX_REG0[])".',
  };
}
