// One bridge whose packets are exported: its hook in the switch, its sampler and its exporter. It lives as long as the
// bridge has an IPFIX row of ours with a usable target; when that ends, what the cache holds is flushed.

import type { BridgeConfig, BridgeSampling } from '../config/configuration.ts';
import type { Problem } from '../config/problem.ts';
import { Exporter, type ExporterParts, type ExporterStatus } from '../export/exporter.ts';
import { PacketSampler, type PacketSamplerStatus } from '../flow/sampler.ts';
import type { PacketInView } from '../node-openflow/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { BridgeSession, type BridgeSessionOptions, type BridgeSessionStatus } from './bridge-session.ts';
import { isBridgeUserdata, userdataDomainId, userdataPointId } from './userdata.ts';

/** What a sampled bridge needs from outside: what its parts need, but for what it gives them itself. */
export type SampledBridgeParts = ExporterParts &
  Omit<BridgeSessionOptions, 'bridge' | 'onPacketIn' | 'onPool'> & {
    /** The exporter's clock, which a batch of samples reads once. */
    readonly sampleClock: Clock;
    /** Seed of the sampler's random choice, 32 bits. */
    readonly samplerSeed: number;
  };

/** Everything that an operator may want to know about a bridge; plain data. */
export interface SampledBridgeStatus {
  readonly bridge: string;
  readonly ipfixRow: string;
  readonly session: BridgeSessionStatus;
  readonly sampler: PacketSamplerStatus;
  /** Packet-ins that no hook of this version's has sent; they are not counted in flows. */
  readonly foreignPacketIns: number;
  readonly exporter: ExporterStatus;
}

export class SampledBridge {
  readonly name: string;
  readonly #session: BridgeSession;
  readonly #sampler: PacketSampler;
  readonly #exporter: Exporter;
  #ipfixRow: string;
  #foreignPacketIns = 0;

  constructor(config: BridgeConfig, sampling: BridgeSampling, parts: SampledBridgeParts) {
    this.name = config.name;
    this.#ipfixRow = sampling.ipfixRow;
    this.#sampler = new PacketSampler({ interval: sampling.interval, seed: parts.samplerSeed });
    this.#exporter = new Exporter(`bridge ${config.name}`, sampling.exporter, {
      ...parts,
      clock: parts.sampleClock,
    });
    this.#session = new BridgeSession({
      ...parts,
      bridge: config.name,
      onPacketIn: (packetIn) => this.#receive(packetIn),
      onPool: (pool) => this.#sampler.observePool(pool),
    });
    this.#setHook(config, sampling);
  }

  start(): void {
    this.#exporter.start();
    this.#session.start();
  }

  /** Takes over a changed row; the cache and what did not change go on. */
  configure(config: BridgeConfig, sampling: BridgeSampling): void {
    this.#ipfixRow = sampling.ipfixRow;
    this.#sampler.setInterval(sampling.interval);
    this.#exporter.configure(sampling.exporter);
    this.#setHook(config, sampling);
  }

  /** Takes the hook out, then flushes the cache to the collectors: the source stops before the sink. */
  async stop(): Promise<void> {
    await this.#session.stop();
    await this.#exporter.stop();
  }

  /** What keeps this bridge from being sampled right now, as a sentence; undefined when the hook is in place. */
  missing(): string | undefined {
    return this.#session.missing();
  }

  problems(): readonly Problem[] {
    return this.#session.problems();
  }

  status(): SampledBridgeStatus {
    return {
      bridge: this.name,
      ipfixRow: this.#ipfixRow,
      session: this.#session.status(),
      sampler: this.#sampler.status(),
      foreignPacketIns: this.#foreignPacketIns,
      exporter: this.#exporter.status(),
    };
  }

  #setHook(config: BridgeConfig, sampling: BridgeSampling): void {
    this.#session.setHook({
      maxSampleRate: config.maxSampleRate,
      observationDomainId: sampling.observationDomainId,
      observationPointId: sampling.observationPointId,
    });
  }

  /** The packet path: nothing is allocated here. The view is only good until this returns. */
  #receive(packetIn: PacketInView): void {
    const { bytes, userdataStart, packetStart, packetEnd } = packetIn;
    if (!isBridgeUserdata(bytes, userdataStart, packetIn.userdataEnd)) {
      this.#foreignPacketIns += 1;
      return;
    }
    if (this.#sampler.keep()) {
      this.#exporter.sample(
        bytes,
        packetStart,
        packetEnd,
        packetIn.fullLength,
        this.#sampler.weight(),
        userdataDomainId(bytes, userdataStart),
        userdataPointId(bytes, userdataStart),
      );
    }
  }
}
