// Turns the samples of users' `sample` actions into samples of an exporter: reads the messages that ovs-vswitchd sends for one
// collector set, whose row is redirected to the daemon, and forwards each record with its weight, with the observation domain and
// point of its action. A record may hold several samples, if ovs-vswitchd had it in its cache. It allocates nothing for a record.

import type { SampleSink } from './bridge-intake.ts';
import type { IngressInterfaces } from './ingress-interfaces.ts';
import type { SampleRates } from './sample-rates.ts';
import { Sampler, type SamplerStatus } from './sampler.ts';
import { SwitchRecords, type SwitchRecordsStatus } from './switch-records.ts';
import type { SwitchTemplate } from './switch-templates.ts';

/** The dependencies of `SetIntake`. */
export interface SetIntakeOptions {
  /** A random 32-bit number for the sampler. */
  readonly seed: number;
  readonly interfaces: IngressInterfaces;
  /** The templates of the exporter, which other sets of the bridge may share. */
  readonly templates: Map<number, SwitchTemplate>;
  /** See `SwitchRecordsOptions`. */
  readonly onOtherTemplate: (id: number) => void;
  /** The probabilities of the set's actions. */
  readonly rates: SampleRates;
}

/** Counts since the set was redirected, for operators. */
export interface SetIntakeStatus extends SwitchRecordsStatus, Pick<SamplerStatus, 'selected'> {
  /** Records without a sink. */
  readonly unmanaged: number;
}

export class SetIntake {
  readonly #records: SwitchRecords;
  readonly #sampler: Sampler;
  readonly #rates: SampleRates;
  #unmanaged = 0;
  #sink: SampleSink | undefined;

  constructor({ seed, interfaces, templates, onOtherTemplate, rates }: SetIntakeOptions) {
    this.#records = new SwitchRecords({
      interfaces,
      templates,
      onOtherTemplate,
      onRecord: (bytes, domainId, pointId, packets, frameLength, tcpFlags) =>
        this.#receiveRecord(bytes, domainId, pointId, packets, frameLength, tcpFlags),
    });
    const { factorCell, octetFactorCell } = this.#records.account;
    this.#sampler = new Sampler(seed, factorCell, octetFactorCell);
    this.#rates = rates;
  }

  /** Sets where samples go; undefined while the row is not redirected. */
  setSink(sink: SampleSink | undefined): void {
    this.#sink = sink;
  }

  /** The next record is that of another exporter; `isFresh`: its totals began at 0. */
  restartAccount(isFresh: boolean): void {
    this.#records.restartAccount(isFresh);
  }

  /** Reads the message `bytes[0, size)`; the bytes are only used until this returns. */
  receive(bytes: Buffer, size: number): void {
    this.#records.receive(bytes, size);
  }

  status(): SetIntakeStatus {
    const { selected } = this.#sampler.status();
    return { selected, unmanaged: this.#unmanaged, ...this.#records.status() };
  }

  #receiveRecord(
    bytes: Buffer,
    domainId: number,
    pointId: number,
    packets: number,
    frameLength: number,
    tcpFlags: number,
  ): void {
    if (this.#sink === undefined) {
      this.#unmanaged += 1;
      return;
    }
    this.#sampler.setRecordScale(packets, this.#rates.probability(domainId, pointId, packets));
    // The datapath has selected the packet; nothing is thinned.
    this.#sampler.keep();
    this.#records.forward(this.#sink, bytes, this.#sampler, domainId, pointId, frameLength, tcpFlags);
  }
}
