// The largest flows in the caches, and the last exported records.

import { IP_PROTOCOL_NAMES } from '../../report/protocol-names.ts';
import type { RecordRow } from '../../report/record-rows.ts';
import { icmpText, interfaceText, tcpFlagsText } from '../../report/record-words.ts';
import type { TopFlows } from '../../report/top-flows.ts';
import { addressText } from '../../runtime/address-text.ts';
import { DataTable } from './data-table.tsx';
import { short, whole } from './format.ts';

type Values = RecordRow['values'];

const HEADS = ['from', 'to', 'protocol', '>packets', '>octets', 'start (UTC)', 'exporter', 'end'];

export function Flows({ flows }: { readonly flows: TopFlows | undefined }) {
  return (
    <section aria-labelledby="flows">
      <h2 id="flows">Largest flows in the caches</h2>
      {flows === undefined || flows.rows.length === 0 ? (
        <p class="empty">The caches are empty.</p>
      ) : (
        <>
          <p class="quiet">
            {flows.rows.length} of {whole(flows.flows)}, by octets
          </p>
          <RowTable rows={flows.rows} label="flows" />
        </>
      )}
    </section>
  );
}

export function Records({ records }: { readonly records: readonly RecordRow[] }) {
  return (
    <section aria-labelledby="records">
      <h2 id="records">Last records</h2>
      {records.length === 0 ? (
        <p class="empty">No record has been exported yet.</p>
      ) : (
        <RowTable rows={records} label="records" />
      )}
    </section>
  );
}

function RowTable({ rows, label }: { readonly rows: readonly RecordRow[]; readonly label: string }) {
  return (
    <DataTable label={label} heads={HEADS}>
      {rows.map(({ values }, index) => (
        <tr key={index}>
          <td>{endText(values, 'source')}</td>
          <td>{endText(values, 'destination')}</td>
          <td>
            {protocolText(values)}
            {spaced(tcpFlagsText((name) => values[name]) ?? icmpText((name) => values[name]))}
          </td>
          <td class="number">{short(Number(values['packetDeltaCount']))}</td>
          <td class="number">{short(Number(values['layer2OctetDeltaCount']))}</td>
          <td>{String(values['flowStart'] ?? '').slice(11, 19)}</td>
          <td>
            {values['bridge']}
            {values['collectorSetId'] === undefined ? '' : ` set ${values['collectorSetId']}`}
            {spaced(interfaceText((name) => values[name]))}
          </td>
          <td>{REASONS.get(Number(values['flowEndReason'])) ?? ''}</td>
        </tr>
      ))}
    </DataTable>
  );
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [2, 'active timeout'],
  [4, 'forced'],
  [5, 'cache full'],
]);

function spaced(text: string | undefined): string {
  return text === undefined ? '' : ` ${text}`;
}

function protocolText(values: Values): string {
  const protocol = values['protocolIdentifier'];
  if (protocol !== undefined) {
    return IP_PROTOCOL_NAMES.get(Number(protocol)) ?? `IP ${protocol}`;
  }
  const type = Number(values['ethernetType']);
  return type === 0x0806 ? 'ARP' : `0x${type.toString(16).padStart(4, '0')}`;
}

function endText(values: Values, side: 'source' | 'destination'): string {
  const address = values[`${side}IPv4Address`] ?? values[`${side}IPv6Address`];
  if (address === undefined) {
    return String(values[`${side}MacAddress`] ?? '');
  }
  const port = values[`${side}TransportPort`];
  if (port === undefined) {
    return String(address);
  }
  return addressText(String(address), Number(port));
}
