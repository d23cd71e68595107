// The codec of flow statistics: the request, and the entries of the reply, one for each flow.
//
// For the table of messages: encodeFlowStatsRequest, decodeFlowStatsRequest, and per entry of the reply decodeFlowStats.
// Places (multipart): 1.0 Nicira 0 (NXST_FLOW); 1.3 to 1.5 type 1.
import { portTo16 } from './action-rows.ts';
import { OpenFlowEncodeError } from './errors.ts';
import { cookieField, cookieMask, GROUP_ANY, PORT_ANY, TABLE_ALL } from './flow-mod.ts';
import { decodeInstructions, type Instruction } from './instructions.ts';
import {
  decodeNxMatch,
  decodeOxmMatch,
  encodeNxMatch,
  encodeOxmMatch,
  fieldValue,
  findField,
  type MatchField,
  paddingAfter,
} from './match.ts';
import { portNumberFrom16 } from './port.ts';
import type { OpenFlowVersion } from './version.ts';
import { OpenFlowDecodeError, type WireReader, type WireWriter } from './wire.ts';

/** The flows that a request is restricted to. */
export interface FlowStatsRequest {
  /** `TABLE_ALL`: all tables. */
  readonly tableId: number;
  /** Only flows that output to this port; `PORT_ANY`: all. */
  readonly outPort: number;
  /** Only flows that output to this group; `GROUP_ANY`: all. Not in OpenFlow 1.0. */
  readonly outGroup: number;
  /** Only flows whose cookie equals this one in the bits of the mask. */
  readonly cookie: bigint;
  readonly cookieMask: bigint;
  readonly match: readonly MatchField[];
}

/** The statistics of one flow. */
export interface FlowStats {
  readonly tableId: number;
  readonly priority: number;
  /** In seconds, as configured; 0: none. */
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly importance: number;
  readonly flags: number;
  readonly cookie: bigint;
  readonly match: readonly MatchField[];
  readonly instructions: readonly Instruction[];
  /** Undefined when the switch does not report it. */
  readonly packetCount: bigint | undefined;
  readonly byteCount: bigint | undefined;
  /** Time since the flow was added, in whole seconds. */
  readonly durationSeconds: number;
  /** The rest of the time in nanoseconds. */
  readonly durationNanoseconds: number;
}

/** Returns a request for all flows, restricted by the given members. */
export function flowStatsRequest(fields: Partial<FlowStatsRequest> = {}): FlowStatsRequest {
  return {
    tableId: TABLE_ALL,
    outPort: PORT_ANY,
    outGroup: GROUP_ANY,
    cookie: 0n,
    cookieMask: 0n,
    match: [],
    ...fields,
  };
}

/*
 * OFPMP_FLOW request                  NXST_FLOW request
 *   u8  table, u8 zero[3]               u16 out port
 *   u32 out port                        u16 length of the match
 *   u32 out group                       u8  table, u8 zero[3]
 *   u32 zero                            nx_match
 *   u64 cookie
 *   u64 cookie mask
 *   ofp_match
 */
export function encodeFlowStatsRequest(
  version: OpenFlowVersion,
  request: FlowStatsRequest,
  writer: WireWriter,
): void {
  if (version !== 1) {
    writer.u8(request.tableId).zeros(3).u32(request.outPort).u32(request.outGroup).u32(0);
    writer.u64(request.cookie).u64(request.cookieMask);
    encodeOxmMatch(version, request.match, writer);
    return;
  }
  if (request.outGroup !== GROUP_ANY) {
    throw new OpenFlowEncodeError(
      'flow_stats.out_group',
      1,
      'this version cannot request the flows of a group',
    );
  }
  const lengthAt = writer.size + 2;
  writer.u16(portTo16('flow_stats.out_port', request.outPort)).u16(0).u8(request.tableId).zeros(3);
  const byCookie = request.cookieMask === 0n ? [] : [cookieField(request.cookie, request.cookieMask)];
  writer.setU16(lengthAt, encodeNxMatch([...request.match, ...byCookie], writer));
}

export function decodeFlowStatsRequest(version: OpenFlowVersion, reader: WireReader): FlowStatsRequest {
  if (version !== 1) {
    const tableId = reader.u8('flow_stats.table_id');
    reader.skip(3, 'flow_stats.pad');
    const outPort = reader.u32('flow_stats.out_port');
    const outGroup = reader.u32('flow_stats.out_group');
    reader.skip(4, 'flow_stats.pad');
    const cookie = reader.u64('flow_stats.cookie');
    const cookieMask = reader.u64('flow_stats.cookie_mask');
    return { tableId, outPort, outGroup, cookie, cookieMask, match: decodeOxmMatch(version, reader) };
  }
  const outPort = portNumberFrom16(reader.u16('flow_stats.out_port'));
  const matchLength = reader.u16('flow_stats.match_len');
  const tableId = reader.u8('flow_stats.table_id');
  reader.skip(3, 'flow_stats.pad');
  const match = decodeNxMatch(matchLength, reader);
  const filter = findField(match, 'cookie');
  return {
    tableId,
    outPort,
    outGroup: GROUP_ANY,
    cookie: filter === undefined ? 0n : fieldValue(filter),
    cookieMask: filter === undefined ? 0n : cookieMask(filter),
    match: match.filter((field) => field !== filter),
  };
}

/*
 * NXST_FLOW (48)             OFPMP_FLOW, 1.3 and 1.4 (48)      OFPMP_FLOW_DESC, 1.5 (24)
 *   u16 length                 u16 length                        u16 length, u16 zero
 *   u8  table, u8 zero         u8  table, u8 zero                u8  table, u8 zero
 *   u32 duration, seconds      u32 duration, seconds             u16 priority
 *   u32 and nanoseconds        u32 and nanoseconds               u16 idle timeout
 *   u16 priority               u16 priority                      u16 hard timeout
 *   u16 idle timeout           u16 idle timeout                  u16 flags
 *   u16 hard timeout           u16 hard timeout                  u16 importance
 *   u16 length of match        u16 flags                         u64 cookie
 *   u16 idle age               u16 importance (1.4)              ofp_match
 *   u16 hard age               u16 zero                          ofp_stats
 *   u64 cookie                 u64 cookie                        instructions
 *   u64 packets, u64 bytes     u64 packets, u64 bytes
 *   nx_match, actions          ofp_match, instructions
 */

/** Decodes one entry of a reply. */
export function decodeFlowStats(version: OpenFlowVersion, reader: WireReader): FlowStats {
  const start = reader.offset;
  const length = reader.u16('flow_stats.length');
  if (length < 24 || length % 8 !== 0) {
    throw new OpenFlowDecodeError('flow_stats.length', start, `an entry cannot have ${length} bytes`);
  }
  const entry = reader.sub(length - 2, 'flow_stats');
  return version === 6 ? decodeFlowDescription(entry) : decodeFixedStats(version, entry);
}

const COUNT_UNKNOWN = 0xffff_ffff_ffff_ffffn;

function decodeFixedStats(version: 1 | 4 | 5, entry: WireReader): FlowStats {
  const tableId = entry.u8('flow_stats.table_id');
  entry.skip(1, 'flow_stats.pad');
  const durationSeconds = entry.u32('flow_stats.duration_sec');
  const durationNanoseconds = entry.u32('flow_stats.duration_nsec');
  const priority = entry.u16('flow_stats.priority');
  const idleTimeout = entry.u16('flow_stats.idle_timeout');
  const hardTimeout = entry.u16('flow_stats.hard_timeout');
  const flagsOrLength = entry.u16(version === 1 ? 'flow_stats.match_len' : 'flow_stats.flags');
  const importance = entry.u16('flow_stats.importance');
  entry.skip(2, 'flow_stats.pad');
  const cookie = entry.u64('flow_stats.cookie');
  const packetCount = known(entry.u64('flow_stats.packet_count'));
  const byteCount = known(entry.u64('flow_stats.byte_count'));
  const match = version === 1 ? decodeNxMatch(flagsOrLength, entry) : decodeOxmMatch(version, entry);
  return {
    tableId,
    priority,
    idleTimeout,
    hardTimeout,
    importance: version === 1 ? 0 : importance,
    flags: version === 1 ? 0 : flagsOrLength,
    cookie,
    match,
    instructions: decodeInstructions(version, entry),
    packetCount,
    byteCount,
    durationSeconds,
    durationNanoseconds,
  };
}

function decodeFlowDescription(entry: WireReader): FlowStats {
  entry.skip(2, 'flow_desc.pad');
  const tableId = entry.u8('flow_desc.table_id');
  entry.skip(1, 'flow_desc.pad');
  const priority = entry.u16('flow_desc.priority');
  const idleTimeout = entry.u16('flow_desc.idle_timeout');
  const hardTimeout = entry.u16('flow_desc.hard_timeout');
  const flags = entry.u16('flow_desc.flags');
  const importance = entry.u16('flow_desc.importance');
  const cookie = entry.u64('flow_desc.cookie');
  const match = decodeOxmMatch(6, entry);
  const counters = decodeCounters(entry);
  const instructions = decodeInstructions(6, entry);
  return {
    tableId,
    priority,
    idleTimeout,
    hardTimeout,
    importance,
    flags,
    cookie,
    match,
    instructions,
    ...counters,
  };
}

type Counters = Pick<FlowStats, 'packetCount' | 'byteCount' | 'durationSeconds' | 'durationNanoseconds'>;

const OXS_CLASS_BASIC = 0x8002;
const OXS = { duration: 0, packetCount: 4, byteCount: 5 } as const;

/*
 * ofp_stats: u16 zero, u16 length without padding, statistics, zeros up to 8
 * statistic: u16 class, u7 field, u1 zero, u8 length, value
 */
function decodeCounters(entry: WireReader): Counters {
  entry.skip(2, 'ofp_stats.reserved');
  const length = entry.u16('ofp_stats.length');
  const stats = entry.sub(length - 4, 'ofp_stats');
  entry.skip(paddingAfter(length), 'ofp_stats.pad');
  const counters: { -readonly [Key in keyof Counters]: Counters[Key] } = {
    packetCount: undefined,
    byteCount: undefined,
    durationSeconds: 0,
    durationNanoseconds: 0,
  };
  while (stats.remaining > 0) {
    const classId = stats.u16('oxs.class');
    const field = stats.u8('oxs.field') >> 1;
    const value = stats.sub(stats.u8('oxs.length'), 'oxs');
    if (classId !== OXS_CLASS_BASIC) {
      continue;
    }
    if (field === OXS.duration) {
      counters.durationSeconds = value.u32('oxs.duration');
      counters.durationNanoseconds = value.u32('oxs.duration');
    } else if (field === OXS.packetCount) {
      counters.packetCount = value.u64('oxs.packet_count');
    } else if (field === OXS.byteCount) {
      counters.byteCount = value.u64('oxs.byte_count');
    }
  }
  return counters;
}

function known(count: bigint): bigint | undefined {
  return count === COUNT_UNKNOWN ? undefined : count;
}
