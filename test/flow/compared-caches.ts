// A flow cache beside its plain counterpart, which get the same calls and must agree.

import assert from 'node:assert/strict';
import type { EngineName, FlowEngine } from '../../src/flow/flow-engine.ts';
import { addSample, engineOf } from './engines.ts';
import { CollectingVisitor, flowKey, keyText, setKey } from './flow-samples.ts';
import { NaiveCache } from './naive-cache.ts';

/** A cache and its plain counterpart, which get the same calls. */
export class ComparedCaches {
  readonly cache: FlowEngine;
  readonly naive: NaiveCache;
  readonly visitor = new CollectingVisitor();
  readonly #key = flowKey(256, 0);

  constructor(engine: EngineName, timeoutMicros: number, flowsMax: number, hashSeed: number) {
    this.cache = engineOf(engine, { activeTimeoutMicros: timeoutMicros, flowsMax, hashSeed });
    this.naive = new NaiveCache(timeoutMicros, flowsMax);
  }

  add(
    templateId: number,
    number: number,
    domain: number,
    nowMicros: number,
    weight: number,
    size: number,
    extra = 0,
  ): void {
    const key = this.#key;
    // The keys differ in the interface, in type and code of ICMP, or in both.
    setKey(key, templateId, number, 0x2_0003 + (extra & 0x1_0001));
    const room = Math.max(0, size - key.ethernetHeaderLength);
    key.ipTotalLength = [0, room, Math.max(0, room - 6), room + 1, 0xffff][extra % 5] ?? 0;
    key.tcpControlBits = extra & 0xff;
    addSample(this.cache, key, domain, nowMicros, weight, size);
    const sample = { domain, templateId, key: keyText(key), nowMicros, weight, frameSize: size };
    const ipLength = key.isIp ? room : undefined;
    const extended = { said: key.ipTotalLength, room, tcpFlags: key.tcpControlBits };
    this.naive.add(templateId < 512 ? { ...sample, ipLength } : { ...sample, ipLength, extended });
  }

  expire(nowMicros: number, countMax: number, isFlush: boolean): void {
    const count = isFlush
      ? this.cache.flush(this.visitor, countMax)
      : this.cache.expire(nowMicros, this.visitor, countMax);
    const seen = this.visitor.take();
    assert.deepEqual(seen, this.naive.expire(nowMicros, countMax, isFlush));
    assert.equal(count, seen.length);
  }

  setLimits(timeoutMicros: number, flowsMax: number): void {
    this.cache.setLimits(timeoutMicros, flowsMax);
    this.naive.timeoutMicros = timeoutMicros;
    this.naive.flowsMax = flowsMax;
  }

  check(): void {
    assert.equal(this.cache.flowCount, this.naive.flows.size);
    assert.equal(this.cache.nextExpiryMicros(), this.naive.nextExpiryMicros());
    const status = this.cache.status();
    assert.equal(status.flows, this.naive.flows.size);
    const gone = status.expiredByActiveTimeout + status.expiredByLackOfResources + status.expiredByForcedEnd;
    assert.equal(status.inserted - gone, status.flows);
  }
}
