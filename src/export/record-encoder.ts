// Writes one data record: the flow key from the cache and what the flow has aggregated, where ipfix/record-layout.ts has them.
// Plain stores into the message, because this runs once for each record.

import type { FlowRecord } from '../flow/flow-record.ts';
import { type ExtendedOffsets, offsetBehindKey, type RecordTemplate } from '../ipfix/record-layout.ts';
import type { OpenMessage } from './open-message.ts';

/** The largest delta, in microseconds: 32 bits. */
const DELTA_MAX = 0xffff_ffff;
const WORD = 0x1_0000_0000;
/** The value of samplingInterval (element 34): counts are scaled already, and a collector that scales too must not. */
const SCALED = 1;
/** The value of flowDirection (element 61). */
const INGRESS = 0;
/** The interface by which packets leave is not known where they are sampled. */
const EGRESS_UNKNOWN = 0;

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
  if (template.isIp) {
    encodeIpLengths(view, at, record);
  }
  if (template.extended !== undefined) {
    encodeExtended(message, offset, template.extended, record, startDelta, endDelta);
  }
}

function encodeIpLengths(view: DataView, at: number, record: FlowRecord): void {
  view.setUint32(at + SUM_OF_SQUARES, record.sumOfSquaresHigh);
  view.setUint32(at + SUM_OF_SQUARES + 4, record.sumOfSquaresLow);
  view.setUint32(at + MINIMUM_LENGTH, 0);
  view.setUint32(at + MINIMUM_LENGTH + 4, record.minimumIpTotalLength);
  view.setUint32(at + MAXIMUM_LENGTH, 0);
  view.setUint32(at + MAXIMUM_LENGTH + 4, record.maximumIpTotalLength);
}

/** Writes what the format `extended` has behind the original record. */
function encodeExtended(
  message: OpenMessage,
  offset: number,
  offsets: ExtendedOffsets,
  record: FlowRecord,
  startDelta: number,
  endDelta: number,
): void {
  const { view, exportTimeSeconds } = message.writer;
  view.setUint32(offset + offsets.ingressInterface, record.ingressInterface);
  view.setUint32(offset + offsets.egressInterface, EGRESS_UNKNOWN);
  view.setUint8(offset + offsets.flowDirection, INGRESS);
  if (offsets.tcpControlBits >= 0) {
    view.setUint8(offset + offsets.tcpControlBits, record.tcpControlBits);
  } else if (offsets.icmpTypeCode >= 0) {
    view.setUint16(offset + offsets.icmpTypeCode, record.icmpTypeCode);
  }
  view.setUint32(offset + offsets.octetDeltaCount, record.ipOctetsHigh);
  view.setUint32(offset + offsets.octetDeltaCount + 4, record.ipOctetsLow);
  view.setUint32(offset + offsets.samplingInterval, SCALED);
  if (offsets.tunnel >= 0) {
    encodeTunnel(view, offset + offsets.tunnel, record);
  }
  // The deltas are rounded down: a collector that computes times from them gets the same milliseconds.
  const startMillis = exportTimeSeconds * 1000 - Math.floor(startDelta / 1000);
  const endMillis = exportTimeSeconds * 1000 - Math.floor(endDelta / 1000);
  view.setUint32(offset + offsets.flowStartMilliseconds, Math.floor(startMillis / WORD));
  view.setUint32(offset + offsets.flowStartMilliseconds + 4, startMillis % WORD);
  view.setUint32(offset + offsets.flowEndMilliseconds, Math.floor(endMillis / WORD));
  view.setUint32(offset + offsets.flowEndMilliseconds + 4, endMillis % WORD);
}

/** Writes the elements of a tunnel: type, key, addresses, protocol and ports. */
function encodeTunnel(view: DataView, at: number, record: FlowRecord): void {
  view.setUint8(at, record.tunnelValue(0));
  view.setUint32(at + 1, record.tunnelValue(1));
  view.setUint32(at + 5, record.tunnelValue(2));
  view.setUint32(at + 9, record.tunnelValue(3));
  view.setUint8(at + 13, record.tunnelValue(4));
  view.setUint16(at + 14, record.tunnelValue(5));
  view.setUint16(at + 16, record.tunnelValue(6));
}
