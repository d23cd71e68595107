// The chart of traffic: a stack of bands over time, with the events of the window, the values at the cursor, and a legend whose entries
// filter.

import { useEffect, useRef, useState } from 'preact/hooks';
import UPlot from 'uplot';
import { durationText } from '../../report/status-text.ts';
import type { ShownEvent } from '../../report/traffic/overview-document.ts';
import type { TrafficDocument } from '../../report/traffic/traffic-document.ts';
import { bitsText, percentText, rateText } from '../../report/traffic/traffic-table.ts';
import { clockText } from './format.ts';
import { BandColours, type ColouredBand, STACK_COLOURS, stackData } from './stack.ts';
import type { View } from './view.ts';

const HEIGHT = 300;
const HEIGHT_NARROW = 220;
const NARROW = 700;
const SPAN_SECONDS_MIN = 60;
/** Pixels between the cursor and an event that is shown with the values. */
const EVENT_PIXELS = 6;

export interface ChartProps {
  readonly traffic: TrafficDocument;
  readonly events: readonly ShownEvent[];
  readonly view: View;
  readonly onFilter: (words: readonly string[]) => void;
}

/** What the plot reads when it draws. */
interface Drawn {
  events: readonly ShownEvent[];
  view: View;
  /** The first and the last time of the chart. */
  span: readonly [number, number];
  slotSeconds: number;
  onCursor: (index: number | null) => void;
}

export function Chart({ traffic, events, view, onFilter }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | undefined>(undefined);
  const colours = useRef(new BandColours());
  const [cursor, setCursor] = useState<number | null>(null);
  const span = spanOf(traffic);
  const { slotSeconds } = traffic;
  const drawn = useRef<Drawn>({ events, view, span, slotSeconds, onCursor: setCursor });
  drawn.current = { events, view, span, slotSeconds, onCursor: setCursor };
  const bands = colours.current.assign(traffic.bands);
  useEffect(() => {
    const element = place.current;
    if (element === null) {
      return undefined;
    }
    const made = new UPlot(
      plotOptions(element, drawn.current, () => drawn.current),
      undefined,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize(sizeOf(element)));
    observer.observe(element);
    const scheme = window.matchMedia('(prefers-color-scheme: dark)');
    const redraw = () => made.redraw(false);
    scheme.addEventListener('change', redraw);
    return () => {
      scheme.removeEventListener('change', redraw);
      observer.disconnect();
      made.destroy();
    };
  }, [view.isUtc]);
  useEffect(() => plot.current?.setData(stackData(traffic, bands, view.unit)));
  const shown = cursor === null ? undefined : traffic.times[cursor];
  return (
    <div class="chart">
      <div
        ref={place}
        class="plot"
        tabIndex={0}
        role="img"
        aria-label={`${view.unit === 'bits' ? 'bits' : 'packets'} a second over time, by ${traffic.by}; now ${rateOf(bands, traffic.times.length - 1, view.unit)}`}
        onKeyDown={(event) => {
          if (plot.current !== undefined && moveCursor(plot.current, event.key)) {
            event.preventDefault();
          }
        }}
      >
        {shown !== undefined && cursor !== null && (
          <Values
            bands={bands}
            index={cursor}
            seconds={shown}
            view={view}
            events={eventsNear(events, shown, traffic)}
            isRight={cursor > traffic.times.length / 2}
          />
        )}
      </div>
      <Legend bands={bands} traffic={traffic} view={view} onFilter={onFilter} />
    </div>
  );
}

interface ValuesProps {
  readonly bands: readonly ColouredBand[];
  readonly index: number;
  readonly seconds: number;
  readonly view: View;
  readonly events: readonly ShownEvent[];
  /** Whether the cursor is in the right half, so that the values are in the left one. */
  readonly isRight: boolean;
}

/** The values at the cursor. */
function Values({ bands, index, seconds, view, events, isRight }: ValuesProps) {
  const rows = bands.filter((band) => (band[view.unit][index] ?? 0) > 0);
  return (
    <div class={`values ${isRight ? 'left' : 'right'}`} data-values={Math.round(seconds)}>
      <p>
        <strong>{clockText(seconds, view.isUtc)}</strong> {rateOf(bands, index, view.unit)}
      </p>
      {events.map(({ time, text }) => (
        <p key={`${time} ${text}`} class="event">
          ▲ {text}
        </p>
      ))}
      <ul>
        {rows.map((band) => (
          <li key={`${band.kind} ${band.label}`}>
            <i class={`swatch ${band.colour}`} /> <span>{labelOf(band)}</span>
            <b>{unitText(band[view.unit][index] ?? 0, view.unit)}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}

interface LegendProps {
  readonly bands: readonly ColouredBand[];
  readonly traffic: TrafficDocument;
  readonly view: View;
  readonly onFilter: (words: readonly string[]) => void;
}

/** The bands with their means and shares of the window. */
function Legend({ bands, traffic, view, onFilter }: LegendProps) {
  const all = view.unit === 'bits' ? traffic.bits : traffic.packets;
  return (
    <ul class="legend" aria-label="legend">
      <li class="quiet">mean of {durationText(traffic.seconds)}:</li>
      {bands.map((band) => {
        const mean = view.unit === 'bits' ? band.meanBits : band.meanPackets;
        const content = (
          <>
            <i class={`swatch ${band.colour}`} /> <span class="name">{labelOf(band)}</span>{' '}
            <b>{unitText(mean, view.unit)}</b>{' '}
            <span class="quiet">{all > 0 && mean <= all ? percentText(mean / all) : ''}</span>
          </>
        );
        return (
          <li key={`${band.kind} ${band.label}`} data-band={labelOf(band)} data-mean={mean}>
            {band.words.length === 0 ? (
              <span class="entry">{content}</span>
            ) : (
              <button
                type="button"
                class="entry"
                title={`show only ${band.label}`}
                onClick={() => onFilter(band.words)}
              >
                {content}
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function labelOf({ label, kind }: ColouredBand): string {
  return kind === 'unlisted' ? 'smaller conversations' : label;
}

function unitText(value: number, unit: View['unit']): string {
  return unit === 'bits' ? bitsText(value) : `${rateText(value)} packets/s`;
}

/** The sum of all bands at a time. */
function rateOf(bands: readonly ColouredBand[], index: number, unit: View['unit']): string {
  return unitText(
    bands.reduce((sum, band) => sum + (band[unit][index] ?? 0), 0),
    unit,
  );
}

function eventsNear(
  events: readonly ShownEvent[],
  seconds: number,
  { windowSeconds }: TrafficDocument,
): readonly ShownEvent[] {
  return events.filter(({ time }) => Math.abs(time - seconds) <= windowSeconds / 150);
}

/** Moves the cursor by a key; returns whether the key does that. */
function moveCursor(plot: UPlot, key: string): boolean {
  const step = key === 'ArrowLeft' ? -1 : key === 'ArrowRight' ? 1 : 0;
  if (step === 0) {
    return false;
  }
  const times = plot.data[0];
  const last = times.length - 1;
  const index = Math.min(Math.max((plot.cursor.idx ?? last + 1) + step, 0), last);
  plot.setCursor({ left: plot.valToPos(times[index] ?? 0, 'x'), top: 0 });
  return true;
}

/** Returns the index of the slot at the cursor; null outside of the chart, and where the history has none. */
function indexAtCursor(plot: UPlot, slotSeconds: number): number | null {
  const { left = -1, idx } = plot.cursor;
  const time = plot.data[0][idx ?? -1];
  if (left < 0 || idx === undefined || idx === null || time === undefined) {
    return null;
  }
  return Math.abs(plot.posToVal(left, 'x') - time) <= 2 * slotSeconds ? idx : null;
}

/** Returns the window; as much of it as the history has, if that is less, and at least a minute. */
function spanOf({ times, windowSeconds, slotSeconds }: TrafficDocument): [number, number] {
  const end = times.at(-1) ?? 0;
  const begin = (times[0] ?? end) - slotSeconds - SPAN_SECONDS_MIN / 20;
  return [Math.max(end - windowSeconds, Math.min(begin, end - SPAN_SECONDS_MIN)), end];
}

function sizeOf(element: HTMLElement): { width: number; height: number } {
  return { width: element.clientWidth, height: window.innerWidth < NARROW ? HEIGHT_NARROW : HEIGHT };
}

function plotOptions(element: HTMLElement, { view }: Drawn, current: () => Drawn): UPlot.Options {
  const colour = (name: string) => getComputedStyle(element).getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: () => colour('quiet'),
    grid: { stroke: () => colour('line'), width: 1 },
    ticks: { stroke: () => colour('line'), width: 1 },
    font: '12px system-ui, sans-serif',
  };
  const textOf = (value: number) =>
    current().view.unit === 'bits' ? bitsText(value).replace('.00 ', ' ') : rateText(value);
  return {
    ...sizeOf(element),
    // Room for half of the last time of the axis.
    padding: [null, 28, null, null],
    tzDate: (seconds) =>
      view.isUtc ? UPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC') : new Date(seconds * 1000),
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    legend: { show: false },
    scales: {
      x: {
        range: () => [...current().span],
      },
      y: { range: (_plot, _min, max) => [0, Math.max((max || 0) * 1.08, 10)] },
    },
    axes: [
      {
        ...axis,
        space: 80,
        size: 34,
        values: (_plot, ticks) =>
          ticks.map((tick) => clockText(tick, view.isUtc, current().view.windowSeconds < 600)),
      },
      { ...axis, size: 84, values: (_plot, ticks) => ticks.map(textOf) },
    ],
    series: [
      {},
      ...STACK_COLOURS.toReversed().map((name) => ({
        stroke: () => colour(name),
        fill: () => colour(name),
        width: 1,
        points: { show: false },
      })),
    ],
    hooks: {
      draw: [(plot) => drawEvents(plot, current().events, colour)],
      setCursor: [(plot) => current().onCursor(indexAtCursor(plot, current().slotSeconds))],
    },
  };
}

/** Draws a dashed line with a triangle for each event. */
function drawEvents(plot: UPlot, events: readonly ShownEvent[], colour: (name: string) => string): void {
  const { ctx, bbox } = plot;
  const size = EVENT_PIXELS * window.devicePixelRatio;
  ctx.save();
  for (const { time, isGood } of events) {
    const x = Math.round(plot.valToPos(time, 'x', true));
    if (x >= bbox.left && x <= bbox.left + bbox.width) {
      ctx.strokeStyle = colour(isGood ? 'text' : 'bad');
      ctx.fillStyle = ctx.strokeStyle;
      ctx.lineWidth = window.devicePixelRatio;
      ctx.setLineDash([size / 2, size / 2]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.beginPath();
      ctx.moveTo(x - size, bbox.top);
      ctx.lineTo(x + size, bbox.top);
      ctx.lineTo(x, bbox.top + size * 1.5);
      ctx.fill();
    }
  }
  ctx.restore();
}
