// The largest conversations of a window: both directions of a conversation are one.

import { Conversations } from './conversations.ts';
import { applicationWords } from './dimensions.ts';
import { addressLabel, applicationLabel, directionOf } from './direction.ts';
import type { History } from './history.ts';
import type { RowTotals } from './row-totals.ts';
import type { Talker, TalkerEnd } from './traffic-document.ts';

export interface TalkerSearch {
  readonly history: History;
  readonly conversations: Conversations;
  /** The rows that are selected. */
  readonly totals: RowTotals;
  readonly seconds: number;
  /** Bits a second of all that is selected, of which talkers have their share. */
  readonly bits: number;
  readonly count: number;
}

/** What a conversation adds up to, by sender. */
interface Sum {
  octets: number;
  readonly byEnd: readonly [EndSum, EndSum];
}

interface EndSum {
  octets: number;
  packets: number;
  /** The row with most octets, or -1. */
  row: number;
}

/** Returns how many conversations there are, and the largest ones. */
export function findTalkers(search: TalkerSearch): {
  readonly conversations: number;
  readonly talkers: readonly Talker[];
} {
  const { history, conversations, totals, count } = search;
  const { words } = history.store;
  const sums = new Map<number, Sum>();
  for (const row of totals.rows) {
    const number = conversations.numberOf(words, row);
    const sum = sums.get(number) ?? { octets: 0, byEnd: [emptyEnd(), emptyEnd()] };
    sums.set(number, sum);
    const end = sum.byEnd[Conversations.senderOf(words, row)];
    sum.octets += totals.octets[row]!;
    end.octets += totals.octets[row]!;
    end.packets += totals.packets[row]!;
    if (end.row < 0 || totals.octets[row]! > totals.octets[end.row]!) {
      end.row = row;
    }
  }
  const largest = [...sums.values()].sort((a, b) => b.octets - a.octets).slice(0, count);
  return { conversations: sums.size, talkers: largest.map((sum) => talkerOf(sum, search)) };
}

function talkerOf({ octets, byEnd }: Sum, { history, seconds, bits }: TalkerSearch): Talker {
  const [fromClient, fromServer] = byEnd.map(({ row }) => (row < 0 ? undefined : directionOf(row, history)));
  const any = fromClient ?? fromServer!;
  const clientBytes = fromClient?.source ?? fromServer!.destination;
  const serverBytes = fromClient?.destination ?? fromServer!.source;
  const endOf = (address: Uint8Array, label: string | undefined, end: EndSum): TalkerEnd => ({
    address: addressLabel(address),
    interface: label,
    bits: rate(8 * end.octets, seconds),
    packets: rate(end.packets, seconds),
  });
  const client = endOf(clientBytes, fromClient?.interfaceLabel, byEnd[0]);
  const server = endOf(serverBytes, fromServer?.interfaceLabel, byEnd[1]);
  const all = rate(8 * octets, seconds);
  return {
    bridge: any.bridge,
    application: applicationLabel(any),
    client,
    server,
    bits: all,
    packets: rate(byEnd[0].packets + byEnd[1].packets, seconds),
    share: bits > 0 ? Math.min(1, Math.round((1000 * all) / bits) / 1000) : 0,
    words: [`ip=${client.address}`, `ip=${server.address}`, ...applicationWords(any)],
  };
}

function emptyEnd(): EndSum {
  return { octets: 0, packets: 0, row: -1 };
}

function rate(amount: number, seconds: number): number {
  return seconds > 0 ? Math.round(amount / seconds) : 0;
}
