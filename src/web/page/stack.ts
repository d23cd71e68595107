// The bands of the chart as series of uPlot: each band keeps its colour and its order while it is there, so that the picture does not
// jump when two bands change ranks.

import { BANDS_MAX, type TrafficBand, type TrafficDocument } from '../../report/traffic/traffic-document.ts';

/** A band with its colour: the name of the CSS variable without `--`. */
export interface ColouredBand extends TrafficBand {
  readonly colour: string;
}

/** The colours from the bottom of the stack to its top. */
export const STACK_COLOURS: readonly string[] = [
  ...Array.from({ length: BANDS_MAX }, (_, index) => `band-${index + 1}`),
  'band-other',
  'band-unlisted',
];

/** Assigns colours to labels; forgets those that are not there any more. */
export class BandColours {
  #colours = new Map<string, string>();

  assign(bands: readonly TrafficBand[]): readonly ColouredBand[] {
    const labels = bands.filter(({ kind }) => kind === 'value').map(({ label }) => label);
    const kept = new Map([...this.#colours].filter(([label]) => labels.includes(label)));
    const free = STACK_COLOURS.filter((colour) => ![...kept.values()].includes(colour));
    for (const label of labels) {
      if (!kept.has(label)) {
        kept.set(label, free.shift() ?? 'band-other');
      }
    }
    this.#colours = kept;
    return bands.map((band) => ({
      ...band,
      colour: band.kind === 'value' ? (kept.get(band.label) ?? 'band-other') : `band-${band.kind}`,
    }));
  }
}

/** Returns the data of the chart: times, then the sum of all bands up to each colour, from the top of the stack to its bottom. */
export function stackData(
  { times }: Pick<TrafficDocument, 'times'>,
  bands: readonly ColouredBand[],
  unit: 'bits' | 'packets',
): [number[], ...number[][]] {
  const sums = times.map(() => 0);
  const series = STACK_COLOURS.map((colour) => {
    for (const band of bands.filter((each) => each.colour === colour)) {
      band[unit].forEach((value, index) => {
        sums[index] = (sums[index] ?? 0) + value;
      });
    }
    return [...sums];
  });
  return [[...times], ...series.reverse()];
}
