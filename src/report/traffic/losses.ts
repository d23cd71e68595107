// The losses of a window of the history in words. Unlike kinds are never added: a packet that the meter dropped is compensated by the
// weights of others, a packet that is written off is missing in records, and a record that was not sent is missing at a collector.

import { counted } from '../../runtime/counted.ts';
import type { History, HistorySlot } from './history.ts';
import type { LossItem, Sentence } from './overview-document.ts';
import {
  COLLECTOR_CELLS,
  COLLECTOR_LOST,
  COLLECTOR_UNKNOWN,
  PACKET_LOSSES,
  type PacketLoss,
} from './slot-counts.ts';

type LossKind = LossItem['kind'];

/** The losses of a window by kind: what, and the bridge or collector with most of it. */
export interface Loss {
  readonly count: number;
  readonly where: string;
  /** Bridges or collectors that have such losses. */
  readonly places: number;
}

export interface Losses {
  readonly observed: number;
  readonly byKind: ReadonlyMap<LossKind, Loss>;
}

const WORDS: Readonly<Record<LossKind, Pick<LossItem, 'unit' | 'what' | 'isMissing'>>> = {
  meter: { unit: 'packet', what: 'dropped by the meter, compensated', isMissing: false },
  way: { unit: 'packet', what: 'lost between switch and daemon, compensated', isMissing: false },
  datapath: { unit: 'packet', what: 'of samples of the datapath lost, compensated', isMissing: false },
  writtenOff: { unit: 'packet', what: 'missing in records', isMissing: true },
  records: { unit: 'record', what: 'not sent', isMissing: true },
  unknown: { unit: 'record', what: 'sent, perhaps not received', isMissing: true },
};

/** Adds up the losses of slots by kind. */
export function lossesOf(
  slots: readonly HistorySlot[],
  names: Pick<History, 'bridges' | 'collectors'>,
): Losses {
  const byPlace = new Map<LossKind, Map<string, number>>();
  const add = (kind: LossKind, where: string, count: number) => {
    const places = byPlace.get(kind) ?? new Map<string, number>();
    byPlace.set(kind, places.set(where, (places.get(where) ?? 0) + count));
  };
  let observed = 0;
  for (const { counts } of slots) {
    observed += counts.observed;
    for (const { bridge, kind, packets } of counts.losses) {
      add(kind, names.bridges.nameOf(bridge), packets);
    }
    for (let from = 0; from < counts.collectors.length; from += COLLECTOR_CELLS) {
      const target = names.collectors.nameOf(from / COLLECTOR_CELLS);
      for (const [kind, cell] of [
        ['records', COLLECTOR_LOST],
        ['unknown', COLLECTOR_UNKNOWN],
      ] as const) {
        const count = counts.collectors[from + cell]!;
        if (count > 0) {
          add(kind, target, count);
        }
      }
    }
  }
  return { observed, byKind: new Map([...byPlace].map(([kind, places]) => [kind, lossOf(places)])) };
}

/** Returns the losses as a list, by kind, without those that round to 0. */
export function lossItems({ byKind }: Losses): LossItem[] {
  const kinds: readonly LossKind[] = [...PACKET_LOSSES, 'records', 'unknown'];
  return kinds.flatMap((kind) => {
    const count = Math.round(byKind.get(kind)?.count ?? 0);
    return count === 0 ? [] : [{ kind, count, ...WORDS[kind] }];
  });
}

/** Returns the losses of the last minute as one sentence. */
export function lossSentence({ observed, byKind }: Losses): Sentence {
  const parts: string[] = [];
  const compensated = (['meter', 'way', 'datapath'] as const).flatMap((kind) => {
    const loss = byKind.get(kind);
    return loss === undefined || loss.count < 0.5 ? [] : [{ kind, loss }];
  });
  if (compensated.length > 0) {
    const texts = compensated.map(
      ({ kind, loss }) => `${shareText(loss.count, observed)} ${reasonText(kind, loss)}`,
    );
    parts.push(`${texts.join('; ')}; totals are compensated`);
  }
  const missing = byKind.get('writtenOff');
  if (missing !== undefined && missing.count >= 0.5) {
    parts.push(
      `${counted(missing.count, 'packet')} of ${placesText(missing, 'bridge')} ${are(missing.count)} missing in records`,
    );
  }
  const records = byKind.get('records');
  if (records !== undefined) {
    parts.push(
      `${counted(records.count, 'record')} could not be sent to ${placesText(records, 'collector')}`,
    );
  }
  const unknown = byKind.get('unknown');
  if (unknown !== undefined) {
    parts.push(
      `${counted(unknown.count, 'record')} may not have arrived at ${placesText(unknown, 'collector')}`,
    );
  }
  if (parts.length === 0) {
    return { mood: 'good', text: 'Nothing was lost in the last minute.' };
  }
  const isMissing = (missing?.count ?? 0) >= 0.5 || records !== undefined;
  return { mood: isMissing ? 'bad' : 'warning', text: `In the last minute: ${parts.join('; ')}.` };
}

function reasonText(kind: PacketLoss, loss: Loss): string {
  const where = placesText(loss, 'bridge');
  switch (kind) {
    case 'meter':
      return `were not seen because the meter of ${where} was full`;
    case 'way':
      return `were lost between ${where} and the daemon`;
    default:
      return `were lost with samples of the datapath of ${where}`;
  }
}

/** `0.4% of packets`; without a pool to compare with, the number. */
function shareText(count: number, observed: number): string {
  if (observed < count || observed === 0) {
    return counted(count, 'packet');
  }
  const percent = (100 * count) / observed;
  return `${percent < 0.1 ? 'less than 0.1' : percent.toFixed(percent < 10 ? 1 : 0)}% of packets`;
}

function placesText({ where, places }: Loss, noun: string): string {
  return places === 1 ? where : `${where} and ${counted(places - 1, `other ${noun}`)}`;
}

function are(count: number): string {
  return Math.round(count) === 1 ? 'is' : 'are';
}

function lossOf(places: ReadonlyMap<string, number>): Loss {
  const sorted = [...places].sort(([, a], [, b]) => b - a);
  return {
    count: sorted.reduce((sum, [, count]) => sum + count, 0),
    where: sorted[0]?.[0] ?? '',
    places: sorted.length,
  };
}
