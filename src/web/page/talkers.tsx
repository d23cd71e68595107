// The largest conversations of the window, both directions of each in one row. Ends, VMs and applications filter everything.

import type { Talker, TalkerEnd, TrafficDocument } from '../../report/traffic/traffic-document.ts';
import { bitsText, percentText, rateText } from '../../report/traffic/traffic-table.ts';
import { counted } from '../../runtime/counted.ts';
import { DataTable } from './data-table.tsx';
import type { View } from './view.ts';

export interface TalkersProps {
  readonly traffic: TrafficDocument;
  readonly view: View;
  readonly onView: (view: View) => void;
}

/** Conversations that are listed. */
export const TALKERS_LISTED = 15;

export function Talkers({ traffic, view, onView }: TalkersProps) {
  const { talkers, conversations } = traffic;
  const filter = (words: readonly string[]) =>
    onView({ ...view, words: [...view.words, ...words.filter((word) => !view.words.includes(word))] });
  return (
    <section aria-labelledby="talkers" class="talkers">
      <div class="heading">
        <h2 id="talkers">Conversations</h2>
        <span class="quiet">
          {talkers.length} of {counted(conversations, 'conversation')}, by octets
        </span>
      </div>
      <DataTable label="talkers" heads={['ends', 'application', '>→', '>←', '>share']} isStacked>
        {talkers.map((talker) => (
          <Row
            key={talker.words.join(' ') + talker.bridge}
            talker={talker}
            unit={view.unit}
            onFilter={filter}
          />
        ))}
      </DataTable>
    </section>
  );
}

interface RowProps {
  readonly talker: Talker;
  readonly unit: View['unit'];
  readonly onFilter: (words: readonly string[]) => void;
}

function Row({ talker, unit, onFilter }: RowProps) {
  const { client, server, application, bridge, share, words } = talker;
  const rate = ({ bits, packets }: TalkerEnd) =>
    packets + bits === 0 ? '–' : unit === 'bits' ? bitsText(bits) : `${rateText(packets)}/s`;
  const applicationWords = words.filter((word) => !word.startsWith('ip='));
  return (
    <tr data-talker={`${client.address} ${server.address}`}>
      <td class="endpoint">
        <End end={client} onFilter={onFilter} /> <span class="quiet">⇄</span>{' '}
        <End end={server} onFilter={onFilter} />
      </td>
      <td>
        <button type="button" class="word" onClick={() => onFilter(applicationWords)}>
          {application}
        </button>
        <span class="detail"> {bridge}</span>
      </td>
      <td class="number" data-head="→">
        {rate(client)}
      </td>
      <td class="number" data-head="←">
        {rate(server)}
      </td>
      <td class="number share" data-head="share">
        <meter min={0} max={1} value={share} aria-label="share" /> {percentText(share)}
      </td>
    </tr>
  );
}

interface EndProps {
  readonly end: TalkerEnd;
  readonly onFilter: (words: readonly string[]) => void;
}

/** An end: what is attached to the interface of its packets, if that is known, and its address. */
function End({ end: { address, interface: name }, onFilter }: EndProps) {
  return (
    <span class="end">
      {name !== undefined && name !== 'unknown' && (
        <>
          <button type="button" class="word strong" onClick={() => onFilter([`interface=${name}`])}>
            {name}
          </button>{' '}
        </>
      )}
      <button type="button" class="word" onClick={() => onFilter([`ip=${address}`])}>
        {address}
      </button>
    </span>
  );
}
