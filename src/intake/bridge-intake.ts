// What turns the packet-ins of one bridge into samples: reads from the userdata what was sampled, thins to what the rows ask
// for, and hands each sample with its weight to the sink of the hook or of the collector set. The packet path: nothing is
// allocated per packet, but for ids that come from fields. What is installed in the switch is decided in control/.

import { ProbabilitySampler, type ProbabilitySamplerStatus } from '../flow/probability-sampler.ts';
import { PacketSampler, type PacketSamplerStatus, type PoolCounters } from '../flow/sampler.ts';
import type { PacketInView } from '../node-openflow/index.ts';
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

/** Where samples go; an exporter. See `Exporter.sample`. */
export interface SampleSink {
  sample(
    bytes: Buffer,
    frameStart: number,
    frameEnd: number,
    frameLength: number,
    weight: number,
    observationDomainId: number,
    observationPointId: number,
  ): void;
}

export interface BridgeIntakeOptions {
  /** Random 32-bit numbers for samplers. */
  readonly randomSeed: () => number;
  /** Called for each packet-in of a `sample` action whose collector set is not expected. */
  readonly onUnexpectedSet: () => void;
}

/** A collector set that is exported. */
interface CollectorSetIntake {
  readonly sampler: ProbabilitySampler;
  readonly sink: SampleSink;
}

export class BridgeIntake {
  readonly #options: BridgeIntakeOptions;
  /** Keeps the account of the meter of all `sample` actions; what is kept is decided by each set's own sampler. */
  readonly #samplePool: PacketSampler;
  readonly #sets = new Map<number, CollectorSetIntake>();
  #expectedSets: ReadonlySet<number> = new Set();
  /** Exists as long as the hook is desired, so that it counts all that the hook's meter counts. */
  #hookSampler: PacketSampler | undefined;
  #hookSink: SampleSink | undefined;
  #foreignPacketIns = 0;

  constructor(options: BridgeIntakeOptions) {
    this.#options = options;
    this.#samplePool = new PacketSampler({ interval: 1, seed: options.randomSeed() });
  }

  /** Packet-ins without a sink now, such as those before a row is adopted; they are not counted in flows. */
  get foreignPacketIns(): number {
    return this.#foreignPacketIns;
  }

  /** Sets N of 1-in-N for the hook's packets; undefined while no hook is desired. */
  setHookInterval(interval: number | undefined): void {
    if (interval === undefined) {
      this.#hookSampler = undefined;
    } else if (this.#hookSampler === undefined) {
      this.#hookSampler = new PacketSampler({ interval, seed: this.#options.randomSeed() });
    } else {
      this.#hookSampler.setInterval(interval);
    }
  }

  /** Sets where the hook's samples go; undefined while the bridge's row is not ours. */
  setHookSink(sink: SampleSink | undefined): void {
    this.#hookSink = sink;
  }

  /** Sets the collector sets whose `sample` actions are desired to reach the daemon, exported or not yet. */
  setExpectedSets(collectorSets: ReadonlySet<number>): void {
    this.#expectedSets = collectorSets;
  }

  /** Has samples of a collector set exported. */
  addSet(collectorSetId: number, sink: SampleSink): void {
    const sampler = new ProbabilitySampler(this.#options.randomSeed(), this.#samplePool.expansionCell);
    this.#sets.set(collectorSetId, { sampler, sink });
  }

  removeSet(collectorSetId: number): void {
    this.#sets.delete(collectorSetId);
  }

  /** What the hook's meter has counted; zeros when it was added. */
  observeHookPool(pool: PoolCounters): void {
    this.#hookSampler?.observePool(pool);
  }

  /** The same for the meter of our actions behind `sample` actions. */
  observeSamplePool(pool: PoolCounters): void {
    this.#samplePool.observePool(pool);
  }

  hookStatus(): PacketSamplerStatus | undefined {
    return this.#hookSampler?.status();
  }

  samplePoolStatus(): PacketSamplerStatus {
    return this.#samplePool.status();
  }

  setStatus(collectorSetId: number): ProbabilitySamplerStatus | undefined {
    return this.#sets.get(collectorSetId)?.sampler.status();
  }

  /** Reads a packet-in; the view is only valid until this returns. */
  receive(packetIn: PacketInView): void {
    const { bytes, userdataStart } = packetIn;
    const kind = userdataKind(bytes, userdataStart, packetIn.userdataEnd);
    if (kind === KIND_BRIDGE) {
      this.#receiveFromHook(packetIn);
    } else if (kind === KIND_UNKNOWN) {
      this.#foreignPacketIns += 1;
    } else {
      this.#receiveFromSample(packetIn, kind === KIND_SAMPLE_FIELDS);
    }
  }

  #receiveFromHook(packetIn: PacketInView): void {
    const sampler = this.#hookSampler;
    const sink = this.#hookSink;
    if (sampler?.keep() !== true) {
      this.#foreignPacketIns += sampler === undefined ? 1 : 0;
    } else if (sink === undefined) {
      // The row is not adopted yet, and ovs-vswitchd exports the packet.
      this.#foreignPacketIns += 1;
    } else {
      const { bytes, userdataStart } = packetIn;
      const domainId = userdataDomainId(bytes, userdataStart);
      const pointId = userdataPointId(bytes, userdataStart);
      forward(sink, packetIn, sampler.weight(), domainId, pointId);
    }
  }

  #receiveFromSample(packetIn: PacketInView, isFromFields: boolean): void {
    const { bytes, userdataStart } = packetIn;
    const set = this.#sets.get(userdataCollectorSet(bytes, userdataStart));
    const probability = userdataProbability(bytes, userdataStart);
    this.#samplePool.keep();
    if (set === undefined || probability === 0) {
      // Of a row that is not adopted yet, of a set that was removed meanwhile, or of an action that a killed daemon left.
      this.#foreignPacketIns += 1;
      if (!this.#expectedSets.has(userdataCollectorSet(bytes, userdataStart))) {
        this.#options.onUnexpectedSet();
      }
      return;
    }
    if (!set.sampler.keep(probability)) {
      return;
    }
    const weight = set.sampler.weight(probability);
    if (isFromFields) {
      const { domainId, pointId } = idsFromFields(packetIn);
      forward(set.sink, packetIn, weight, domainId, pointId);
    } else {
      const domainId = userdataDomainId(bytes, userdataStart);
      forward(set.sink, packetIn, weight, domainId, userdataPointId(bytes, userdataStart));
    }
  }
}

function forward(
  sink: SampleSink,
  packetIn: PacketInView,
  weight: number,
  domainId: number,
  pointId: number,
): void {
  const { bytes, packetStart, packetEnd, fullLength } = packetIn;
  sink.sample(bytes, packetStart, packetEnd, fullLength, weight, domainId, pointId);
}
