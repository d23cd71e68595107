// The largest flows that are in the caches now, all or those that a filter selects, and the last exported records.

import { useState } from 'preact/hooks';
import { whole } from '../../runtime/counted.ts';
import type { RecordsDocument } from '../live-message.ts';
import { useFlows } from './flow-search.ts';
import { RecordTable } from './record-table.tsx';
import { useJson } from './use-json.ts';

/** Properties of what is asked for while it is shown. */
export interface AskedProps {
  /** Another number when it is to be asked for again. */
  readonly turn: number;
  /** Whether the page is paused, so that nothing is asked for. */
  readonly isPaused: boolean;
}

export function Flows({ isPaused }: Pick<AskedProps, 'isPaused'>) {
  const [filter, setFilter] = useState('');
  const { document: flows, fault } = useFlows(filter, isPaused);
  return (
    <div class="part" id="flows" aria-label="flows in the caches">
      <input
        type="search"
        aria-label="filter of flows"
        placeholder="interface, VM, or port=443 proto=tcp"
        value={filter}
        onInput={({ currentTarget }) => setFilter(currentTarget.value)}
      />
      {fault !== undefined && (
        <p class="loss" role="alert">
          {fault}
        </p>
      )}
      {flows === undefined || fault !== undefined ? null : flows.rows.length === 0 ? (
        <p class="empty">{flows.flows === 0 ? 'The caches are empty.' : 'No flow matches.'}</p>
      ) : (
        <>
          <p class="quiet">
            {flows.rows.length} of {whole(flows.matched)}, by octets
          </p>
          <RecordTable rows={flows.rows} label="flows" hasEnd={false} />
        </>
      )}
    </div>
  );
}

export function Records({ turn, isPaused }: AskedProps) {
  const { document } = useJson<RecordsDocument>('/records.json', isPaused ? 0 : turn);
  if (document === undefined) {
    return null;
  }
  return document.records.length === 0 ? (
    <p class="empty">No record has been exported yet.</p>
  ) : (
    <div class="part" id="records" aria-label="last records">
      <RecordTable rows={document.records} label="records" hasEnd />
    </div>
  );
}
