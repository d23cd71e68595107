// Turns what the datapath has sampled into samples of an exporter: reads the messages that ovs-vswitchd's own exporter sends for one
// bridge, each with one record of one packet, and forwards each with its weight. The observation domain says that the record is
// the daemon's, and the observation point with which probability its packet was sampled, so a record is right also while the
// probability changes. It allocates nothing for a record.

import type { SampleSink } from './bridge-intake.ts';
import type { ExporterAccount } from './exporter-account.ts';
import type { IngressInterfaces } from './ingress-interfaces.ts';
import { PROBABILITY_ALL, Sampler } from './sampler.ts';
import { SwitchRecords, type SwitchRecordsStatus } from './switch-records.ts';

/** The dependencies of `DatapathIntake`. */
export interface DatapathIntakeOptions {
  /** The observation domain of the daemon's `sample` action: a random number of this run, 32 bits. */
  readonly domainToken: number;
  /** Random 32-bit numbers for the sampler. */
  readonly randomSeed: () => number;
  readonly interfaces: IngressInterfaces;
  /** See `SwitchRecordsOptions`. */
  readonly onOtherTemplate: (id: number) => void;
}

/** Counts since the start, for operators. */
export interface DatapathIntakeStatus extends SwitchRecordsStatus {
  /** N of 1-in-N. */
  readonly interval: number;
  /** Records of test packets. */
  readonly tests: number;
  /** Records that were kept as samples. */
  readonly selected: number;
  /** Records without a sink, such as those before the row is adopted. */
  readonly unmanaged: number;
  /** Records of other observation domains, such as those of an earlier run. */
  readonly otherDomains: number;
  /** P of the newest record. */
  readonly probability: number;
}

const NUMBER_MAX = 2 ** 32 - 1;
const SLOT_SHIFT = 16;
/** Ids of the bridge that records under way may have. */
const IDS_KEPT = 64;

// Cells of counters: a number above 2^31 in a field would be an object.
const TESTS = 0;
const UNMANAGED = 1;
const OTHER_DOMAINS = 2;
const CELL_COUNT = 3;

export class DatapathIntake {
  readonly #domainToken: number;
  readonly #records: SwitchRecords;
  readonly #sampler: Sampler;
  readonly #cells = new Float64Array(CELL_COUNT);
  /** The bridge's observation domains and points by slot, as signed words. */
  readonly #domainIds = new Int32Array(IDS_KEPT);
  readonly #pointIds = new Int32Array(IDS_KEPT);
  #slot = 0;
  #interval = 1;
  #probability = 0;
  /** The share of the packets of a sample that its record counts. */
  #countedShare = 1;
  #sink: SampleSink | undefined;

  constructor({ domainToken, randomSeed, interfaces, onOtherTemplate }: DatapathIntakeOptions) {
    this.#domainToken = domainToken | 0;
    this.#records = new SwitchRecords({
      interfaces,
      onOtherTemplate,
      onRecord: (bytes, domainId, pointId, _packets, frameLength, tcpFlags) =>
        this.#receiveRecord(bytes, domainId, pointId, frameLength, tcpFlags),
    });
    const { factorCell, octetFactorCell } = this.#records.account;
    this.#sampler = new Sampler(randomSeed(), factorCell, octetFactorCell);
  }

  /** What was sent, has arrived and is lost. */
  get account(): ExporterAccount {
    return this.#records.account;
  }

  /** Records of packets since the start, those of test packets included. */
  get records(): number {
    return this.#records.received;
  }

  /** Records of packets since the start, which the control of the probability counts. */
  get samples(): number {
    return this.#records.received - this.#cells[TESTS]!;
  }

  /** Returns the records of the daemon's observation domain since the start, and those of others. */
  counts(): { readonly own: number; readonly others: number } {
    const others = this.#cells[OTHER_DOMAINS]!;
    return { own: this.#records.received - others, others };
  }

  /** Sets where samples go; undefined while the bridge's row is not adopted. */
  setSink(sink: SampleSink | undefined): void {
    this.#sink = sink;
  }

  /** Sets the ids of the bridge's records. Returns the slot of samples with these ids, for `pointOf`. */
  setIds(observationDomainId: number, observationPointId: number): number {
    const index = this.#slot % IDS_KEPT;
    const isSame =
      this.#domainIds[index] === (observationDomainId | 0) &&
      this.#pointIds[index] === (observationPointId | 0);
    if (!isSame) {
      this.#slot = (this.#slot + 1) & 0xffff;
      this.#domainIds[this.#slot % IDS_KEPT] = observationDomainId;
      this.#pointIds[this.#slot % IDS_KEPT] = observationPointId;
    }
    return this.#slot;
  }

  /** Returns the observation point of samples of a probability, P of 65,535, and of the ids of a slot. */
  pointOf(probability: number, slot: number): number {
    return ((slot << SLOT_SHIFT) | probability) >>> 0;
  }

  /** Sets N of 1-in-N, 1 to 2^32 - 1: samples of a higher probability than 1/N are thinned. */
  setInterval(interval: number): void {
    this.#interval = interval;
    // The next record sets the sampler.
    this.#probability = 0;
  }

  /** The next record is that of another exporter; `isFresh`: its totals began at 0. */
  restartAccount(isFresh: boolean): void {
    this.#records.restartAccount(isFresh);
  }

  /** Reads the message `bytes[0, size)`; the bytes are only used until this returns. */
  receive(bytes: Buffer, size: number): void {
    this.#records.receive(bytes, size);
  }

  status(): DatapathIntakeStatus {
    const cells = this.#cells;
    return {
      interval: this.#interval,
      tests: cells[TESTS]!,
      selected: this.#sampler.status().selected,
      unmanaged: cells[UNMANAGED]!,
      otherDomains: cells[OTHER_DOMAINS]!,
      probability: this.#probability,
      ...this.#records.status(),
    };
  }

  #receiveRecord(
    bytes: Buffer,
    domainId: number,
    pointId: number,
    frameLength: number,
    tcpFlags: number,
  ): void {
    const cells = this.#cells;
    if (domainId !== this.#domainToken) {
      cells[OTHER_DOMAINS]! += 1;
      return;
    }
    const probability = pointId & PROBABILITY_ALL;
    if (probability === 0) {
      cells[TESTS]! += 1;
      return;
    }
    if (probability !== this.#probability) {
      this.#setProbability(probability);
    }
    if (!this.#sampler.keep()) {
      return;
    }
    if (this.#sink === undefined) {
      cells[UNMANAGED]! += 1;
      return;
    }
    const ids = (pointId >>> SLOT_SHIFT) % IDS_KEPT;
    const domain = this.#domainIds[ids]!;
    const point = this.#pointIds[ids]!;
    this.#records.forward(this.#sink, bytes, this.#sampler, domain, point, frameLength, tcpFlags);
  }

  /** Weighs records by 65535/P, and thins them to 1 in N where they are more than that. */
  #setProbability(probability: number): void {
    this.#probability = probability;
    const scale = PROBABILITY_ALL / probability;
    this.#sampler.setScale(scale);
    const countedShare = Math.floor(scale) / scale;
    if (countedShare !== this.#countedShare) {
      this.account.convert(countedShare / this.#countedShare);
      this.#countedShare = countedShare;
    }
    const surplus = (this.#interval * probability) / PROBABILITY_ALL;
    if (surplus <= 1) {
      this.#sampler.setProbability(1, 1);
    } else if (this.#interval * probability <= NUMBER_MAX) {
      this.#sampler.setProbability(PROBABILITY_ALL, this.#interval * probability);
    } else {
      this.#sampler.setProbability(1, Math.min(Math.round(surplus), NUMBER_MAX));
    }
  }
}
