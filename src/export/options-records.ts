// The options records of one exporter, encoded for all its collectors. They are encoded when they are sent next after a change
// of the interfaces: those of a bridge with many ports change often, and the records are sent with the templates only.

import { type DescribedInterface, encodeOptionsSets, type OptionsSet } from '../ipfix/options-sets.ts';
import { type OptionsSettings, sameOptionsRecords } from './exporter-options.ts';

/**
 * Interfaces that have a record. All records of a run are sent at once: those of 1,000 interfaces are 56 messages of 1,400
 * bytes, which fit into a collector's default receive buffer on Linux (212,992 bytes).
 */
export const OPTIONS_INTERFACES_MAX = 1000;

export class OptionsRecords {
  readonly #settings: OptionsSettings | undefined;
  #interfaces: readonly DescribedInterface[];
  #sets: readonly OptionsSet[] | undefined;

  constructor(settings: OptionsSettings | undefined, interfaces: readonly DescribedInterface[]) {
    this.#settings = settings;
    this.#interfaces = interfaces;
  }

  /** Returns the records of other settings; the same object for those that mean the same. */
  with(settings: OptionsSettings | undefined): OptionsRecords {
    return sameOptionsRecords(settings, this.#settings)
      ? this
      : new OptionsRecords(settings, this.#interfaces);
  }

  /** Replaces the interfaces; collectors get them with the next templates. */
  setInterfaces(interfaces: readonly DescribedInterface[]): void {
    this.#interfaces = interfaces;
    this.#sets = undefined;
  }

  /** The sets to send, none when no options records are wanted. */
  get sets(): readonly OptionsSet[] {
    this.#sets ??= this.#encode();
    return this.#sets;
  }

  /** Interfaces beyond `OPTIONS_INTERFACES_MAX`, which have no record. */
  get interfacesOmitted(): number {
    return this.#settings?.hasInterfaces === true
      ? Math.max(0, this.#interfaces.length - OPTIONS_INTERFACES_MAX)
      : 0;
  }

  #encode(): readonly OptionsSet[] {
    const settings = this.#settings;
    if (settings === undefined) {
      return [];
    }
    return encodeOptionsSets({
      samplingPopulation: settings.samplingPopulation,
      interfaces: settings.hasInterfaces ? this.#interfaces.slice(0, OPTIONS_INTERFACES_MAX) : undefined,
    });
  }
}
