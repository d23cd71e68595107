// Charts of the last five minutes: samples, records, octets, the fullest cache, losses.

import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import { short } from './format.ts';
import type { History, Series } from './history.ts';

const CHARTS: readonly (readonly [series: Series, title: string, unit: string])[] = [
  ['samples', 'Samples', '/s'],
  ['records', 'Records', '/s'],
  ['octets', 'Octets to collectors', 'B/s'],
  ['fill', 'Fullest cache', '%'],
  ['lost', 'Lost packets and records', '/s'],
];
const HEIGHT = 120;
/** Time span of a chart in seconds; the history has the same. */
const SPAN_SECONDS = 300;

export function Charts({ history }: { readonly history: History }) {
  return (
    <section aria-labelledby="charts">
      <h2 id="charts">Last five minutes</h2>
      <div class="charts">
        {CHARTS.map(([series, title, unit]) => (
          <Chart key={series} history={history} series={series} title={title} unit={unit} />
        ))}
      </div>
    </section>
  );
}

interface ChartProps {
  readonly history: History;
  readonly series: Series;
  readonly title: string;
  readonly unit: string;
}

function Chart({ history, series, title, unit }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | undefined>(undefined);
  useEffect(() => {
    const element = place.current;
    if (element === null) {
      return undefined;
    }
    const made = new UPlot(chartOptions(element, history, series), [[], []], element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [history, series]);
  useEffect(() => plot.current?.setData([history.times, history.values[series]]));
  const last = history.values[series].at(-1);
  const text =
    last === undefined || last === null ? '–' : `${short(last)}${unit === '%' ? ' %' : ` ${unit}`}`;
  return (
    <figure>
      <figcaption>
        {title} <strong>{text}</strong>
      </figcaption>
      <div ref={place} class="plot" role="img" aria-label={`${title}, now ${text}`} />
    </figure>
  );
}

function chartOptions(element: HTMLElement, history: History, series: Series): UPlot.Options {
  const colour = (name: string) => getComputedStyle(element).getPropertyValue(name).trim();
  const axis = { stroke: () => colour('--quiet'), grid: { stroke: () => colour('--line'), width: 1 } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    cursor: { show: false },
    legend: { show: false },
    scales: {
      x: {
        range: () => [history.endSeconds - SPAN_SECONDS, history.endSeconds],
      },
      y: { range: (_plot, _min, max) => [0, series === 'fill' ? 100 : Math.max(max * 1.1, 1)] },
    },
    axes: [
      { ...axis, space: 70 },
      { ...axis, size: 48, values: (_plot, ticks) => ticks.map(short) },
    ],
    series: [
      {},
      {
        stroke: () => colour(series === 'lost' ? '--bad' : '--accent'),
        fill: () => colour(series === 'lost' ? '--bad-soft' : '--accent-soft'),
        width: 1.5,
        points: { show: false },
      },
    ],
  };
}
