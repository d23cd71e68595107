// The figures of the page: rates of the last ten seconds, flows in the caches, and what was lost in the last five minutes.

import type { OverviewDocument } from '../../report/traffic/overview-document.ts';
import { bitsText, rateText } from '../../report/traffic/traffic-table.ts';
import { whole } from '../../runtime/counted.ts';

export function Tiles({ overview }: { readonly overview: OverviewDocument }) {
  const { bits, packets, flows, records, lost } = overview;
  const [number = '', unit = ''] = bitsText(bits).split(' ');
  return (
    <section class="tiles" aria-label="figures">
      <Tile name="bits" label="traffic" value={number} unit={unit} note="mean of 10 s" />
      <Tile name="packets" label="packets" value={rateText(packets)} unit="packets/s" note="mean of 10 s" />
      <Tile name="flows" label="active flows" value={whole(flows)} unit="" note="in the caches" />
      <Tile name="records" label="exported" value={rateText(records)} unit="records/s" note="mean of 10 s" />
      <div class={`tile ${lost.some(({ isMissing }) => isMissing) ? 'bad' : ''}`} data-tile="lost">
        <p class="label">lost in the last 5 minutes</p>
        {lost.length === 0 ? (
          <p class="value">
            0 <span class="unit">packets and records</span>
          </p>
        ) : (
          <ul class="losses">
            {lost.map(({ kind, count, unit: noun, what, isMissing }) => (
              <li key={kind} class={isMissing ? 'loss' : ''} data-loss={kind}>
                <strong>{whole(count)}</strong> {noun}
                {count === 1 ? '' : 's'} {what}
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}

interface TileProps {
  readonly name: string;
  readonly label: string;
  readonly value: string;
  readonly unit: string;
  readonly note: string;
}

function Tile({ name, label, value, unit, note }: TileProps) {
  return (
    <div class="tile" data-tile={name}>
      <p class="label">{label}</p>
      <p class="value">
        {value} <span class="unit">{unit}</span>
      </p>
      <p class="note">{note}</p>
    </div>
  );
}
