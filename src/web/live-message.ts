// The message of the live page's WebSocket: one JSON text a second. The page sends nothing.

import type { RecordRow } from '../report/record-rows.ts';
import type { StatusDocument } from '../report/status-document.ts';
import type { TopFlows } from '../report/top-flows.ts';

/** One update; complete by itself, so that a slow browser loses nothing when it misses one. */
export interface LiveMessage {
  readonly status: StatusDocument;
  /** The largest flows, updated every few seconds; absent before the first search. */
  readonly flows?: TopFlows;
  /** The last records of each exporter. */
  readonly records: readonly RecordRow[];
}
