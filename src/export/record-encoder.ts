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
  const { view } = message.writer;
  record.copyKey(view, offset);
  const at = offset + template.keySize;
  const endDelta = Math.min(Math.max(message.exportMicros - record.endMicros, 0), DELTA_MAX);
  const startDelta = Math.min(Math.max(message.exportMicros - record.startMicros, endDelta), DELTA_MAX);
  view.setUint32(at, startDelta);
  view.setUint32(at + 4, endDelta);
  view.setUint32(at + 8, record.packetsHigh);
  view.setUint32(at + 12, record.packetsLow);
  view.setUint32(at + 16, record.octetsHigh);
  view.setUint32(at + 20, record.octetsLow);
  view.setUint8(at + 24, reason);
  if (!template.isIp) {
    return;
  }
  view.setUint32(at + 25, record.sumOfSquaresHigh);
  view.setUint32(at + 29, record.sumOfSquaresLow);
  view.setUint32(at + 33, 0);
  view.setUint32(at + 37, record.minimumIpTotalLength);
  view.setUint32(at + 41, 0);
  view.setUint32(at + 45, record.maximumIpTotalLength);
}
