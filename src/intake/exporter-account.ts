// The account of one exporter of ovs-vswitchd: what it has sent, what of it has arrived, and what is lost. Each of its records has
// running totals of packets and octets, so the growth of the totals less what arrived is what was lost on the way to the daemon,
// exactly. Losses are compensated as those of a meter are (loss-compensation.ts), by intervals of one second of the exporter's time.

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
  /** In samples, and in octets of samples. */
  readonly samplesLost: number;
  readonly packetCompensation: LossCompensationStatus;
  readonly octetCompensation: LossCompensationStatus;
  /** Messages that are missing by their sequence numbers. */
  readonly messagesLost: number;
  /** How often the account began anew: another exporter, or totals that went back. */
  readonly restarts: number;
}

// Cells: a double in a field would be an object.
const TOTAL_PACKETS = 0;
const TOTAL_OCTETS = 1;
const RECEIVED_PACKETS = 2;
const RECEIVED_OCTETS = 3;
const LOST_PACKETS = 4;
const LOST_OCTETS = 5;
/** Samples and their octets of the interval. */
const ARRIVED_SAMPLES = 6;
const ARRIVED_SAMPLE_OCTETS = 7;
const MISSED_SAMPLES = 8;
const MISSED_SAMPLE_OCTETS = 9;
const SAMPLES_LOST = 10;
const MESSAGES_LOST = 11;
const CELL_COUNT = 12;

const WORD = 2 ** 32;

export class ExporterAccount {
  readonly #packets = new LossCompensation();
  readonly #octets = new LossCompensation();
  readonly #cells = new Float64Array(CELL_COUNT);
  #hasTotals = false;
  #hasSequence = false;
  #sequence = 0;
  #seconds = 0;
  #restarts = 0;

  /** The cells of the compensation factors, for the sampler of what arrives. */
  get factorCell(): Float64Array {
    return this.#packets.cells;
  }

  get octetFactorCell(): Float64Array {
    return this.#octets.cells;
  }

  /** Begins anew: the next record's totals are the first ones. What was lost before them is not known. */
  restart(): void {
    if (this.#hasTotals || this.#hasSequence) {
      this.#restarts += 1;
    }
    this.#hasTotals = false;
    this.#hasSequence = false;
  }

  /** Notes the header of a message: its sequence number, and its time in seconds, both as signed words. */
  startMessage(sequence: number, seconds: number): void {
    if (this.#hasSequence) {
      // A number that went back is that of another exporter; its totals show it as well.
      const missing = (sequence - this.#sequence - 1) | 0;
      if (missing > 0) {
        this.#cells[MESSAGES_LOST]! += missing;
      }
    }
    this.#hasSequence = true;
    this.#sequence = sequence;
    if (seconds !== this.#seconds) {
      this.#endInterval();
      this.#seconds = seconds;
    }
  }

  /**
   * Notes a record, which counts `packets` packets of `frameLength` octets each. Returns whether it follows the record before, or
   * is the exporter's first: nothing was lost between them.
   */
  arrive(bytes: Buffer, { at }: RecordOffsets, packets: number, frameLength: number): boolean {
    const cells = this.#cells;
    const packetsAt = at[Slot.packetsTotal]!;
    const octetsAt = at[Slot.octetsTotal]!;
    if (packetsAt < 0 || octetsAt < 0) {
      return false;
    }
    const totalPackets =
      (bytes.readInt32BE(packetsAt) >>> 0) * WORD + (bytes.readInt32BE(packetsAt + 4) >>> 0);
    const totalOctets = (bytes.readInt32BE(octetsAt) >>> 0) * WORD + (bytes.readInt32BE(octetsAt + 4) >>> 0);
    const lostPackets = totalPackets - cells[TOTAL_PACKETS]! - packets;
    const lostOctets = totalOctets - cells[TOTAL_OCTETS]! - packets * frameLength;
    cells[TOTAL_PACKETS] = totalPackets;
    cells[TOTAL_OCTETS] = totalOctets;
    let isNext = this.#hasTotals || totalPackets === packets;
    if (this.#hasTotals && (lostPackets < 0 || lostOctets < 0)) {
      this.#restarts += 1;
      isNext = false;
    } else if (this.#hasTotals && lostPackets > 0) {
      this.#lose(lostPackets, lostOctets, packets);
      isNext = false;
    }
    this.#hasTotals = true;
    cells[RECEIVED_PACKETS]! += packets;
    cells[RECEIVED_OCTETS]! += packets * frameLength;
    cells[ARRIVED_SAMPLES]! += 1;
    cells[ARRIVED_SAMPLE_OCTETS]! += frameLength;
    this.#packets.arrive(1);
    this.#octets.arrive(frameLength);
    return isNext;
  }

  status(): ExporterAccountStatus {
    const cells = this.#cells;
    return {
      packets: amountOf(cells[RECEIVED_PACKETS]!, cells[LOST_PACKETS]!),
      octets: amountOf(cells[RECEIVED_OCTETS]!, cells[LOST_OCTETS]!),
      samplesLost: cells[SAMPLES_LOST]!,
      packetCompensation: this.#packets.status(),
      octetCompensation: this.#octets.status(),
      messagesLost: cells[MESSAGES_LOST]!,
      restarts: this.#restarts,
    };
  }

  /** Notes a loss. In samples it is that of the record behind it, of which all count alike unless P has just changed. */
  #lose(packets: number, octets: number, packetsOfSample: number): void {
    const cells = this.#cells;
    cells[LOST_PACKETS]! += packets;
    cells[LOST_OCTETS]! += octets;
    cells[SAMPLES_LOST]! += packets / packetsOfSample;
    cells[MISSED_SAMPLES]! += packets / packetsOfSample;
    cells[MISSED_SAMPLE_OCTETS]! += octets / packetsOfSample;
  }

  #endInterval(): void {
    const cells = this.#cells;
    this.#packets.observe(intervalOf(cells[ARRIVED_SAMPLES]!, cells[MISSED_SAMPLES]!));
    this.#octets.observe(intervalOf(cells[ARRIVED_SAMPLE_OCTETS]!, cells[MISSED_SAMPLE_OCTETS]!));
    cells.fill(0, ARRIVED_SAMPLES, MISSED_SAMPLE_OCTETS + 1);
  }
}

function amountOf(received: number, lost: number): AccountedAmount {
  return { exported: received + lost, received, lost };
}

function intervalOf(arrived: number, lost: number) {
  return { arrived, observed: arrived + lost, lost };
}
