// The codec of flow monitors, by which the switch reports its flows and each change of them. There are three layouts:
// Nicira's in OpenFlow 1.0, the ONF's extension to 1.3 (OVS 3.0), and the standard of 1.4 and later (OVS 3.0).
//
// For the table of messages: encodeFlowMonitorRequest, decodeFlowMonitorRequest, and per entry of the reply
// decodeFlowUpdate. Places (multipart): 1.0 Nicira 2; 1.3 ONF 1870; 1.4, 1.5 type 16.
// encodeFlowMonitorCancel, decodeFlowMonitorCancel: 1.0 Nicira 21; 1.3 ONF 1870 (both plain). In 1.4 and later, a
// request with the command `delete` cancels.
// Paused and resumed have no body: 1.0 Nicira 22 and 23; 1.3 ONF 1871 and 1872. In 1.4 and later they are updates.
import { portTo16 } from './action-rows.ts';
import { OpenFlowEncodeError } from './errors.ts';
import { GROUP_ANY, PORT_ANY, TABLE_ALL } from './flow-mod.ts';
import { decodeInstructions, type Instruction } from './instructions.ts';
import { decodeNxMatch, decodeOxmMatch, encodeNxMatch, encodeOxmMatch, type MatchField } from './match.ts';
import { portNumberFrom16 } from './port.ts';
import type { OpenFlowVersion } from './version.ts';
import { OpenFlowDecodeError, type WireReader, type WireWriter } from './wire.ts';

/** What to report, and with which details. */
export interface FlowMonitorFlags {
  /** The flows that exist when the monitor starts. */
  readonly initial: boolean;
  readonly add: boolean;
  readonly delete: boolean;
  readonly modify: boolean;
  /** Include instructions. */
  readonly actions: boolean;
  /** Changes by this connection in full, instead of as `abbrev`. */
  readonly own: boolean;
}

const MONITOR_COMMANDS = ['add', 'modify', 'delete'] as const;

/** A flow monitor. */
export interface FlowMonitorRequest {
  /** Chosen by the controller; unique on the connection. */
  readonly monitorId: number;
  /** `modify` and `delete` need OpenFlow 1.4. */
  readonly command: (typeof MONITOR_COMMANDS)[number];
  readonly flags: FlowMonitorFlags;
  readonly outPort: number;
  /** OpenFlow 1.4 and later; `GROUP_ANY` elsewhere. */
  readonly outGroup: number;
  /** `TABLE_ALL`: all tables. */
  readonly tableId: number;
  readonly match: readonly MatchField[];
}

/** A flow that existed, was added, modified or removed. */
export interface FlowUpdate {
  /** In OpenFlow 1.0 and 1.3 the flows that exist when the monitor starts are reported as `added`. */
  readonly event: 'initial' | 'added' | 'removed' | 'modified';
  /** Of `removed`: OFPRR_* (0 idle, 1 hard timeout, 2 delete, 3 group delete, 4 meter delete, 5 eviction). */
  readonly reason: number;
  readonly tableId: number;
  readonly priority: number;
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly cookie: bigint;
  readonly match: readonly MatchField[];
  /** Empty for removed flows, and when the monitor does not include actions. */
  readonly instructions: readonly Instruction[];
}

/** What a monitor reports. */
export type FlowMonitorEvent =
  | FlowUpdate
  /** This connection's message of that transaction id took effect. */
  | { readonly event: 'abbrev'; readonly xid: number }
  /** OpenFlow 1.4 and later: the switch suspends reports because the controller does not read, or has caught up. */
  | { readonly event: 'paused' | 'resumed' };

/** NXT_FLOW_MONITOR_CANCEL and ONFT_FLOW_MONITOR_CANCEL. */
export interface FlowMonitorCancel {
  readonly monitorId: number;
}

/** Returns a request to monitor all flows and changes, restricted by the given members. */
export function flowMonitorRequest(
  fields: Pick<FlowMonitorRequest, 'monitorId'> & Partial<FlowMonitorRequest>,
): FlowMonitorRequest {
  return {
    command: 'add',
    flags: { initial: true, add: true, delete: true, modify: true, actions: true, own: true },
    outPort: PORT_ANY,
    outGroup: GROUP_ANY,
    tableId: TABLE_ALL,
    match: [],
    ...fields,
  };
}

// "Own changes in full" is bit 5 in the standard (OpenFlow 1.4 and later), where bit 6 means "no changes by others". OVS
// 3.0 and later refuse bit 5 and expect bit 6.
const FLAG_OWN = 1 << 5;
const FLAG_OWN_14 = 1 << 6;

function flagBits(version: OpenFlowVersion, flags: FlowMonitorFlags): number {
  const own = version >= 5 ? FLAG_OWN_14 : FLAG_OWN;
  return (
    (flags.initial ? 1 : 0) |
    (flags.add ? 2 : 0) |
    (flags.delete ? 4 : 0) |
    (flags.modify ? 8 : 0) |
    (flags.actions ? 16 : 0) |
    (flags.own ? own : 0)
  );
}

function readFlags(version: OpenFlowVersion, reader: WireReader): FlowMonitorFlags {
  const bits = reader.u16('flow_monitor.flags');
  return {
    initial: (bits & 1) !== 0,
    add: (bits & 2) !== 0,
    delete: (bits & 4) !== 0,
    modify: (bits & 8) !== 0,
    actions: (bits & 16) !== 0,
    own: (bits & (version >= 5 ? FLAG_OWN_14 : FLAG_OWN)) !== 0,
  };
}

/*
 * NXST_FLOW_MONITOR request       ONFST_FLOW_MONITOR request     OFPMP_FLOW_MONITOR request
 *   u32 monitor                     u32 monitor                    u32 monitor
 *   u16 flags                       u16 flags                      u32 out port
 *   u16 out port                    u16 length of the match        u32 out group
 *   u16 length of the match         u32 out port                   u16 flags
 *   u8  table, u8 zero[5]           u8  table, u8 zero[3]          u8  table
 *   nx_match                        ofp_match                      u8  command
 *                                                                  ofp_match
 */
export function encodeFlowMonitorRequest(
  version: OpenFlowVersion,
  request: FlowMonitorRequest,
  writer: WireWriter,
): void {
  const { monitorId, outPort, outGroup, tableId, match } = request;
  const bits = flagBits(version, request.flags);
  if (version >= 5) {
    writer.u32(monitorId).u32(outPort).u32(outGroup).u16(bits).u8(tableId);
    writer.u8(MONITOR_COMMANDS.indexOf(request.command));
    encodeOxmMatch(version, match, writer);
    return;
  }
  if (request.command !== 'add' || outGroup !== GROUP_ANY) {
    throw new OpenFlowEncodeError(
      'flow_monitor',
      version,
      'this version can only add monitors, and not of a group',
    );
  }
  writer.u32(monitorId).u16(bits);
  if (version === 1) {
    const lengthAt = writer.u16(portTo16('flow_monitor.out_port', outPort)).size;
    writer.u16(0).u8(tableId).zeros(5);
    writer.setU16(lengthAt, encodeNxMatch(match, writer));
  } else {
    const lengthAt = writer.size;
    writer.u16(0).u32(outPort).u8(tableId).zeros(3);
    writer.setU16(lengthAt, encodeOxmMatch(version, match, writer));
  }
}

export function decodeFlowMonitorRequest(version: OpenFlowVersion, reader: WireReader): FlowMonitorRequest {
  const monitorId = reader.u32('flow_monitor.id');
  if (version >= 5) {
    const outPort = reader.u32('flow_monitor.out_port');
    const outGroup = reader.u32('flow_monitor.out_group');
    const flags = readFlags(version, reader);
    const tableId = reader.u8('flow_monitor.table_id');
    const number = reader.u8('flow_monitor.command');
    const command = MONITOR_COMMANDS[number];
    if (command === undefined) {
      throw reader.fault('flow_monitor.command', `${number} is not a valid command`);
    }
    return { monitorId, command, flags, outPort, outGroup, tableId, match: decodeOxmMatch(version, reader) };
  }
  const flags = readFlags(version, reader);
  const common = { monitorId, command: 'add', flags, outGroup: GROUP_ANY } as const;
  if (version === 1) {
    const outPort = portNumberFrom16(reader.u16('flow_monitor.out_port'));
    const matchLength = reader.u16('flow_monitor.match_len');
    const tableId = reader.u8('flow_monitor.table_id');
    reader.skip(5, 'flow_monitor.zeros');
    return { ...common, outPort, tableId, match: decodeNxMatch(matchLength, reader) };
  }
  reader.skip(2, 'flow_monitor.match_len');
  const outPort = reader.u32('flow_monitor.out_port');
  const tableId = reader.u8('flow_monitor.table_id');
  reader.skip(3, 'flow_monitor.zeros');
  return { ...common, outPort, tableId, match: decodeOxmMatch(version, reader) };
}

export function encodeFlowMonitorCancel(
  version: OpenFlowVersion,
  message: FlowMonitorCancel,
  writer: WireWriter,
): void {
  if (version >= 5) {
    throw new OpenFlowEncodeError('flow_monitor_cancel', version, 'use a request with the command delete');
  }
  writer.u32(message.monitorId);
}

export function decodeFlowMonitorCancel(_version: OpenFlowVersion, reader: WireReader): FlowMonitorCancel {
  return { monitorId: reader.u32('flow_monitor_cancel.id') };
}

const EVENTS = ['added', 'removed', 'modified', 'abbrev'] as const;
const EVENTS_14 = ['initial', 'added', 'removed', 'modified', 'abbrev', 'paused', 'resumed'] as const;

/*
 * NXST, ONFST reply entry (24)        OFPMP_FLOW_MONITOR reply entry (24)     abbrev (8)
 *   u16 length                          u16 length                              u16 8
 *   u16 event                           u16 event                               u16 event
 *   u16 reason                          u8  table                               u32 transaction id
 *   u16 priority                        u8  reason
 *   u16 idle timeout                    u16 idle timeout                      paused, resumed (8)
 *   u16 hard timeout                    u16 hard timeout                        u16 8
 *   u16 length of the match             u16 priority                            u16 event
 *   u8  table, u8 zero                  u32 zero                                u32 zero
 *   u64 cookie                          u64 cookie
 *   nx_match, actions (1.0)             ofp_match
 *   ofp_match, instructions (1.3)       instructions
 */

/** Decodes one entry of a reply. */
export function decodeFlowUpdate(version: OpenFlowVersion, reader: WireReader): FlowMonitorEvent {
  const start = reader.offset;
  const length = reader.u16('flow_update.length');
  if (length < 8 || length % 8 !== 0) {
    throw new OpenFlowDecodeError('flow_update.length', start, `an entry cannot have ${length} bytes`);
  }
  const entry = reader.sub(length - 2, 'flow_update');
  const number = entry.u16('flow_update.event');
  const event = (version >= 5 ? EVENTS_14 : EVENTS)[number];
  if (event === undefined) {
    throw new OpenFlowDecodeError('flow_update.event', start + 2, `${number} is not a valid event`);
  }
  switch (event) {
    case 'abbrev':
      return { event, xid: entry.u32('flow_update.xid') };
    case 'paused':
    case 'resumed':
      return { event };
    case 'initial':
    case 'added':
    case 'removed':
    case 'modified':
      return version >= 5
        ? decodeFullUpdate14(version, event, entry)
        : decodeFullUpdate(version, event, entry);
  }
}

function decodeFullUpdate(
  version: OpenFlowVersion,
  event: FlowUpdate['event'],
  entry: WireReader,
): FlowUpdate {
  const reason = entry.u16('flow_update.reason');
  const priority = entry.u16('flow_update.priority');
  const idleTimeout = entry.u16('flow_update.idle_timeout');
  const hardTimeout = entry.u16('flow_update.hard_timeout');
  const matchLength = entry.u16('flow_update.match_len');
  const tableId = entry.u8('flow_update.table_id');
  entry.skip(1, 'flow_update.pad');
  const cookie = entry.u64('flow_update.cookie');
  const match = version === 1 ? decodeNxMatch(matchLength, entry) : decodeOxmMatch(version, entry);
  const instructions = decodeInstructions(version, entry);
  return { event, reason, tableId, priority, idleTimeout, hardTimeout, cookie, match, instructions };
}

function decodeFullUpdate14(
  version: OpenFlowVersion,
  event: FlowUpdate['event'],
  entry: WireReader,
): FlowUpdate {
  const tableId = entry.u8('flow_update.table_id');
  const reason = entry.u8('flow_update.reason');
  const idleTimeout = entry.u16('flow_update.idle_timeout');
  const hardTimeout = entry.u16('flow_update.hard_timeout');
  const priority = entry.u16('flow_update.priority');
  entry.skip(4, 'flow_update.zeros');
  const cookie = entry.u64('flow_update.cookie');
  const match = decodeOxmMatch(version, entry);
  const instructions = decodeInstructions(version, entry);
  return { event, reason, tableId, priority, idleTimeout, hardTimeout, cookie, match, instructions };
}
