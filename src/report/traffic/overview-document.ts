// The top of the page as plain data, made each second: the state and the losses in a sentence each, rates, collectors, events, and
// what an operator should do.

/** How something is; shown with a sign beside the colour. */
export type Mood = 'good' | 'warning' | 'bad';

export interface Sentence {
  readonly mood: Mood;
  readonly text: string;
}

/** What was lost in a window, by kind; unlike kinds are never added. */
export interface LossItem {
  readonly kind: 'meter' | 'way' | 'datapath' | 'writtenOff' | 'records' | 'unknown';
  readonly count: number;
  readonly unit: 'packet' | 'record';
  /** After the count: `dropped by the meter, compensated`. */
  readonly what: string;
  /** Whether records lack them. */
  readonly isMissing: boolean;
}

export interface CollectorOverview {
  readonly target: string;
  readonly transport: string;
  /** Exporters that send to it, and those of them that cannot. */
  readonly exporters: number;
  readonly exportersDown: number;
  readonly state: string;
  /** Seconds since 1970; undefined while it can be reached. */
  readonly downSince: number | undefined;
  readonly reason: string | undefined;
  readonly action: string | undefined;
  /** The mean of the last ten seconds. */
  readonly recordsPerSecond: number;
  /** Records since the start. */
  readonly recordsSent: number;
  /** Records of the last five minutes: not sent, and sent but perhaps not received. */
  readonly lost: number;
  readonly unknown: number;
  /** Messages that wait, and their memory in bytes. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** Of the last five minutes, oldest first, each of five seconds: records sent a second, records lost, and most messages that waited. */
  readonly series: {
    readonly sent: readonly number[];
    readonly lost: readonly number[];
    readonly waiting: readonly number[];
  };
}

export interface ShownEvent {
  readonly kind: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly isGood: boolean;
  readonly text: string;
}

/** A condition or finding with its command for copying. */
export interface ShownCondition {
  readonly code: string;
  readonly severity: 'error' | 'warning' | 'note';
  readonly where: string;
  readonly message: string;
  readonly action: string;
  readonly command: string | undefined;
}

export interface OverviewDocument {
  readonly host: string;
  /** When the document was made, in seconds since 1970. */
  readonly time: number;
  readonly startTime: string;
  readonly upSeconds: number;
  readonly version: string;
  readonly pid: number;
  readonly isReady: boolean;
  /** Seconds that the history has, at most an hour. */
  readonly historySeconds: number;
  readonly state: Sentence;
  readonly losses: Sentence;
  /** The means of the last ten seconds, and flows in the caches now. */
  readonly bits: number;
  readonly packets: number;
  readonly records: number;
  readonly flows: number;
  /** Of the last five minutes, without those that are 0. */
  readonly lost: readonly LossItem[];
  readonly collectors: readonly CollectorOverview[];
  readonly events: readonly ShownEvent[];
  readonly conditions: readonly ShownCondition[];
  readonly conditionsOmitted: number;
}
