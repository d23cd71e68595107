// Writes one data record: the flow key as the cache has it, then what the flow has gathered (wire-format of the
// records: templates.ts). Plain stores into the message, because this runs once for each record.

import type { FlowRecord } from '../flow/flow-record.ts';
import type { RecordTemplate } from '../ipfix/templates.ts';
import type { OpenMessage } from './open-message.ts';

const DELTA_MAX = 0xffff_ffff;

/*
 * After the key (RFC 7011, section 6.1; all numbers in network byte order):
 *
 *   flowStartDeltaMicroseconds   4
 *   flowEndDeltaMicroseconds     4
 *   packetDeltaCount             8
 *   layer2OctetDeltaCount        8
 *   flowEndReason                1
 *   octetDeltaSumOfSquares       8   \
 *   minimumIpTotalLength         8    | only in the templates of IP
 *   maximumIpTotalLength         8   /
 */

/**
 * Writes `record` at `offset` of the message, which has `template.recordSize` bytes of room there. The deltas count back
 * from the message's export time. They have 32 bits (4,294 s) and are never negative; the cache's active timeout of at
 * most 4,200 s keeps them within.
 */
export function encodeRecord(
  message: OpenMessage,
  offset: number,
  template: RecordTemplate,
  record: FlowRecord,
  reason: number,
): void {
  const { bytes } = message.writer;
  const { keyBytes, keyStart } = record;
  const { keySize } = template;
  for (let index = 0; index < keySize; index += 1) {
    bytes[offset + index] = keyBytes[keyStart + index] as number;
  }
  const at = offset + keySize;
  const endDelta = Math.min(Math.max(message.exportMicros - record.endMicros, 0), DELTA_MAX);
  const startDelta = Math.min(Math.max(message.exportMicros - record.startMicros, endDelta), DELTA_MAX);
  put32(bytes, at, startDelta);
  put32(bytes, at + 4, endDelta);
  put32(bytes, at + 8, record.packetsHigh);
  put32(bytes, at + 12, record.packetsLow);
  put32(bytes, at + 16, record.octetsHigh);
  put32(bytes, at + 20, record.octetsLow);
  bytes[at + 24] = reason;
  if (!template.isIp) return;
  put32(bytes, at + 25, record.sumOfSquaresHigh);
  put32(bytes, at + 29, record.sumOfSquaresLow);
  put32(bytes, at + 33, 0);
  put32(bytes, at + 37, record.minimumIpTotalLength);
  put32(bytes, at + 41, 0);
  put32(bytes, at + 45, record.maximumIpTotalLength);
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
