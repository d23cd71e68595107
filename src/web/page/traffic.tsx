// The traffic section: the choice of dimension and unit, the filter, the chart and the events of the window.

import { useState } from 'preact/hooks';
import type { ShownEvent } from '../../report/traffic/overview-document.ts';
import type { TrafficDocument } from '../../report/traffic/traffic-document.ts';
import { bitsText, percentText, rateText } from '../../report/traffic/traffic-table.ts';
import { Chart } from './chart.tsx';
import { clockText } from './format.ts';
import type { Asked } from './use-json.ts';
import { DIMENSION_LABELS, type View, wordsOfText } from './view.ts';

export interface TrafficProps {
  readonly asked: Asked<TrafficDocument>;
  readonly events: readonly ShownEvent[];
  readonly view: View;
  readonly onView: (view: View) => void;
}

/** Events that are listed below the chart, the newest ones. */
const EVENTS_LISTED = 5;

export function Traffic({ asked, events, view, onView }: TrafficProps) {
  const { document: traffic, fault } = asked;
  const addWords = (words: readonly string[]) =>
    onView({ ...view, words: [...view.words, ...words.filter((word) => !view.words.includes(word))] });
  const end = traffic?.times.at(-1) ?? 0;
  const shown = events.filter(({ time }) => time > end - view.windowSeconds);
  return (
    <section aria-labelledby="traffic">
      <div class="heading">
        <h2 id="traffic">Traffic</h2>
        <Menu view={view} onView={onView} />
      </div>
      <Filter view={view} onView={onView} traffic={traffic} />
      {fault !== undefined && (
        <p class="loss" role="alert">
          {fault}
        </p>
      )}
      {traffic !== undefined && traffic.bands.length === 0 && (
        <p class="empty">
          {view.words.length > 0 && traffic.allBits > 0
            ? 'No traffic of this window matches the filter.'
            : 'No packet was sampled in this window.'}
        </p>
      )}
      {traffic !== undefined && traffic.bands.length > 0 && (
        <Chart traffic={traffic} events={shown} view={view} onFilter={addWords} />
      )}
      {shown.length > 0 && (
        <ul class="events" aria-label="events">
          {shown
            .slice(-EVENTS_LISTED)
            .toReversed()
            .map(({ time, text, isGood }) => (
              <li key={`${time} ${text}`} class={isGood ? '' : 'loss'}>
                ▲ {clockText(time, view.isUtc)} {text}
              </li>
            ))}
        </ul>
      )}
    </section>
  );
}

function Menu({ view, onView }: Pick<TrafficProps, 'view' | 'onView'>) {
  return (
    <div class="controls">
      <label>
        by{' '}
        <select
          value={view.by}
          onChange={({ currentTarget }) => {
            const by = DIMENSION_LABELS.find(([each]) => each === currentTarget.value)?.[0];
            onView({ ...view, by: by ?? view.by });
          }}
        >
          {DIMENSION_LABELS.map(([by, label]) => (
            <option key={by} value={by}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <div class="choice" role="group" aria-label="unit">
        {(['bits', 'packets'] as const).map((unit) => (
          <button
            key={unit}
            type="button"
            aria-pressed={view.unit === unit}
            onClick={() => onView({ ...view, unit })}
          >
            {unit === 'bits' ? 'bit/s' : 'packets/s'}
          </button>
        ))}
      </div>
    </div>
  );
}

interface FilterProps extends Pick<TrafficProps, 'view' | 'onView'> {
  readonly traffic: TrafficDocument | undefined;
}

/** The words of the filter, each with a button that removes it, and a field for more. */
function Filter({ view, onView, traffic }: FilterProps) {
  const [text, setText] = useState('');
  const { words } = view;
  return (
    <form
      class="filter"
      onSubmit={(event) => {
        event.preventDefault();
        onView({ ...view, words: [...words, ...wordsOfText(text)] });
        setText('');
      }}
    >
      {words.map((word) => (
        <button
          key={word}
          type="button"
          class="chip"
          aria-label={`remove ${word}`}
          onClick={() => onView({ ...view, words: words.filter((other) => other !== word) })}
        >
          {word} ×
        </button>
      ))}
      <input
        type="search"
        aria-label="filter of traffic"
        placeholder={words.length === 0 ? 'filter: VM or port, or ip=10.0.0.0/8 port=443' : 'and …'}
        value={text}
        onInput={({ currentTarget }) => setText(currentTarget.value)}
      />
      {words.length > 0 && traffic !== undefined && (
        <span class="quiet" data-filtered={traffic.bits}>
          {bitsText(traffic.bits)}, {rateText(traffic.packets)} packets/s
          {traffic.allBits > 0 &&
            `: ${percentText(Math.min(1, traffic.bits / traffic.allBits))} of all traffic`}
        </span>
      )}
    </form>
  );
}
