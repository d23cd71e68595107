// A plain flow cache without optimisations: a Map from text to objects, in the order in which flows started, counting with
// bigint. Tests compare the real one with it.

export interface NaiveSample {
  readonly domain: number;
  readonly templateId: number;
  readonly key: string;
  readonly nowMicros: number;
  readonly weight: number;
  readonly frameSize: number;
  /** Length of the frame without its Ethernet header; undefined when the template is not IP. */
  readonly ipLength: number | undefined;
}

export interface NaiveFlow {
  readonly domain: number;
  readonly templateId: number;
  readonly key: string;
  startMicros: number;
  endMicros: number;
  packets: bigint;
  octets: bigint;
  squares: bigint;
  minimum: number;
  maximum: number;
  reason: number;
}

const modulo64 = (value: bigint): bigint => BigInt.asUintN(64, value);

export class NaiveCache {
  readonly flows = new Map<string, NaiveFlow>();
  timeoutMicros: number;
  flowsMax: number;

  constructor(timeoutMicros: number, flowsMax: number) {
    this.timeoutMicros = timeoutMicros;
    this.flowsMax = flowsMax;
  }

  add(sample: NaiveSample): void {
    const { domain, templateId, key, nowMicros } = sample;
    const name = `${domain}/${templateId}/${key}`;
    const weight = BigInt(sample.weight);
    const length = sample.ipLength ?? 0;
    const flow = this.flows.get(name) ?? {
      domain,
      templateId,
      key,
      startMicros: nowMicros,
      endMicros: nowMicros,
      packets: 0n,
      octets: 0n,
      squares: 0n,
      minimum: 0,
      maximum: 0,
      reason: 0,
    };
    this.flows.set(name, flow);
    flow.startMicros = Math.min(flow.startMicros, nowMicros);
    flow.endMicros = Math.max(flow.endMicros, nowMicros);
    flow.packets = modulo64(flow.packets + weight);
    flow.octets = modulo64(flow.octets + weight * BigInt(sample.frameSize));
    flow.squares = modulo64(flow.squares + weight * BigInt(length) ** 2n);
    const lengths = [flow.minimum, length].filter((some) => some > 0);
    flow.minimum = lengths.length === 0 ? 0 : Math.min(...lengths);
    flow.maximum = Math.max(flow.maximum, length);
  }

  expire(nowMicros: number, countMax: number, isFlush: boolean): NaiveFlow[] {
    const gone: NaiveFlow[] = [];
    for (const [name, flow] of this.flows) {
      if (gone.length === countMax) {
        break;
      }
      if (isFlush) {
        flow.reason = 4;
      } else if (flow.startMicros <= nowMicros - this.timeoutMicros) {
        flow.reason = 2;
      } else if (this.flows.size > this.flowsMax) {
        flow.reason = 5;
      } else {
        break;
      }
      this.flows.delete(name);
      gone.push(flow);
    }
    return gone;
  }

  nextExpiryMicros(): number {
    const [head] = this.flows.values();
    if (head === undefined) {
      return Number.POSITIVE_INFINITY;
    }
    return this.flows.size > this.flowsMax ? Number.NEGATIVE_INFINITY : head.startMicros + this.timeoutMicros;
  }
}
