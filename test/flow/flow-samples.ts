// Flow keys for tests of the cache, made without the dissector, and a visitor that keeps copies of flows.

import type { FlowRecord, FlowVisitor } from '../../src/flow/flow-cache.ts';
import { FlowKey } from '../../src/packet/flow-key.ts';
import type { NaiveFlow } from './naive-cache.ts';

/** Key sizes of the format `original` by template, from the description of the wire format. */
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
/** Sizes of the leading part of keys of the format `extended`; templates of ICMP are 2 more than those without transport. */
export const EXTENDED_KEY_SIZES: ReadonlyMap<number, number> = new Map([
  [512, 19],
  [516, 33],
  [517, 37],
  [518, 33],
  [520, 61],
  [521, 65],
  [522, 61],
  [524, 24],
  [528, 38],
  [529, 42],
  [530, 38],
  [532, 66],
  [533, 70],
  [534, 66],
]);
const ICMP_TEMPLATES = new Set([518, 522, 530, 534]);
export const TEMPLATE_IDS: readonly number[] = [...KEY_SIZES.keys(), ...EXTENDED_KEY_SIZES.keys()];

/**
 * Fills `key` with the key number `number` of a template: keys differ in the last bytes of their leading part, and those of the
 * format `extended` in the two halves of `trailing`, the interface and type and code of ICMP.
 */
export function setKey(key: FlowKey, templateId: number, number: number, trailing = 0x10001): void {
  key.templateId = templateId;
  key.size = KEY_SIZES.get(templateId) ?? EXTENDED_KEY_SIZES.get(templateId) ?? 0;
  key.ethernetHeaderLength = templateId < 262 || (templateId >= 512 && templateId < 524) ? 14 : 18;
  key.isIp = ![256, 262, 512, 524].includes(templateId);
  key.bytes.fill(0);
  key.bytes.fill(0x5a, 0, key.size - 4);
  key.bytes.writeUInt32BE(number, key.size - 4);
  if (templateId >= 512) {
    const leadingWords = Math.ceil(key.size / 4);
    key.words[leadingWords] = trailing >>> 16;
    key.words[leadingWords + 1] = trailing & 0xffff;
  }
}

/** The key of `setKey` as text. */
export function keyText(key: FlowKey): string {
  const leadingWords = Math.ceil(key.size / 4);
  const trailingCount = key.templateId < 512 ? 0 : ICMP_TEMPLATES.has(key.templateId) ? 2 : 1;
  const trailing = key.words.subarray(leadingWords, leadingWords + trailingCount);
  return [key.bytes.toString('hex', 0, key.size), ...trailing].join('/');
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
    const isExtended = record.templateId >= 512;
    const leading = record.keyBytes.toString('hex', record.keyStart, record.keyStart + record.keySize);
    const ingress = isExtended ? [record.ingressInterface] : [];
    const icmp = ICMP_TEMPLATES.has(record.templateId) ? [record.icmpTypeCode] : [];
    this.flows.push({
      domain: record.observationDomainId,
      templateId: record.templateId,
      key: [leading, ...ingress, ...icmp].join('/'),
      startMicros: record.startMicros,
      endMicros: record.endMicros,
      packets: wide(record.packetsHigh, record.packetsLow),
      octets: wide(record.octetsHigh, record.octetsLow),
      squares: wide(record.sumOfSquaresHigh, record.sumOfSquaresLow),
      minimum: record.minimumIpTotalLength,
      maximum: record.maximumIpTotalLength,
      ipOctets: isExtended ? wide(record.ipOctetsHigh, record.ipOctetsLow) : undefined,
      tcpFlags: isExtended ? record.tcpControlBits : undefined,
      reason,
    });
  }

  take(): NaiveFlow[] {
    const { flows } = this;
    this.flows = [];
    return flows;
  }
}
