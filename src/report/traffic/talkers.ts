// The largest conversations of a window: both directions of a conversation are one.

import { Conversations, type Sender } from './conversations.ts';
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

/** What one end of a conversation has sent. */
interface EndSum {
  octets: number;
  packets: number;
  /** The row with most octets, or -1. */
  row: number;
}

type Ends = readonly [client: EndSum, server: EndSum];

/** Returns how many conversations there are, and the largest ones. */
export function findTalkers(search: TalkerSearch): {
  readonly conversations: number;
  readonly talkers: readonly Talker[];
} {
  const { history, conversations, totals, count } = search;
  const { words, rowEnd } = history.store;
  const octets = new Float64Array(rowEnd);
  const numbers = new Int32Array(totals.rows.length);
  totals.rows.forEach((row, index) => {
    const number = conversations.numberOf(words, row);
    numbers[index] = number;
    octets[number]! += totals.octets[row]!;
  });
  const ends = new Map<number, Ends>(
    largest(octets, count).map((number) => [number, [emptyEnd(), emptyEnd()]] as const),
  );
  totals.rows.forEach((row, index) => {
    const sums = ends.get(numbers[index]!);
    if (sums !== undefined) {
      addRow(sums[Conversations.senderOf(words, row)], row, totals);
    }
  });
  return {
    conversations: octets.reduce((all, each) => all + (each > 0 ? 1 : 0), 0),
    talkers: Array.from(ends, ([number, sums]) => talkerOf(sums, octets[number]!, search)),
  };
}

/** Returns the indexes of the largest values above 0, largest first. */
function largest(values: Float64Array, count: number): number[] {
  const found: number[] = [];
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index]!;
    const last = found.at(-1);
    if (value > 0 && count > 0 && (found.length < count || value > values[last!]!)) {
      const at = found.findIndex((other) => values[other]! < value);
      found.splice(at < 0 ? found.length : at, 0, index);
      found.length = Math.min(found.length, count);
    }
  }
  return found;
}

function addRow(end: EndSum, row: number, totals: RowTotals): void {
  end.octets += totals.octets[row]!;
  end.packets += totals.packets[row]!;
  if (end.row < 0 || totals.octets[row]! > totals.octets[end.row]!) {
    end.row = row;
  }
}

function talkerOf(sums: Ends, octets: number, { history, seconds, bits }: TalkerSearch): Talker {
  const sent = (sender: Sender) => {
    const { row } = sums[sender];
    return row < 0 ? undefined : directionOf(row, history);
  };
  const fromClient = sent(0);
  const fromServer = sent(1);
  const any = fromClient ?? fromServer!;
  const clientBytes = fromClient?.source ?? fromServer!.destination;
  const serverBytes = fromClient?.destination ?? fromServer!.source;
  const endOf = (address: Uint8Array, label: string | undefined, end: EndSum): TalkerEnd => ({
    address: addressLabel(address),
    interface: label,
    bits: rate(8 * end.octets, seconds),
    packets: rate(end.packets, seconds),
  });
  const client = endOf(clientBytes, fromClient?.interfaceLabel, sums[0]);
  const server = endOf(serverBytes, fromServer?.interfaceLabel, sums[1]);
  const all = rate(8 * octets, seconds);
  return {
    bridge: any.bridge,
    application: applicationLabel(any),
    client,
    server,
    bits: all,
    packets: rate(sums[0].packets + sums[1].packets, seconds),
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
