// What the page reads: the message of its WebSocket, one JSON text a second, and the answers of the paths that it asks.

import type { RecordRow } from '../report/record-rows.ts';
import type { TopFlows } from '../report/top-flows.ts';
import type { OverviewDocument, ShownCondition } from '../report/traffic/overview-document.ts';

/** A flow or record: see `RecordRow.values`. */
export type RecordValues = RecordRow['values'];

/** The largest flows of /flows.json without a window. */
export interface FlowsDocument {
  /** Flows that match, and flows in the caches that were searched. */
  readonly matched: number;
  readonly flows: number;
  /** Largest first. */
  readonly rows: readonly RecordValues[];
}

/** One update; complete by itself, so that a slow browser loses nothing when it misses one. */
export interface LiveMessage {
  readonly overview: OverviewDocument;
}

/** The answer of /records.json: the last records of each exporter. */
export interface RecordsDocument {
  readonly records: readonly RecordValues[];
}

/** The answer of /doctor.json. */
export interface DoctorDocument {
  /** Seconds since the examination ended. */
  readonly ageSeconds: number;
  readonly findings: readonly ShownCondition[];
}

/** Returns the result of a search as the page gets it. */
export function flowsDocument({ matched, flows, rows }: TopFlows): FlowsDocument {
  return { matched, flows, rows: rows.map(({ values }) => values) };
}
