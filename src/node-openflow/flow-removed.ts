// The codec of OFPT_FLOW_REMOVED, which the switch sends for flows with OFPFF_SEND_FLOW_REM. In OpenFlow 1.0 only Nicira's
// layout is decoded, which the switch uses after `set_flow_format` has selected NXM.
import { decodeNxMatch, decodeOxmMatch, type MatchField } from './match.ts';
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

const REASONS = [
  'idle_timeout',
  'hard_timeout',
  'delete',
  'group_delete',
  'meter_delete',
  'eviction',
] as const;
export type FlowRemovedReason = (typeof REASONS)[number];

/** A flow that was removed. */
export interface FlowRemoved {
  /** `unknown` for a reason that OpenFlow 1.5 does not define. */
  readonly reason: FlowRemovedReason | 'unknown';
  /** Null when OpenFlow 1.0 does not report it. */
  readonly tableId: number | null;
  readonly priority: number;
  readonly cookie: bigint;
  readonly match: readonly MatchField[];
  /** In seconds; 0: none. */
  readonly idleTimeout: number;
  readonly hardTimeout: number;
}

/*
 * OpenFlow 1.3, 1.4                NXT_FLOW_REMOVED (1.0)            OpenFlow 1.5
 *   u64 cookie                       u64 cookie                        u8  table
 *   u16 priority                     u16 priority                      u8  reason
 *   u8  reason                       u8  reason                        u16 priority
 *   u8  table                        u8  table + 1, or 0               u16 idle timeout
 *   u32 seconds, u32 nanoseconds     u32 seconds, u32 nanoseconds      u16 hard timeout
 *   u16 idle timeout                 u16 idle timeout                  u64 cookie
 *   u16 hard timeout                 u16 length of the match           match
 *   u64 packets, u64 bytes           u64 packets, u64 bytes            statistics
 *   match                            match
 */
export function decodeFlowRemoved(version: OpenFlowVersion, reader: WireReader): FlowRemoved {
  if (version === 6) {
    const tableId = reader.u8('flow_removed.table_id');
    const reason = readReason(reader);
    const priority = reader.u16('flow_removed.priority');
    const idleTimeout = reader.u16('flow_removed.idle_timeout');
    const hardTimeout = reader.u16('flow_removed.hard_timeout');
    const cookie = reader.u64('flow_removed.cookie');
    const match = decodeOxmMatch(version, reader, 'flow_removed.match');
    return { reason, tableId, priority, cookie, match, idleTimeout, hardTimeout };
  }
  const cookie = reader.u64('flow_removed.cookie');
  const priority = reader.u16('flow_removed.priority');
  const reason = readReason(reader);
  const table = reader.u8('flow_removed.table_id');
  reader.skip(8, 'flow_removed.duration');
  const idleTimeout = reader.u16('flow_removed.idle_timeout');
  const lengthOrHard = reader.u16(version === 1 ? 'flow_removed.match_len' : 'flow_removed.hard_timeout');
  reader.skip(16, 'flow_removed.counts');
  const common = { reason, priority, cookie, idleTimeout };
  if (version === 1) {
    const match = decodeNxMatch(lengthOrHard, reader, 'flow_removed.match');
    return { ...common, tableId: table === 0 ? null : table - 1, match, hardTimeout: 0 };
  }
  const match = decodeOxmMatch(version, reader, 'flow_removed.match');
  return { ...common, tableId: table, match, hardTimeout: lengthOrHard };
}

function readReason(reader: WireReader): FlowRemovedReason | 'unknown' {
  return REASONS[reader.u8('flow_removed.reason')] ?? 'unknown';
}

/** Formats of NXT_SET_FLOW_FORMAT. */
export const FLOW_FORMATS = { openflow10: 0, nxm: 2 } as const;

/** NXT_SET_FLOW_FORMAT: the format of flows on this connection in OpenFlow 1.0. */
export interface SetFlowFormat {
  /** One of `FLOW_FORMATS`. */
  readonly format: number;
}

export function encodeFlowFormat(
  _version: OpenFlowVersion,
  message: SetFlowFormat,
  writer: WireWriter,
): void {
  writer.u32(message.format);
}

export function decodeFlowFormat(_version: OpenFlowVersion, reader: WireReader): SetFlowFormat {
  return { format: reader.u32('set_flow_format.format') };
}
