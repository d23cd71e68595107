// Turns the packet-ins of one bridge into samples: reads from the userdata what was sampled, keeps what the rows ask for, and
// forwards each sample with its weight to the sink of the hook or of the collector set. This is the packet path: it allocates
// nothing per packet, except for ids that come from fields. What is installed in the switch is decided in control/.

import { TUNNEL_WORD_COUNT } from '../ipfix/record-layout.ts';
import type { PacketInView } from '../node-openflow/index.ts';
import { type IngressInterfaces, UNKNOWN_INTERFACE } from './ingress-interfaces.ts';
import { type LedgerEvent, type MeterCounters, MeterLedger, type MeterLedgerStatus } from './meter-ledger.ts';
import { PROBABILITY_ALL, Sampler, type SamplerStatus } from './sampler.ts';
import {
  idsFromFields,
  KIND_BRIDGE,
  KIND_SAMPLE_FIELDS,
  KIND_UNKNOWN,
  userdataCollectorSet,
  userdataDomainId,
  userdataKind,
  userdataPointId,
  userdataProbability,
} from './userdata.ts';

/** Where key, source and destination are among the elements of a tunnel. */
const TUNNEL_KEY_AT = 1;

/** Where samples go; an exporter. See `Exporter.sample`. */
export interface SampleSink {
  /** Whether `ingressInterface` is used. */
  readonly hasInterfaces: boolean;
  /** Whether `tunnel` is used. */
  readonly hasTunnels: boolean;
  sample(
    bytes: Buffer,
    frameStart: number,
    frameEnd: number,
    frameLength: number,
    weight: number,
    observationDomainId: number,
    observationPointId: number,
    ingressInterface: number,
    octets: number,
    /** A word for each element of a tunnel in the order of the record; undefined: none. */
    tunnel: Int32Array | undefined,
  ): void;
}

/** The two meters of a bridge: of the hook, and of the companion actions of all collector sets. */
export type MeterName = 'hook' | 'sample';

export interface BridgeIntakeOptions {
  /** The interfaces of the bridge. */
  readonly interfaces: IngressInterfaces;
  /** Returns random 32-bit numbers, the seeds of samplers. */
  readonly randomSeed: () => number;
  /** Called for each packet-in of a `sample` action whose collector set is not expected. */
  readonly onUnexpectedSet: () => void;
}

/** The hook's sampler and the ledger of its meter, for operators. */
export interface HookSamplerStatus extends MeterLedgerStatus {
  /** N of 1-in-N. */
  readonly interval: number;
  /** Packet-ins that were kept as samples. */
  readonly selected: number;
  /** Packets of the sample pool that a sample represents: N, or `compensationFactor` when that is more. */
  readonly sampleWeight: number;
}

/** The hook while it is desired. */
interface HookIntake {
  interval: number;
  readonly ledger: MeterLedger;
  readonly sampler: Sampler;
}

/** A collector set that is exported. */
interface CollectorSetIntake {
  readonly sampler: Sampler;
  readonly sink: SampleSink;
}

export class BridgeIntake {
  readonly #options: BridgeIntakeOptions;
  /** Of the meter that all `sample` actions of the bridge share. */
  readonly #sampleLedger = new MeterLedger();
  readonly #sets = new Map<number, CollectorSetIntake>();
  #expectedSets: ReadonlySet<number> = new Set();
  /** Exists as long as the hook is desired, so that it counts all that the hook's meter counts. */
  #hook: HookIntake | undefined;
  #hookSink: SampleSink | undefined;
  #unmanagedPacketIns = 0;
  /** Of the packet-in that is forwarded. */
  readonly #tunnel = new Int32Array(TUNNEL_WORD_COUNT);

  constructor(options: BridgeIntakeOptions) {
    this.#options = options;
  }

  /** Packet-ins without a sink, such as those before a row is adopted; they are not counted in flows. */
  get unmanagedPacketIns(): number {
    return this.#unmanagedPacketIns;
  }

  /** Sets N of 1-in-N for the hook's packets, 1 to 2^32 - 1; undefined while no hook is desired. */
  setHookInterval(interval: number | undefined): void {
    if (interval === undefined) {
      this.#hook = undefined;
      return;
    }
    this.#hook ??= this.#newHook();
    this.#hook.interval = interval;
    this.#hook.sampler.setProbability(1, interval);
  }

  /** Sets where the hook's samples go; undefined while the bridge's row is not adopted. */
  setHookSink(sink: SampleSink | undefined): void {
    this.#hookSink = sink;
  }

  /** Sets the collector sets whose `sample` actions are desired to reach the daemon, exported or not yet. */
  setExpectedSets(collectorSets: ReadonlySet<number>): void {
    this.#expectedSets = collectorSets;
  }

  /** Starts forwarding the samples of a collector set. */
  addSet(collectorSetId: number, sink: SampleSink): void {
    const sampler = this.#newSampler(this.#sampleLedger);
    this.#sets.set(collectorSetId, { sampler, sink });
  }

  removeSet(collectorSetId: number): void {
    this.#sets.delete(collectorSetId);
  }

  /** Notes the counters of a meter: see `MeterLedger.observe`. */
  observePool(meter: MeterName, counters: MeterCounters): void {
    this.#ledgerOf(meter)?.observe(counters);
  }

  /** Restarts the ledger of a meter: see `MeterLedger.restart`. */
  restartLedger(meter: MeterName, event: LedgerEvent): void {
    this.#ledgerOf(meter)?.restart(event);
  }

  /** Whether more packets arrive than pass the meters: see `MeterLedger.hasSurplus`. */
  get hasSurplus(): boolean {
    return this.#sampleLedger.hasSurplus || this.#hook?.ledger.hasSurplus === true;
  }

  hookStatus(): HookSamplerStatus | undefined {
    if (this.#hook === undefined) {
      return undefined;
    }
    const { interval, ledger, sampler } = this.#hook;
    const status = ledger.status();
    const sampleWeight = Math.max(interval, status.compensationFactor);
    return { interval, ...status, selected: sampler.status().selected, sampleWeight };
  }

  sampleActionMeterStatus(): MeterLedgerStatus {
    return this.#sampleLedger.status();
  }

  setStatus(collectorSetId: number): SamplerStatus | undefined {
    return this.#sets.get(collectorSetId)?.sampler.status();
  }

  /** Reads a packet-in; the view is only valid until this returns. */
  receive(packetIn: PacketInView): void {
    const { bytes, userdataStart } = packetIn;
    const kind = userdataKind(bytes, userdataStart, packetIn.userdataEnd);
    if (kind === KIND_BRIDGE) {
      this.#receiveFromHook(packetIn);
    } else if (kind === KIND_UNKNOWN) {
      this.#unmanagedPacketIns += 1;
    } else {
      this.#receiveFromSample(packetIn, kind === KIND_SAMPLE_FIELDS);
    }
  }

  #receiveFromHook(packetIn: PacketInView): void {
    const hook = this.#hook;
    const sink = this.#hookSink;
    if (hook === undefined) {
      this.#unmanagedPacketIns += 1;
      return;
    }
    hook.ledger.arrive(packetIn.fullLength);
    if (!hook.sampler.keep()) {
      return;
    }
    if (sink === undefined) {
      // The row is not adopted yet, and ovs-vswitchd exports the packet.
      this.#unmanagedPacketIns += 1;
      return;
    }
    const { bytes, userdataStart } = packetIn;
    const domainId = userdataDomainId(bytes, userdataStart);
    this.#forward(sink, packetIn, hook.sampler, domainId, userdataPointId(bytes, userdataStart));
  }

  #receiveFromSample(packetIn: PacketInView, isFromFields: boolean): void {
    const { bytes, userdataStart } = packetIn;
    const collectorSetId = userdataCollectorSet(bytes, userdataStart);
    const set = this.#sets.get(collectorSetId);
    const probability = userdataProbability(bytes, userdataStart);
    this.#sampleLedger.arrive(packetIn.fullLength);
    if (set === undefined || probability === 0) {
      // The row is not adopted yet, the set was removed meanwhile, or the action is stale.
      this.#unmanagedPacketIns += 1;
      if (!this.#expectedSets.has(collectorSetId)) {
        this.#options.onUnexpectedSet();
      }
      return;
    }
    const { sampler, sink } = set;
    sampler.setProbability(probability, PROBABILITY_ALL);
    if (!sampler.keep()) {
      return;
    }
    if (isFromFields) {
      const { domainId, pointId } = idsFromFields(packetIn);
      this.#forward(sink, packetIn, sampler, domainId, pointId);
    } else {
      const domainId = userdataDomainId(bytes, userdataStart);
      this.#forward(sink, packetIn, sampler, domainId, userdataPointId(bytes, userdataStart));
    }
  }

  #forward(
    sink: SampleSink,
    packetIn: PacketInView,
    sampler: Sampler,
    domainId: number,
    pointId: number,
  ): void {
    const { bytes, packetStart, packetEnd, fullLength } = packetIn;
    const { interfaces } = this.#options;
    const ingress = sink.hasInterfaces ? interfaces.numberOf(packetIn.inPort) : UNKNOWN_INTERFACE;
    let tunnel: Int32Array | undefined;
    if (sink.hasTunnels) {
      tunnel = this.#tunnel;
      interfaces.putTunnel(packetIn.inPort, tunnel);
      packetIn.readTunnel(tunnel, TUNNEL_KEY_AT);
    }
    const weight = sampler.weight();
    const octets = sampler.octets(fullLength);
    sink.sample(
      bytes,
      packetStart,
      packetEnd,
      fullLength,
      weight,
      domainId,
      pointId,
      ingress,
      octets,
      tunnel,
    );
  }

  #newHook(): HookIntake {
    const ledger = new MeterLedger();
    return { interval: 1, ledger, sampler: this.#newSampler(ledger) };
  }

  #newSampler(ledger: MeterLedger): Sampler {
    return new Sampler(this.#options.randomSeed(), ledger.factorCell, ledger.octetFactorCell);
  }

  #ledgerOf(meter: MeterName): MeterLedger | undefined {
    return meter === 'hook' ? this.#hook?.ledger : this.#sampleLedger;
  }
}
