// Writes one data record: the flow key from the cache, then what the flow has aggregated, where ipfix/record-layout.ts has it.
// Plain stores into the message, because this runs once for each record.

import type { FlowRecord } from '../flow/flow-record.ts';
import { offsetBehindKey, type RecordTemplate } from '../ipfix/record-layout.ts';
import type { OpenMessage } from './open-message.ts';

/** The largest delta, in microseconds: 32 bits. */
const DELTA_MAX = 0xffff_ffff;

// Offsets of the aggregated elements behind the key, in bytes. Numbers are in network byte order (RFC 7011, section 6.1);
// those of 8 bytes are written as two halves.
const START_DELTA = offsetBehindKey('flowStartDeltaMicroseconds');
const END_DELTA = offsetBehindKey('flowEndDeltaMicroseconds');
const PACKETS = offsetBehindKey('packetDeltaCount');
const OCTETS = offsetBehindKey('layer2OctetDeltaCount');
const END_REASON = offsetBehindKey('flowEndReason');
const SUM_OF_SQUARES = offsetBehindKey('octetDeltaSumOfSquares');
const MINIMUM_LENGTH = offsetBehindKey('minimumIpTotalLength');
const MAXIMUM_LENGTH = offsetBehindKey('maximumIpTotalLength');

/**
 * Writes `record` at `offset` of the message, which has `template.recordSize` bytes of room there. The deltas count back from
 * the message's export time. They have 32 bits (4,294 s) and are never negative; the active timeout of at most 4,200 s keeps
 * them in range.
 */
export function encodeRecord(
  message: OpenMessage,
  offset: number,
  template: RecordTemplate,
  record: FlowRecord,
  reason: number,
): void {
  const { view } = message.writer;
  record.copyKey(view, offset);
  const at = offset + template.keySize;
  const endDelta = Math.min(Math.max(message.exportMicros - record.endMicros, 0), DELTA_MAX);
  const startDelta = Math.min(Math.max(message.exportMicros - record.startMicros, endDelta), DELTA_MAX);
  view.setUint32(at + START_DELTA, startDelta);
  view.setUint32(at + END_DELTA, endDelta);
  view.setUint32(at + PACKETS, record.packetsHigh);
  view.setUint32(at + PACKETS + 4, record.packetsLow);
  view.setUint32(at + OCTETS, record.octetsHigh);
  view.setUint32(at + OCTETS + 4, record.octetsLow);
  view.setUint8(at + END_REASON, reason);
  if (!template.isIp) {
    return;
  }
  view.setUint32(at + SUM_OF_SQUARES, record.sumOfSquaresHigh);
  view.setUint32(at + SUM_OF_SQUARES + 4, record.sumOfSquaresLow);
  view.setUint32(at + MINIMUM_LENGTH, 0);
  view.setUint32(at + MINIMUM_LENGTH + 4, record.minimumIpTotalLength);
  view.setUint32(at + MAXIMUM_LENGTH, 0);
  view.setUint32(at + MAXIMUM_LENGTH + 4, record.maximumIpTotalLength);
}
