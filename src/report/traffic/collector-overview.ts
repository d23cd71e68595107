// The collectors of all exporters by target, now and over the last five minutes: thousands of exporters may send to one collector.

import { isDown } from '../../export/collector-session.ts';
import type { CollectorStatus } from '../../export/collector-stream.ts';
import { collectorAction } from '../collector-actions.ts';
import { listExporters } from '../exporter-list.ts';
import type { StatusDocument } from '../status-document.ts';
import type { History, HistorySlot } from './history.ts';
import { OTHER } from './name-list.ts';
import type { CollectorOverview } from './overview-document.ts';
import {
  COLLECTOR_CELLS,
  COLLECTOR_LOST,
  COLLECTOR_SENT,
  COLLECTOR_UNKNOWN,
  COLLECTOR_WAITING,
} from './slot-counts.ts';

/** Collectors that the page lists, those that cannot be reached first. */
export const COLLECTORS_SHOWN_MAX = 50;
/** Seconds of a point of the series. */
const SERIES_SECONDS = 5;
const SERIES_POINTS = 60;
/** Slots of one second of which rates are the mean. */
const RATE_SLOTS = 10;

const STATES = ['open', 'connecting', 'closing', 'closed', 'failing', 'backoff'] as const;

/** Returns the collectors, those that cannot be reached first, then by name. */
export function collectorOverviews(
  status: Pick<StatusDocument, 'bridges'>,
  history: History,
  slots: readonly HistorySlot[],
): readonly CollectorOverview[] {
  const byTarget = new Map<string, CollectorStatus[]>();
  for (const { exporter } of listExporters(status)) {
    for (const collector of exporter.collectors) {
      byTarget.set(collector.target, [...(byTarget.get(collector.target) ?? []), collector]);
    }
  }
  const sorted = [...byTarget].sort(([a, ofA], [b, ofB]) => {
    const down =
      Number(ofB.some(({ state }) => isDown(state))) - Number(ofA.some(({ state }) => isDown(state)));
    return down !== 0 ? down : a < b ? -1 : 1;
  });
  return sorted
    .slice(0, COLLECTORS_SHOWN_MAX)
    .map(([target, collectors]) => overviewOf(target, collectors, history, slots));
}

function overviewOf(
  target: string,
  collectors: readonly CollectorStatus[],
  history: History,
  slots: readonly HistorySlot[],
): CollectorOverview {
  const sum = (valueOf: (collector: CollectorStatus) => number) =>
    collectors.reduce((all, collector) => all + valueOf(collector), 0);
  const worst = collectors.toSorted((a, b) => STATES.indexOf(b.state) - STATES.indexOf(a.state))[0]!;
  const outage = history.events.outages.get(target);
  const reason = collectors.some(({ state }) => isDown(state))
    ? (outage?.reason ?? worst.lastError)
    : undefined;
  const number = history.collectors.find(target);
  const cellOf = (slot: HistorySlot, cell: number) =>
    number === OTHER ? 0 : (slot.counts.collectors[number * COLLECTOR_CELLS + cell] ?? 0);
  const sumOf = (cell: number) => Math.round(slots.reduce((all, slot) => all + cellOf(slot, cell), 0));
  const recent = slots.slice(-RATE_SLOTS);
  const seconds = recent.reduce((all, { counts }) => all + counts.seconds, 0);
  const sent = recent.reduce((all, slot) => all + cellOf(slot, COLLECTOR_SENT), 0);
  return {
    target,
    transport: worst.transport,
    exporters: collectors.length,
    exportersDown: collectors.filter(({ state }) => isDown(state)).length,
    state: worst.state,
    downSince: outage === undefined ? undefined : history.wallSeconds(outage.sinceMicros),
    reason,
    action: reason === undefined ? undefined : collectorAction(reason),
    recordsPerSecond: seconds > 0 ? Math.round((10 * sent) / seconds) / 10 : 0,
    recordsSent: sum(({ recordsSent }) => recordsSent),
    lost: sumOf(COLLECTOR_LOST),
    unknown: sumOf(COLLECTOR_UNKNOWN),
    waiting: sum(({ backlogCount }) => backlogCount),
    waitingBytes: sum(({ backlogBytes }) => backlogBytes),
    series: {
      sent: points(
        slots,
        (slot) => cellOf(slot, COLLECTOR_SENT),
        (values) => mean(values),
      ),
      lost: points(
        slots,
        (slot) => cellOf(slot, COLLECTOR_LOST),
        (values) => mean(values) * values.length,
      ),
      waiting: points(
        slots,
        (slot) => cellOf(slot, COLLECTOR_WAITING),
        (values) => Math.max(...values),
      ),
    },
  };
}

/** Returns the points of a series, as many as there are slots for, newest last. */
function points(
  slots: readonly HistorySlot[],
  valueOf: (slot: HistorySlot) => number,
  join: (values: readonly number[]) => number,
): number[] {
  const made: number[] = [];
  for (let end = slots.length; end > 0 && made.length < SERIES_POINTS; end -= SERIES_SECONDS) {
    const values = slots.slice(Math.max(0, end - SERIES_SECONDS), end).map(valueOf);
    made.push(Math.round(10 * join(values)) / 10);
  }
  return made.reverse();
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
