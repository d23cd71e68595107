// The options of the exporter that the streams to its collectors use, and the encoded templates of each layout.

import type { RecordLayout } from '../ipfix/record-layout.ts';
import { encodeTemplateSets } from '../ipfix/template-sets.ts';
import type { ExporterOptions } from './exporter-options.ts';
import type { OptionsRecords } from './options-records.ts';

/** The options of the exporter that a stream uses. */
export interface StreamOptions {
  /** Seconds after which templates are repeated over an unreliable transport. */
  readonly templateIntervalSeconds: number;
  readonly recordLayout: RecordLayout;
  readonly messageBytesMax: number;
  readonly optionsRecords: OptionsRecords;
}

/** Returns the stream options of an exporter that sends records of the layout now. */
export function streamOptions(
  { templateIntervalSeconds, messageBytesMax }: ExporterOptions,
  recordLayout: RecordLayout,
  optionsRecords: OptionsRecords,
): StreamOptions {
  return { templateIntervalSeconds, recordLayout, messageBytesMax, optionsRecords };
}

const encodedTemplateSets = new Map<string, readonly Buffer[]>();

/** Returns all templates of a layout, in sets that each fit into a message, encoded once for all exporters. */
export function templateSetsOf(recordLayout: RecordLayout, messageBytesMax: number): readonly Buffer[] {
  const key = `${recordLayout} ${messageBytesMax}`;
  const sets = encodedTemplateSets.get(key) ?? encodeTemplateSets(recordLayout, messageBytesMax);
  encodedTemplateSets.set(key, sets);
  return sets;
}
