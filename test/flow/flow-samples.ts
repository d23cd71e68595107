// Flow keys for tests of the cache, made without the dissector, and a visitor that keeps copies of flows.

import type { FlowRecord, FlowVisitor } from '../../src/flow/flow-cache.ts';
import { FlowKey } from '../../src/packet/flow-key.ts';
import type { NaiveFlow } from './naive-cache.ts';

/** Key sizes by template, from the description of the wire format. */
export const KEY_SIZES: ReadonlyMap<number, number> = new Map([
  [256, 19],
  [258, 33],
  [259, 37],
  [260, 61],
  [261, 65],
  [262, 24],
  [264, 38],
  [265, 42],
  [266, 66],
  [267, 70],
]);
export const TEMPLATE_IDS: readonly number[] = [...KEY_SIZES.keys()];

/** Fills `key` with the key number `number` of a template: keys differ in their last bytes only. */
export function setKey(key: FlowKey, templateId: number, number: number): void {
  key.templateId = templateId;
  key.size = KEY_SIZES.get(templateId) ?? 0;
  key.ethernetHeaderLength = templateId < 262 ? 14 : 18;
  key.isIp = templateId !== 256 && templateId !== 262;
  key.bytes.fill(0);
  key.bytes.fill(0x5a, 0, key.size - 4);
  key.bytes.writeUInt32BE(number, key.size - 4);
}

export function flowKey(templateId: number, number: number): FlowKey {
  const key = new FlowKey();
  setKey(key, templateId, number);
  return key;
}

const wide = (high: number, low: number): bigint => (BigInt(high) << 32n) | BigInt(low);

/** Keeps a copy of each flow that it receives. */
export class CollectingVisitor implements FlowVisitor {
  flows: NaiveFlow[] = [];

  flow(record: FlowRecord, reason: number): void {
    this.flows.push({
      domain: record.observationDomainId,
      templateId: record.templateId,
      key: record.keyBytes.toString('hex', record.keyStart, record.keyStart + record.keySize),
      startMicros: record.startMicros,
      endMicros: record.endMicros,
      packets: wide(record.packetsHigh, record.packetsLow),
      octets: wide(record.octetsHigh, record.octetsLow),
      squares: wide(record.sumOfSquaresHigh, record.sumOfSquaresLow),
      minimum: record.minimumIpTotalLength,
      maximum: record.maximumIpTotalLength,
      reason,
    });
  }

  take(): NaiveFlow[] {
    const { flows } = this;
    this.flows = [];
    return flows;
  }
}
