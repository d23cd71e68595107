// The traffic of a window as text of 80 columns: what `ovs-appctl flows window=5m` prints, and the lower part of `ovs-ipfix top`.

import { counted } from '../../runtime/counted.ts';
import { textTable } from '../text-table.ts';
import type { BandTotals, Talker, TalkerEnd, TrafficDocument, TrafficTotals } from './traffic-document.ts';

const LABEL_WIDTH = 34;
const BAR_WIDTH = 20;

/** Formats bits a second in at most 10 characters: `999 bit/s`, `1.23 Mbit/s`. */
export function bitsText(bits: number): string {
  const units = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'];
  let value = bits;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : value.toPrecision(3)} ${units[unit]}`;
}

/** Formats a rate of packets or records in at most 6 characters: `950`, `12.3k`. */
export function rateText(rate: number): string {
  if (rate >= 999.5) {
    const isMillions = rate >= 999_500;
    return `${(rate / (isMillions ? 1_000_000 : 1000)).toPrecision(3)}${isMillions ? 'M' : 'k'}`;
  }
  return rate > 0 && rate < 10 && !Number.isInteger(rate) ? rate.toFixed(1) : Math.round(rate).toString();
}

/** Formats a share: `12.3%`. */
export function percentText(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

/** Returns what the traffic is of, its bands with bars, and the conversations. */
export function trafficText(document: TrafficTotals): string {
  return [...headLines(document), ...bandLines(document), '', ...talkerLines(document)].join('\n');
}

function headLines(document: TrafficTotals): string[] {
  const { bits, packets, seconds, words, by } = document;
  const of = words.length === 0 ? 'all traffic' : words.join(' ');
  return [
    `${bitsText(bits)}, ${rateText(packets)} packets/s: the mean of ${counted(seconds, 'second')}, ${of}`,
    `by ${by}; estimates from samples`,
  ];
}

/** A line for each band: its name, rates and share. */
function bandLines({ bands, bits }: TrafficTotals): string[] {
  return bands.map((band) => {
    const share = bits > 0 ? band.meanBits / bits : 0;
    const isPart = band.kind !== 'unlisted' || share <= 1;
    return [
      cut(bandLabel(band), LABEL_WIDTH - 10).padEnd(LABEL_WIDTH - 10),
      bitsText(band.meanBits).padStart(11),
      (isPart ? percentText(share) : '').padStart(7),
      '#'.repeat(Math.round(Math.min(1, share) * BAR_WIDTH)),
    ]
      .join('  ')
      .trimEnd();
  });
}

function bandLabel({ label, kind }: BandTotals): string {
  return kind === 'unlisted' ? 'smaller conversations' : label;
}

function talkerLines({ talkers, conversations }: TrafficTotals): string[] {
  if (talkers.length === 0) {
    return ['no conversation'];
  }
  const columns = [
    { head: 'BITS/S', align: 'right' },
    { head: 'PACKETS/S', align: 'right' },
    { head: 'SHARE', align: 'right' },
    { head: 'APPLICATION', align: 'left' },
    { head: 'CONVERSATION', align: 'left' },
  ] as const;
  const rows = talkers.map((talker) => [
    bitsText(talker.bits).replace('bit/s', '').trim(),
    rateText(talker.packets),
    percentText(talker.share),
    cut(talker.application, 18),
    conversationText(talker),
  ]);
  return [`${talkers.length} of ${counted(conversations, 'conversation')}`, ...textTable(columns, rows)];
}

/** Both ends with what is attached to their interfaces, and the rate of each direction. */
function conversationText({ client, server }: Talker): string {
  return `${endText(client)} ${arrow(client, server)} ${endText(server)}`;
}

function arrow(client: TalkerEnd, server: TalkerEnd): string {
  return server.bits === 0 ? '>' : client.bits === 0 ? '<' : '<>';
}

function endText({ address, interface: name }: TalkerEnd): string {
  return name === undefined ? address : `${address} (${name})`;
}

/** Cuts off a text that is too long. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}~`;
}

/** Returns the document without the series, which text and programs of a terminal do not need. */
export function trafficTotals(document: TrafficDocument): TrafficTotals {
  const { windowSeconds, seconds, slotSeconds, by, words, conversations, talkers } = document;
  const { bits, packets, allBits, allPackets } = document;
  return {
    windowSeconds,
    seconds,
    slotSeconds,
    by,
    words,
    bands: document.bands.map(({ label, kind, words: ofBand, meanBits, meanPackets }) => ({
      label,
      kind,
      words: ofBand,
      meanBits,
      meanPackets,
    })),
    conversations,
    talkers,
    bits,
    packets,
    allBits,
    allPackets,
  };
}
