// The collectors: whether each can be reached, since when not and why, what it gets, what was lost and what waits, over five minutes.

import { durationText } from '../../report/status-text.ts';
import { bytesText } from '../../report/text-table.ts';
import type { CollectorOverview } from '../../report/traffic/overview-document.ts';
import { rateText } from '../../report/traffic/traffic-table.ts';
import { counted, whole } from '../../runtime/counted.ts';
import { clockText } from './format.ts';
import { Mark } from './health.tsx';

export interface CollectorsProps {
  readonly collectors: readonly CollectorOverview[];
  /** Seconds since 1970 of the update. */
  readonly time: number;
  readonly isUtc: boolean;
}

/** Collectors that are shown, those that cannot be reached first; one more is shown as well, the others are folded. */
const UNFOLDED = 10;

export function Collectors({ collectors, time, isUtc }: CollectorsProps) {
  const count = collectors.length <= UNFOLDED + 1 ? collectors.length : UNFOLDED;
  const folded = collectors.slice(count);
  const down = folded.filter(({ downSince }) => downSince !== undefined).length;
  const shown = (collector: CollectorOverview) => (
    <Collector key={collector.target} collector={collector} time={time} isUtc={isUtc} />
  );
  return (
    <section aria-labelledby="collectors" class="collectors">
      <h2 id="collectors">Collectors</h2>
      {collectors.length === 0 && <p class="empty">No row with a valid target is exported.</p>}
      {collectors.slice(0, count).map(shown)}
      {folded.length > 0 && (
        <details class="more">
          <summary>
            {folded.length} more{down > 0 && `, of which ${down} cannot be reached`}
          </summary>
          {folded.map(shown)}
        </details>
      )}
    </section>
  );
}

function Collector({
  collector,
  time,
  isUtc,
}: Omit<CollectorsProps, 'collectors'> & { readonly collector: CollectorOverview }) {
  const { target, state, downSince, exporters, exportersDown, reason, action, series } = collector;
  const { recordsPerSecond, recordsSent, lost, unknown, waiting, waitingBytes } = collector;
  const isGood = downSince === undefined;
  return (
    <div class="collector" data-collector={target}>
      <p>
        <Mark mood={!isGood ? 'bad' : state === 'open' ? 'good' : 'warning'} /> <strong>{target}</strong>{' '}
        <span data-state={state}>{state}</span>
        {exporters > 1 && (
          <span class="quiet">
            {' '}
            {exportersDown > 0 && exportersDown < exporters
              ? `${exportersDown} of ${counted(exporters, 'exporter')}`
              : counted(exporters, 'exporter')}
          </span>
        )}
      </p>
      {downSince !== undefined && (
        <p class="loss">
          down since {clockText(downSince, isUtc)}, {durationText(Math.max(0, Math.round(time - downSince)))}
          {reason !== undefined && `: ${reason}`}
        </p>
      )}
      {!isGood && action !== undefined && <p class="action">{action}</p>}
      <p class="quiet">
        {rateText(recordsPerSecond)} records/s, {counted(recordsSent, 'record')} since the start
        {waiting > 0 && `, ${counted(waiting, 'message')} waiting (${bytesText(waitingBytes)})`}
      </p>
      {lost > 0 && <p class="loss">{counted(lost, 'record')} not sent in 5 min</p>}
      {unknown > 0 && <p class="loss">{counted(unknown, 'record')} of 5 min may not have arrived</p>}
      <div class="sparks">
        <Spark label="sent" values={series.sent} text={(value) => `${rateText(value)}/s`} />
        {series.lost.some((value) => value > 0) && (
          <Spark label="not sent" values={series.lost} text={whole} isBad />
        )}
        {series.waiting.some((value) => value > 0) && (
          <Spark label="waiting" values={series.waiting} text={whole} />
        )}
      </div>
    </div>
  );
}

interface SparkProps {
  readonly label: string;
  readonly values: readonly number[];
  readonly text: (value: number) => string;
  readonly isBad?: boolean;
}

const POINTS = 60;
/** Fewer are not a line. */
const POINTS_MIN = 3;
const HEIGHT = 24;

/** A small chart of the last five minutes, up to its largest value. */
function Spark({ label, values, text, isBad = false }: SparkProps) {
  const largest = Math.max(...values, 0);
  if (largest === 0 || values.length < POINTS_MIN) {
    return null;
  }
  const offset = POINTS - values.length;
  const points = values.map(
    (value, index) => `${offset + index},${(HEIGHT - 1 - (value / largest) * (HEIGHT - 2)).toFixed(1)}`,
  );
  const name = `${label}, at most ${text(largest)} in 5 min`;
  return (
    <p class={isBad ? 'spark loss' : 'spark'}>
      <svg viewBox={`0 0 ${POINTS - 1} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={name}>
        <polyline points={points.join(' ')} vector-effect="non-scaling-stroke" />
      </svg>
      <span>{name}</span>
    </p>
  );
}
