// The screen of `ovs-ipfix top`, which is also the answer of the command `top`: the figures of the page in 80 columns.

import { counted, whole } from '../counted.ts';
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

const plain: PaintLine = (_mood, text) => text;

/** Conditions and collectors on the screen. */
const SHOWN = 5;

/** Formats the screen. */
export function topText({ overview, traffic }: TopDocument, paint: PaintLine = plain): string {
  const { host, upSeconds, state, losses, conditions, conditionsOmitted, collectors } = overview;
  const time = new Date(overview.time * 1000).toISOString().slice(11, 19);
  const title = `${host}: ovs-ipfix ${overview.version}, up ${durationText(upSeconds)}`;
  return [
    paint('head', `${cut(title, TABLE_WIDTH - 13).padEnd(TABLE_WIDTH - 12)}${time} UTC`),
    ...foldText(state.text).map((line) => paint(state.mood, line)),
    ...foldText(losses.text).map((line) => paint(losses.mood, line)),
    ...figures(overview),
    '',
    trafficText(traffic),
    '',
    ...collectors.slice(0, SHOWN).flatMap((collector) => collectorLines(collector, overview.time, paint)),
    ...(collectors.length > SHOWN ? [`and ${counted(collectors.length - SHOWN, 'more collector')}`] : []),
    ...conditions
      .slice(0, SHOWN)
      .flatMap(({ code, severity, where, action }) =>
        foldText(`${severity} ${code}: ${where}: ${action}`).map((line) =>
          paint(severity === 'error' ? 'bad' : 'warning', line),
        ),
      ),
    ...(conditions.length + conditionsOmitted > SHOWN
      ? [`and ${counted(conditions.length + conditionsOmitted - SHOWN, 'more condition')}`]
      : []),
  ].join('\n');
}

function figures({ bits, packets, flows, records, lost }: OverviewDocument): string[] {
  const losses = lost.map(({ count, unit, what }) => `${counted(count, unit)} ${what}`);
  return [
    `${bitsText(bits)}, ${rateText(packets)} packets/s, ${counted(flows, 'active flow')}, ${rateText(records)} records/s`,
    ...foldText(`lost in the last 5 minutes: ${losses.length === 0 ? 'nothing' : losses.join('; ')}`),
  ];
}

function collectorLines(collector: CollectorOverview, nowSeconds: number, paint: PaintLine): string[] {
  const { target, state, downSince, recordsPerSecond, lost, waiting, reason, action } = collector;
  const facts = [
    `${rateText(recordsPerSecond)} records/s`,
    ...(lost > 0 ? [`${whole(lost)} lost in 5 min`] : []),
    ...(waiting > 0 ? [`${counted(waiting, 'message')} waiting`] : []),
  ];
  if (downSince === undefined) {
    return foldText(`collector ${target} ${state}: ${facts.join(', ')}`);
  }
  const since = durationText(Math.max(0, Math.round(nowSeconds - downSince)));
  const text = `collector ${target} down for ${since}: ${facts.join(', ')}${reason === undefined ? '' : `; ${reason}`}`;
  return [...foldText(text), ...foldText(`  ${action ?? ''}`)].map((line) => paint('bad', line));
}
