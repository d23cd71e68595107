// The arithmetic of sampling: how many packets there were, how many we saw, and what one sample stands for.

import { type ListedExporter, listExporters } from '../../report/exporter-list.ts';
import type { StatusDocument } from '../../report/status-document.ts';
import { DataTable } from './data-table.tsx';
import { whole } from './format.ts';

const HEADS = ['exporter', '>pool', '>received', '>dropped', '>lost', '>kept', 'a kept sample counts as'];

export function Sampling({ status }: { readonly status: StatusDocument }) {
  const listed = listExporters(status);
  if (listed.length === 0) {
    return null;
  }
  return (
    <section aria-labelledby="sampling">
      <h2 id="sampling">What a record stands for</h2>
      <DataTable label="sampling" heads={HEADS}>
        {listed.map((each) => (
          <tr key={each.label}>
            <th scope="row">{each.label}</th>
            <td class="number">{whole(each.pool.poolPackets)}</td>
            <td class="number">{whole(each.sampling.sampler.received)}</td>
            <td class="number">{whole(each.pool.droppedByMeter)}</td>
            <td class="number">{whole(each.pool.lost)}</td>
            <td class="number">{whole(each.sampling.sampler.selected)}</td>
            <td>{weightText(each)}</td>
          </tr>
        ))}
      </DataTable>
    </section>
  );
}

function weightText({ sampleWeight, pool }: ListedExporter): string {
  const madeUp =
    pool.expansion > 1 ? `; those that are missing are made up for (x ${pool.expansion.toFixed(2)})` : '';
  if (sampleWeight === undefined) {
    return `the inverse of its action's probability${madeUp}`;
  }
  const weight = Number.isInteger(sampleWeight) ? whole(sampleWeight) : sampleWeight.toFixed(2);
  return `${weight} ${sampleWeight === 1 ? 'packet' : 'packets'} (1 in ${whole(pool.interval)} is kept)${madeUp}`;
}
