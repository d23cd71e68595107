// The traffic of a window as plain data: what /flows.json with a window, the chart of the page, `flows window=` and `top` show. All
// counts are estimates: samples times their weights.

/** Values of the dimension with a band of their own; the others share one. */
export const BANDS_MAX = 8;

/** One band of the stack. */
export interface TrafficBand {
  readonly label: string;
  /**
   * `value`: one value of the dimension; `other`: all smaller values; `unlisted`: conversations beyond the largest of a slot, which no
   * filter but that of bridges can select.
   */
  readonly kind: 'value' | 'other' | 'unlisted';
  /** The words that select the value; empty for the other kinds. */
  readonly words: readonly string[];
  /** Bits and packets a second for each of `times`. */
  readonly bits: readonly number[];
  readonly packets: readonly number[];
  /** The means of the window. */
  readonly meanBits: number;
  readonly meanPackets: number;
}

/** An end of a conversation. */
export interface TalkerEnd {
  readonly address: string;
  /** What is attached to the interface that its packets came in by; undefined without packets from it. */
  readonly interface: string | undefined;
  /** Bits and packets a second that it sent, the means of the window. */
  readonly bits: number;
  readonly packets: number;
}

/** A conversation: both directions. */
export interface Talker {
  readonly bridge: string;
  readonly application: string;
  readonly client: TalkerEnd;
  readonly server: TalkerEnd;
  readonly bits: number;
  readonly packets: number;
  /** Share of all traffic that the filter selects, 0 to 1, by octets. */
  readonly share: number;
  /** The words that select it. */
  readonly words: readonly string[];
}

export interface TrafficDocument {
  /** Seconds of the window, and those of it that the history has. */
  readonly windowSeconds: number;
  readonly seconds: number;
  /** Seconds of a slot. */
  readonly slotSeconds: number;
  readonly by: string;
  readonly words: readonly string[];
  /** The ends of the slots, in seconds since 1970. */
  readonly times: readonly number[];
  /** Largest first, `other` and `unlisted` last. */
  readonly bands: readonly TrafficBand[];
  /** Conversations that the filter selects, and the largest of them. */
  readonly conversations: number;
  readonly talkers: readonly Talker[];
  /** What the filter selects, and all traffic: the means of the window. */
  readonly bits: number;
  readonly packets: number;
  readonly allBits: number;
  readonly allPackets: number;
}

/** A band without its series. */
export type BandTotals = Omit<TrafficBand, 'bits' | 'packets'>;

/** The document without series, for terminals. */
export interface TrafficTotals extends Omit<TrafficDocument, 'times' | 'bands'> {
  readonly bands: readonly BandTotals[];
}
