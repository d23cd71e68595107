// Traffic with a known rate: writes the same frames to dummy ports at equal intervals, and knows what it has written in the last
// seconds.

import type { Ovs } from './ovs.ts';

/** Frames that are written to a port in each tick. */
export interface SteadyFlow {
  readonly port: string;
  readonly frame: Uint8Array;
  readonly framesPerTick: number;
}

const TICK_MS = 100;

export class SteadyTraffic {
  readonly #ovs: Ovs;
  readonly #flows: readonly SteadyFlow[];
  /** When each tick was written, in milliseconds of `performance.now`. */
  readonly #ticks: number[] = [];
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;

  private constructor(ovs: Ovs, flows: readonly SteadyFlow[]) {
    this.#ovs = ovs;
    this.#flows = flows;
    this.#ended = this.#run();
  }

  /** Starts the traffic. */
  static start(ovs: Ovs, flows: readonly SteadyFlow[]): SteadyTraffic {
    return new SteadyTraffic(ovs, flows);
  }

  /** Returns bits and packets a second of the flows that are chosen, over the last seconds. */
  rate(seconds: number, isChosen: (flow: SteadyFlow) => boolean = () => true) {
    const since = performance.now() - seconds * 1000;
    const ticks = this.#ticks.filter((tick) => tick > since).length / seconds;
    const chosen = this.#flows.filter(isChosen);
    const sum = (valueOf: (flow: SteadyFlow) => number) =>
      chosen.reduce((all, flow) => all + valueOf(flow), 0);
    return {
      bits: ticks * sum(({ frame, framesPerTick }) => 8 * frame.length * framesPerTick),
      packets: ticks * sum(({ framesPerTick }) => framesPerTick),
    };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const begin = performance.now();
    for (let tick = 0; !this.#stopping.signal.aborted; tick += 1) {
      for (const { port, frame, framesPerTick } of this.#flows) {
        await this.#ovs.stream(
          port,
          Array.from({ length: framesPerTick }, () => frame),
        );
      }
      this.#ticks.push(performance.now());
      const due = begin + (tick + 1) * TICK_MS;
      await new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    }
  }
}
