// What the server sends over the WebSocket, one JSON text a second. The page sends nothing.

import type { RecordRow } from '../report/record-rows.ts';
import type { StatusDocument } from '../report/status-document.ts';
import type { TopFlows } from '../report/top-flows.ts';

/** One update; whole by itself, so that one that was left out for a slow browser is no loss. */
export interface LiveMessage {
  readonly status: StatusDocument;
  /** The largest flows, looked for every few seconds; absent before the first time. */
  readonly flows?: TopFlows;
  /** The newest records of each exporter. */
  readonly records: readonly RecordRow[];
}
