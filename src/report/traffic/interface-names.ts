// The names of the interfaces that the history has met: those of now, and for interfaces that are gone, those that they had.

import type { RunningExporter } from '../../control/sampled-bridge-parts.ts';
import type { InterfaceNames } from '../../intake/ingress-interfaces.ts';

/** Interfaces of all bridges whose names are remembered; at the limit all are forgotten that no bridge has now. */
export const HISTORY_INTERFACES_MAX = 4096;

export class InterfaceMemory {
  readonly #names = new Map<string, Map<number, InterfaceNames>>();
  #count = 0;

  /** Reads the names that the interfaces of these exporters have now. */
  update(exporters: readonly RunningExporter[]): void {
    if (this.#count > HISTORY_INTERFACES_MAX) {
      this.#names.clear();
      this.#count = 0;
    }
    const seen = new Set<string>();
    for (const { bridge, interfaces } of exporters) {
      if (!seen.has(bridge)) {
        seen.add(bridge);
        this.#updateBridge(bridge, interfaces);
      }
    }
  }

  /** Returns the names of a number in records; undefined for an unknown one. */
  namesOf(bridge: string, number: number): InterfaceNames | undefined {
    return this.#names.get(bridge)?.get(number);
  }

  #updateBridge(bridge: string, interfaces: RunningExporter['interfaces']): void {
    const known = this.#names.get(bridge) ?? new Map<number, InterfaceNames>();
    const before = known.size;
    for (const { number } of interfaces.list) {
      const names = interfaces.namesOf(number);
      if (names !== undefined) {
        known.set(number, names);
      }
    }
    this.#names.set(bridge, known);
    this.#count += known.size - before;
  }
}
