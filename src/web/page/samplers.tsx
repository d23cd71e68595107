// Which sampler each bridge has and why, the collector sets whose rows are redirected, and the account of what the datapath has
// sampled: exported by ovs-vswitchd, received by the daemon, and lost in between.

import type { BridgeSamplingStatus, SampledBridgeStatus } from '../../control/sampled-bridge-status.ts';
import { type ListedExporter, listExporters, redirectedOf } from '../../report/exporter-list.ts';
import type { StatusDocument } from '../../report/status-document.ts';
import { whole } from '../../runtime/counted.ts';
import { DataTable } from './data-table.tsx';

const HEADS = ['bridge', 'sampler', 'P', '>exported', '>received', '>lost', '>kept'];

/** A bridge that is sampled as a whole. */
type WholeBridge = SampledBridgeStatus & { readonly sampling: BridgeSamplingStatus };

export function Samplers({ status }: { readonly status: StatusDocument }) {
  const bridges = status.bridges.filter((each): each is WholeBridge => each.sampling !== undefined);
  const sets = listExporters(status).filter((each) => redirectedOf(each) !== undefined);
  if (bridges.length + sets.length === 0) {
    return null;
  }
  return (
    <section aria-labelledby="samplers">
      <h2 id="samplers">Samplers</h2>
      <DataTable label="samplers" heads={HEADS}>
        {bridges.map((each) => (
          <SamplerRow key={each.bridge} status={each} />
        ))}
        {sets.map((each) => (
          <SetRow key={each.label} listed={each} />
        ))}
      </DataTable>
    </section>
  );
}

function SamplerRow({ status }: { readonly status: WholeBridge }) {
  const { bridge, samplerChoice, ownRows, sampling } = status;
  const { datapath } = sampling;
  return (
    <tr data-sampler={bridge}>
      <th scope="row">{bridge}</th>
      <td>{samplerText(status)}</td>
      <td>{samplerChoice?.sampler === 'datapath' ? `${whole(samplerChoice.probability)} of 65,535` : ''}</td>
      {datapath === undefined || ownRows === undefined ? (
        <td colSpan={4} />
      ) : (
        <>
          <td class="number">{whole(datapath.packets.exported)}</td>
          <td class="number">{whole(datapath.packets.received)}</td>
          <td class="number">{whole(datapath.packets.lost)}</td>
          <td class="number">{whole(datapath.selected)}</td>
        </>
      )}
    </tr>
  );
}

function SetRow({ listed }: { readonly listed: ListedExporter }) {
  const redirected = redirectedOf(listed);
  return redirected === undefined ? null : (
    <tr data-sampler={listed.label}>
      <th scope="row">{listed.label}</th>
      <td>datapath: sample actions</td>
      <td />
      <td class="number">{whole(redirected.packets.exported)}</td>
      <td class="number">{whole(redirected.packets.received)}</td>
      <td class="number">{whole(redirected.packets.lost)}</td>
      <td class="number">{whole(redirected.selected)}</td>
    </tr>
  );
}

/** As in `status`: "datapath since 12:03:10: meter dropped". */
function samplerText({ samplerChoice }: SampledBridgeStatus): string {
  if (samplerChoice === undefined) {
    return 'packet-in: ovs-ipfix-sampler';
  }
  const { sampler, since, reason } = samplerChoice;
  return `${sampler} since ${since.slice(11, 19)}: ${reason}`;
}
