// What the page reads: the message of its WebSocket, one JSON text a second, and the answer of /flows.json. The page sends
// nothing over the WebSocket.

import type { RecordRow } from '../report/record-rows.ts';
import type { StatusDocument } from '../report/status-document.ts';
import type { TopFlows } from '../report/top-flows.ts';

/** A flow or record: see `RecordRow.values`. */
export type RecordValues = RecordRow['values'];

/** The largest flows. */
export interface FlowsDocument {
  /** Flows that match, and flows in the caches that were searched. */
  readonly matched: number;
  readonly flows: number;
  /** Largest first. */
  readonly rows: readonly RecordValues[];
}

/** One update; complete by itself, so that a slow browser loses nothing when it misses one. */
export interface LiveMessage {
  readonly status: StatusDocument;
  /** The largest flows, updated every few seconds; absent before the first search. */
  readonly flows?: FlowsDocument;
  /** The last records of each exporter. */
  readonly records: readonly RecordValues[];
}

/** Returns the result of a search as the page gets it. */
export function flowsDocument({ matched, flows, rows }: TopFlows): FlowsDocument {
  return { matched, flows, rows: rows.map(({ values }) => values) };
}
