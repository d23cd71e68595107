// Reads the configuration from snapshots of the database: only rows that have changed, and only some of them in a turn of the event
// loop, so that a thousand new rows do not hold up packets.

import {
  type Configuration,
  ConfigurationCache,
  type ConfigurationTables,
  prepareConfiguration,
  readConfiguration,
} from '../config/configuration.ts';
import type { RunSettings } from '../config/settings.ts';
import { growYoungGeneration } from '../runtime/young-generation.ts';

/** Changed rows that are read in one turn of the event loop: some 3 ms of work. */
const ROWS_PER_TURN = 64;
/** Rows of a configuration above which what its reader does with it is done in another turn. */
const ROWS_OF_ONE_TURN = 200;

export class ConfigurationReader {
  readonly #settings: Pick<
    RunSettings,
    'messageBytesMax' | 'recordFormat' | 'source' | 'collectorTls' | 'fileTargets'
  >;
  readonly #cache = new ConfigurationCache();
  #preparation: { readonly tables: ConfigurationTables; readonly steps: Generator<void, void> } | undefined;
  #isPutOff = false;
  #last: { readonly tables: ConfigurationTables; readonly configuration: Configuration } | undefined;

  constructor({ messageBytesMax, recordFormat, source, collectorTls, fileTargets }: RunSettings) {
    this.#settings = { messageBytesMax, recordFormat, source, collectorTls, fileTargets };
  }

  /**
   * Reads some of the changed rows of a snapshot; returns the configuration when all are read. It is the same object for the same
   * snapshot.
   */
  read(tables: ConfigurationTables): Configuration | undefined {
    if (this.#last?.tables === tables) {
      this.#isPutOff = false;
      return this.#last.configuration;
    }
    if (this.#preparation?.tables !== tables) {
      if (tables.ipfix.size > ROWS_OF_ONE_TURN) {
        growYoungGeneration();
      }
      const steps = prepareConfiguration(tables, this.#settings, this.#cache, ROWS_PER_TURN);
      this.#preparation = { tables, steps };
    }
    if (this.#preparation.steps.next().done !== true) {
      return undefined;
    }
    const { messageBytesMax, recordFormat, ...ofProcess } = this.#settings;
    const configuration = readConfiguration(tables, messageBytesMax, recordFormat, this.#cache, ofProcess);
    this.#preparation = undefined;
    this.#last = { tables, configuration };
    // Not twice in a row: snapshots may come faster.
    this.#isPutOff = !this.#isPutOff && configuration.ipfixRows.length > ROWS_OF_ONE_TURN;
    return this.#isPutOff ? undefined : configuration;
  }
}
