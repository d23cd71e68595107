// The arithmetic of sampling by packet-ins: packets observed by the meter, packets that arrived, and the weight of a sample.

import { type ListedExporter, listExporters, redirectedOf } from '../../report/exporter-list.ts';
import type { StatusDocument } from '../../report/status-document.ts';
import { whole } from '../../runtime/counted.ts';
import { DataTable } from './data-table.tsx';

const HEADS = ['exporter', '>observed', '>received', '>dropped', '>lost', '>kept', 'weight of a sample'];

export function Sampling({ status }: { readonly status: StatusDocument }) {
  const listed = listExporters(status).filter((each) => redirectedOf(each) === undefined);
  if (listed.length === 0) {
    return null;
  }
  return (
    <section aria-labelledby="sampling">
      <h2 id="sampling">Packet-ins</h2>
      <DataTable label="sampling" heads={HEADS}>
        {listed.map((each) => (
          <tr key={each.label}>
            <th scope="row">{each.label}</th>
            <td class="number">{whole(each.meter.observedPackets)}</td>
            <td class="number">{whole(each.sampling.sampler.received)}</td>
            <td class="number">{whole(each.meter.droppedByMeter)}</td>
            <td class="number">{whole(each.meter.lost)}</td>
            <td class="number">{whole(each.sampling.sampler.selected)}</td>
            <td>{weightText(each)}</td>
          </tr>
        ))}
      </DataTable>
    </section>
  );
}

function weightText({ sampleWeight, interval, meter }: ListedExporter): string {
  const { compensationFactor: factor } = meter;
  const compensation = factor > 1 ? `; loss is compensated (x ${factor.toFixed(2)})` : '';
  if (sampleWeight === undefined || interval === undefined) {
    return `the inverse of its action's probability${compensation}`;
  }
  const weight = Number.isInteger(sampleWeight) ? whole(sampleWeight) : sampleWeight.toFixed(2);
  return `${weight} ${sampleWeight === 1 ? 'packet' : 'packets'} (1 in ${whole(interval)} is kept)${compensation}`;
}
