// The packet rate of a bridge, from the counters of the hook's flow. ovs-vswitchd adds the packets of datapath flows to them up to
// half a second late, so the rate is that between the newest reading and the one before the last.

/** A reading and when it was made. */
interface Reading {
  readonly packets: number;
  readonly nowMs: number;
}

/** Readings that the rate is measured over. */
const READING_COUNT = 3;

export class HookRate {
  #readings: Reading[] = [];
  #lastPackets = 0;

  /** Takes a reading. Returns packets a second; undefined for the first reading of a flow. */
  read(packets: bigint, nowMs: number): number | undefined {
    const count = Number(packets);
    const newest = this.#readings.at(-1);
    if (newest !== undefined && count < newest.packets) {
      this.restart();
    }
    this.#lastPackets = count - (this.#readings.at(-1)?.packets ?? count);
    this.#readings = [...this.#readings.slice(1 - READING_COUNT), { packets: count, nowMs }];
    const [oldest] = this.#readings;
    const elapsedMs = nowMs - (oldest?.nowMs ?? nowMs);
    return oldest === undefined || elapsedMs <= 0 ? undefined : ((count - oldest.packets) * 1000) / elapsedMs;
  }

  /** Packets of the last reading that the one before did not have. */
  get lastPackets(): number {
    return this.#lastPackets;
  }

  /** The flow is a new one. */
  restart(): void {
    this.#readings = [];
    this.#lastPackets = 0;
  }
}
