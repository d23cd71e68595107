// The account of one exporter of ovs-vswitchd: what it has sent, what of it has arrived, and what is lost. Each of its records has
// running totals of packets and octets, so the growth of the totals less what arrived is what was lost on the way to the daemon,
// exactly. Losses are compensated as those of a meter are (loss-compensation.ts), by intervals of one second of the exporter's time.
// Amounts are packets and octets of the pool, not samples, because samples of another probability may represent what was lost.

import { LossCompensation, type LossCompensationStatus } from './loss-compensation.ts';
import { type RecordOffsets, Slot } from './switch-templates.ts';

/** Packets or octets of an exporter, as its records count them: a sample counts floor(65535/P) times. */
export interface AccountedAmount {
  /** What the totals have grown by since the account began. */
  readonly exported: number;
  readonly received: number;
  /** `exported` less `received`. */
  readonly lost: number;
}

/** The account of an exporter, for operators. */
export interface ExporterAccountStatus {
  readonly packets: AccountedAmount;
  readonly octets: AccountedAmount;
  /** Samples that are missing by the sequence numbers of messages; each with data has one sample, or data of options. */
  readonly samplesLost: number;
  /** Samples that arrived behind later ones; they are among those received. */
  readonly samplesLate: number;
  readonly packetCompensation: LossCompensationStatus;
  readonly octetCompensation: LossCompensationStatus;
  /**
   * What ovs-vswitchd had sent more than a second ago by its statistics and the newest record does not include yet: samples,
   * exactly, and their octets as an estimate, by the mean of all that arrived. Lost, unless they are still on their way; a later
   * record includes them in `lost`.
   */
  readonly tail: { readonly samples: number; readonly estimatedOctets: number };
  /** How often the account began anew, with another exporter. */
  readonly restarts: number;
}

// Cells: a double in a field would be an object.
const TOTAL_PACKETS = 0;
const TOTAL_OCTETS = 1;
const RECEIVED_PACKETS = 2;
const RECEIVED_OCTETS = 3;
const LOST_PACKETS = 4;
const LOST_OCTETS = 5;
/** Packets and octets of the interval. */
const ARRIVED_PACKETS = 6;
const ARRIVED_OCTETS = 7;
const MISSED_PACKETS = 8;
const MISSED_OCTETS = 9;
const SAMPLES_LOST = 10;
const SAMPLES_LATE = 11;
/** Samples of this exporter that are missing. */
const SAMPLES_MISSING = 12;
/** Samples sent by the statistics, at the last reading and at the one before it. */
const SENT = 13;
const SENT_BEFORE = 14;
const ALL_SAMPLES = 15;
const ALL_SAMPLE_OCTETS = 16;
/** Samples of this exporter up to the newest record. */
const COUNTED = 17;
const CELL_COUNT = 18;

const WORD = 2 ** 32;
/** How far behind the newest message one may arrive; farther back, its number is that of another exporter. */
export const LATE_MESSAGES_MAX = 64;

export class ExporterAccount {
  readonly #packets = new LossCompensation();
  readonly #octets = new LossCompensation();
  readonly #cells = new Float64Array(CELL_COUNT);
  /** Whether the totals before the next record are known. */
  #hasTotals = false;
  /** The sequence number of the newest record. */
  #sequence = 0;
  #messageSequence = 0;
  /** Messages without samples since the newest record. */
  #skipped = 0;
  #seconds = 0;
  #restarts = 0;

  /** The cells of the compensation factors, for the sampler of what arrives. */
  get factorCell(): Float64Array {
    return this.#packets.cells;
  }

  get octetFactorCell(): Float64Array {
    return this.#octets.cells;
  }

  /**
   * Begins anew, with another exporter. If it is `isFresh`, its totals begin at 0, so that what is lost before its first record to
   * arrive is known; otherwise they begin with that record.
   */
  restart(isFresh: boolean): void {
    if (this.#hasTotals) {
      this.#restarts += 1;
    }
    this.#hasTotals = isFresh;
    this.#sequence = 0;
    this.#skipped = 0;
    this.#cells[TOTAL_PACKETS] = 0;
    this.#cells[TOTAL_OCTETS] = 0;
    this.#cells[SAMPLES_MISSING] = 0;
    this.#cells[SENT] = 0;
    this.#cells[SENT_BEFORE] = 0;
    this.#cells[COUNTED] = 0;
  }

  /** Notes the number of samples that the exporter has sent by the statistics of ovs-vswitchd, read once a second. */
  observeSent(samples: number): void {
    const cells = this.#cells;
    // A smaller number is that of another exporter, as the next record will show.
    cells[SENT_BEFORE] = Math.min(cells[SENT]!, samples);
    cells[SENT] = samples;
  }

  /** Returns how many of the samples that the exporter has sent neither arrived nor are counted as lost. */
  missingOf(sent: number): number {
    return Math.max(0, sent - this.#cells[COUNTED]!);
  }

  /** Records count in another unit from now on, as that for a sample of another probability: what was 1 is `ratio` of it. */
  convert(ratio: number): void {
    this.#packets.convert(ratio);
    this.#octets.convert(ratio);
    for (let index = ARRIVED_PACKETS; index <= MISSED_OCTETS; index += 1) {
      this.#cells[index]! *= ratio;
    }
  }

  /** Notes a message with other data than samples, which has a sequence number as well. */
  skipMessage(): void {
    this.#skipped += 1;
  }

  /** Notes the header of a message with a record: its sequence number, and its time in seconds, both as signed words. */
  startMessage(sequence: number, seconds: number): void {
    this.#messageSequence = sequence;
    if (seconds !== this.#seconds) {
      this.#endInterval();
      this.#seconds = seconds;
    }
  }

  /**
   * Notes the record of the message, which counts `packets` packets of `frameLength` octets each. Returns whether it follows the
   * record before, or is the exporter's first: nothing was lost between them.
   */
  arrive(bytes: Buffer, { at }: RecordOffsets, packets: number, frameLength: number): boolean {
    const cells = this.#cells;
    const packetsAt = at[Slot.packetsTotal]!;
    const octetsAt = at[Slot.octetsTotal]!;
    if (packetsAt < 0 || octetsAt < 0) {
      return false;
    }
    const octets = packets * frameLength;
    cells[RECEIVED_PACKETS]! += packets;
    cells[RECEIVED_OCTETS]! += octets;
    cells[ARRIVED_PACKETS]! += packets;
    cells[ARRIVED_OCTETS]! += octets;
    cells[ALL_SAMPLES]! += 1;
    cells[ALL_SAMPLE_OCTETS]! += frameLength;
    this.#packets.arrive(packets);
    this.#octets.arrive(octets);
    const totalPackets = longAt(bytes, packetsAt);
    const totalOctets = longAt(bytes, octetsAt);
    const ahead = (this.#messageSequence - this.#sequence) | 0;
    if (this.#isLate(ahead, totalPackets)) {
      cells[SAMPLES_LATE]! += 1;
      this.#lose(-1, -packets, -octets);
      return false;
    }
    if (this.#hasTotals && (ahead <= 0 || totalPackets - cells[TOTAL_PACKETS]! < packets)) {
      this.restart(true);
    }
    const hasTotals = this.#hasTotals;
    const lostSamples = Math.max((this.#messageSequence - this.#sequence - 1 - this.#skipped) | 0, 0);
    const lostPackets = totalPackets - cells[TOTAL_PACKETS]! - packets;
    const lostOctets = totalOctets - cells[TOTAL_OCTETS]! - octets;
    cells[TOTAL_PACKETS] = totalPackets;
    cells[TOTAL_OCTETS] = totalOctets;
    this.#sequence = this.#messageSequence;
    this.#skipped = 0;
    this.#hasTotals = true;
    cells[COUNTED]! += 1 + lostSamples;
    if (hasTotals && lostPackets > 0) {
      this.#lose(lostSamples, lostPackets, lostOctets);
    }
    return lostPackets === 0;
  }

  status(): ExporterAccountStatus {
    const cells = this.#cells;
    return {
      packets: amountOf(cells[RECEIVED_PACKETS]!, cells[LOST_PACKETS]!),
      octets: amountOf(cells[RECEIVED_OCTETS]!, cells[LOST_OCTETS]!),
      samplesLost: cells[SAMPLES_LOST]!,
      samplesLate: cells[SAMPLES_LATE]!,
      tail: this.#tail(),
      packetCompensation: this.#packets.status(),
      octetCompensation: this.#octets.status(),
      restarts: this.#restarts,
    };
  }

  #tail(): ExporterAccountStatus['tail'] {
    const cells = this.#cells;
    const samples = this.missingOf(cells[SENT_BEFORE]!);
    const meanOctets = cells[ALL_SAMPLES] === 0 ? 0 : cells[ALL_SAMPLE_OCTETS]! / cells[ALL_SAMPLES]!;
    return { samples, estimatedOctets: Math.round(samples * meanOctets) };
  }

  /** Whether a message is a missing one of this exporter, which counts as lost already. */
  #isLate(ahead: number, totalPackets: number): boolean {
    const cells = this.#cells;
    return (
      ahead < 0 &&
      ahead >= -LATE_MESSAGES_MAX &&
      cells[SAMPLES_MISSING]! > 0 &&
      totalPackets < cells[TOTAL_PACKETS]!
    );
  }

  /** Notes a loss, or with negative numbers that less is lost. */
  #lose(samples: number, packets: number, octets: number): void {
    const cells = this.#cells;
    cells[SAMPLES_LOST]! += samples;
    cells[SAMPLES_MISSING]! += samples;
    cells[LOST_PACKETS]! += packets;
    cells[LOST_OCTETS]! += octets;
    cells[MISSED_PACKETS]! += packets;
    cells[MISSED_OCTETS]! += octets;
  }

  #endInterval(): void {
    const cells = this.#cells;
    this.#packets.observe(intervalOf(cells[ARRIVED_PACKETS]!, cells[MISSED_PACKETS]!));
    this.#octets.observe(intervalOf(cells[ARRIVED_OCTETS]!, cells[MISSED_OCTETS]!));
    cells.fill(0, ARRIVED_PACKETS, MISSED_OCTETS + 1);
  }
}

function amountOf(received: number, lost: number): AccountedAmount {
  return { exported: received + lost, received, lost };
}

function intervalOf(arrived: number, lost: number) {
  return { arrived, observed: arrived + lost, lost };
}

function longAt(bytes: Buffer, at: number): number {
  return (bytes.readInt32BE(at) >>> 0) * WORD + (bytes.readInt32BE(at + 4) >>> 0);
}
