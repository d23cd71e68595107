// The screen of `ovs-ipfix top`, which is also the answer of the command `top`: the figures of the page in 80 columns.

import { counted, whole } from '../../runtime/counted.ts';
import { durationText } from '../status-text.ts';
import { foldText, TABLE_WIDTH } from '../text-table.ts';
import type { CollectorOverview, Mood, OverviewDocument } from './overview-document.ts';
import type { TrafficTotals } from './traffic-document.ts';
import { bitsText, cut, rateText, trafficText } from './traffic-table.ts';

/** What the screen shows, as plain data. */
export interface TopDocument {
  readonly overview: OverviewDocument;
  readonly traffic: TrafficTotals;
}

/** Colours a line without changing its width. */
export type PaintLine = (mood: Mood | 'head', text: string) => string;

/** How the screen is laid out. */
export interface TopLayout {
  readonly paint?: PaintLine;
  /** Columns of the terminal; more than 80 are not used. */
  readonly columns?: number;
}

const plain: PaintLine = (_mood, text) => text;

/** Sentences are not folded to fewer columns. */
const COLUMNS_MIN = 30;
const TIME_WIDTH = 12;
const INDENT = '    ';
/** Collectors on the screen. */
const COLLECTORS_SHOWN = 5;
/** Conditions on the screen; `status` has all. */
const CONDITIONS_SHOWN = 3;

type Fold = (text: string) => string[];

/** Formats the screen. What a low terminal cuts off is the end of the list of conversations. */
export function topText(
  { overview, traffic }: TopDocument,
  { paint = plain, columns = TABLE_WIDTH }: TopLayout = {},
): string {
  const { upSeconds, state, losses } = overview;
  const width = Math.min(Math.max(columns, COLUMNS_MIN), TABLE_WIDTH);
  const fold: Fold = (text) => foldText(text, INDENT, width);
  const time = new Date(overview.time * 1000).toISOString().slice(11, 19);
  const title = `${overview.host}: ovs-ipfix ${overview.version}, up ${durationText(upSeconds)}`;
  return [
    paint('head', `${cut(title, width - TIME_WIDTH - 1).padEnd(width - TIME_WIDTH)}${time} UTC`),
    ...fold(state.text).map((line) => paint(state.mood, line)),
    ...fold(losses.text).map((line) => paint(losses.mood, line)),
    ...figures(overview, fold),
    ...collectorList(overview, paint, fold),
    ...conditionList(overview, paint, fold),
    '',
    trafficText(traffic),
  ].join('\n');
}

function collectorList({ collectors, time }: OverviewDocument, paint: PaintLine, fold: Fold): string[] {
  const others = collectors.length - COLLECTORS_SHOWN;
  return [
    ...collectors
      .slice(0, COLLECTORS_SHOWN)
      .flatMap((collector) => collectorLines(collector, time, paint, fold)),
    ...(others > 0 ? [`and ${counted(others, 'more collector')}`] : []),
  ];
}

function conditionList(
  { conditions, conditionsOmitted }: OverviewDocument,
  paint: PaintLine,
  fold: Fold,
): string[] {
  const others = conditions.length + conditionsOmitted - CONDITIONS_SHOWN;
  return [
    ...conditions
      .slice(0, CONDITIONS_SHOWN)
      .flatMap(({ code, severity, where, action }) =>
        fold(`${severity} ${code}: ${where}: ${action}`).map((line) =>
          paint(severity === 'error' ? 'bad' : 'warning', line),
        ),
      ),
    ...(others > 0 ? [`and ${counted(others, 'more condition')}`] : []),
  ];
}

function figures({ bits, packets, flows, records, lost }: OverviewDocument, fold: Fold): string[] {
  const losses = lost.map(({ count, unit, what }) => `${counted(count, unit)} ${what}`);
  return [
    ...fold(
      `${bitsText(bits)}, ${rateText(packets)} packets/s, ${counted(flows, 'active flow')}, ${rateText(records)} records/s`,
    ),
    ...fold(`lost in the last 5 minutes: ${losses.length === 0 ? 'nothing' : losses.join('; ')}`),
  ];
}

function collectorLines(
  collector: CollectorOverview,
  nowSeconds: number,
  paint: PaintLine,
  fold: Fold,
): string[] {
  const { target, state, downSince, recordsPerSecond, lost, waiting, reason, action } = collector;
  const facts = [
    `${rateText(recordsPerSecond)} records/s`,
    ...(lost > 0 ? [`${whole(lost)} lost in 5 min`] : []),
    ...(waiting > 0 ? [`${counted(waiting, 'message')} waiting`] : []),
  ];
  if (downSince === undefined) {
    return fold(`collector ${target} ${state}: ${facts.join(', ')}`);
  }
  const since = durationText(Math.max(0, Math.round(nowSeconds - downSince)));
  const text = `collector ${target} down for ${since}: ${facts.join(', ')}${reason === undefined ? '' : `; ${reason}`}`;
  return [...fold(text), ...(action === undefined ? [] : fold(`  ${action}`))].map((line) =>
    paint('bad', line),
  );
}
