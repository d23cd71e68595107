// Flows or records as a table: endpoints, protocol, counts, interface and exporter.

import { IP_PROTOCOL_NAMES } from '../../report/protocol-names.ts';
import { icmpText, interfaceLabel, interfaceText, tcpFlagsText } from '../../report/record-words.ts';
import { addressText } from '../../runtime/address-text.ts';
import type { RecordValues } from '../live-message.ts';
import { DataTable } from './data-table.tsx';
import { short } from './format.ts';

const HEADS = ['from', 'to', 'protocol', '>packets', '>octets', 'start (UTC)', 'interface', 'exporter'];

/** Properties of the table. */
export interface RecordTableProps {
  readonly rows: readonly RecordValues[];
  /** The id of its heading. */
  readonly label: string;
  /** Whether the flows have ended, so that there is a column that says why. */
  readonly hasEnd: boolean;
}

export function RecordTable({ rows, label, hasEnd }: RecordTableProps) {
  return (
    <DataTable label={label} heads={hasEnd ? [...HEADS, 'end'] : HEADS} isStacked>
      {rows.map((values, index) => (
        <tr key={index}>
          <td class="endpoint">{endText(values, 'source')}</td>
          <td class="endpoint" data-head="→">
            {endText(values, 'destination')}
          </td>
          <td>
            {protocolText(values)}
            <Detail text={tcpFlagsText((name) => values[name]) ?? icmpText((name) => values[name])} />
          </td>
          <td class="number" data-head="packets">
            {short(Number(values['packetDeltaCount']))}
          </td>
          <td class="number" data-head="octets">
            {short(Number(values['layer2OctetDeltaCount']))}
          </td>
          <td data-head="start">{String(values['flowStart'] ?? '').slice(11, 19)}</td>
          <td class="names">
            {interfaceLabel((name) => values[name])}
            <Detail text={interfaceText((name) => values[name])} />
          </td>
          <td>
            {values['bridge']}
            {values['collectorSetId'] === undefined ? '' : ` set ${values['collectorSetId']}`}
          </td>
          {hasEnd && <td data-head="end">{REASONS.get(Number(values['flowEndReason'])) ?? ''}</td>}
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

function Detail({ text }: { readonly text: string | undefined }) {
  return text === undefined ? null : <span class="detail"> {text}</span>;
}

function protocolText(values: RecordValues): string {
  const protocol = values['protocolIdentifier'];
  if (protocol !== undefined) {
    return IP_PROTOCOL_NAMES.get(Number(protocol)) ?? `IP ${protocol}`;
  }
  const type = Number(values['ethernetType']);
  return type === 0x0806 ? 'ARP' : `0x${type.toString(16).padStart(4, '0')}`;
}

function endText(values: RecordValues, side: 'source' | 'destination'): string {
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
