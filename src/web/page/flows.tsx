// The largest flows in the caches, all or those that a filter selects, and the last exported records.

import { useState } from 'preact/hooks';
import type { FlowsDocument, RecordValues } from '../live-message.ts';
import { useFilteredFlows } from './flow-search.ts';
import { whole } from './format.ts';
import { RecordTable } from './record-table.tsx';

/** Properties of the section. */
export interface FlowsProps {
  /** Those of the last update, without a filter. */
  readonly flows: FlowsDocument | undefined;
  /** Whether the page is paused, so that nothing is searched. */
  readonly isPaused: boolean;
}

export function Flows({ flows, isPaused }: FlowsProps) {
  const [filter, setFilter] = useState('');
  const search = useFilteredFlows(filter, isPaused);
  const shown = filter.trim() === '' ? flows : search.flows;
  return (
    <section aria-labelledby="flows">
      <div class="heading">
        <h2 id="flows">Largest flows in the caches</h2>
        <input
          type="search"
          aria-label="filter of flows"
          placeholder="interface, VM, or port=443 proto=tcp"
          value={filter}
          onInput={({ currentTarget }) => setFilter(currentTarget.value)}
        />
      </div>
      {search.fault !== undefined && (
        <p class="loss" role="alert">
          {search.fault}
        </p>
      )}
      {shown === undefined ? null : shown.rows.length === 0 ? (
        <p class="empty">{shown.flows === 0 ? 'The caches are empty.' : 'No flow matches.'}</p>
      ) : (
        <>
          <p class="quiet">
            {shown.rows.length} of {whole(shown.matched)}, by octets
          </p>
          <RecordTable rows={shown.rows} label="flows" hasEnd={false} />
        </>
      )}
    </section>
  );
}

export function Records({ records }: { readonly records: readonly RecordValues[] }) {
  return (
    <section aria-labelledby="records">
      <h2 id="records">Last records</h2>
      {records.length === 0 ? (
        <p class="empty">No record has been exported yet.</p>
      ) : (
        <RecordTable rows={records} label="records" hasEnd />
      )}
    </section>
  );
}
