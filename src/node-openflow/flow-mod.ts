// The codec of flow mods, which add, modify and delete flows. In OpenFlow 1.0 it is Nicira's NXT_FLOW_MOD, because the
// standard one cannot match registers, with the table in the command's upper byte (send NXT_FLOW_MOD_TABLE_ID before).
//
// For the table of messages: encodeFlowMod, decodeFlowMod. Places: 1.0 Nicira 13; 1.3 to 1.5 type 14.
import { portTo16 } from './action-rows.ts';
import { OpenFlowEncodeError } from './errors.ts';
import { decodeInstructions, encodeInstructions, type Instruction } from './instructions.ts';
import {
  decodeNxMatch,
  decodeOxmMatch,
  encodeNxMatch,
  encodeOxmMatch,
  fieldValue,
  findField,
  type MatchField,
  matchField,
} from './match.ts';
import { portNumberFrom16 } from './port.ts';
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

const COMMANDS = ['add', 'modify', 'modify_strict', 'delete', 'delete_strict'] as const;
export type FlowModCommand = (typeof COMMANDS)[number];

/** Bits of `flags` (OFPFF_*); `resetCounts` needs OpenFlow 1.2, the last two need 1.3. */
export const FLOW_FLAGS = {
  sendFlowRemoved: 1,
  checkOverlap: 2,
  resetCounts: 4,
  noPacketCounts: 8,
  noByteCounts: 16,
} as const;

/** OFPP_ANY, OFPG_ANY and OFP_NO_BUFFER: no restriction by port or group, no buffered packet. */
export const PORT_ANY = 0xffff_ffff;
export const GROUP_ANY = 0xffff_ffff;
export const NO_BUFFER = 0xffff_ffff;
/** OFPTT_ALL: all tables. */
export const TABLE_ALL = 0xff;

/** A cookie that no flow can have: in a modify of OpenFlow 1.0, flows keep their cookie. */
const COOKIE_KEEP = 0xffff_ffff_ffff_ffffn;

/** OFPT_FLOW_MOD. */
export interface FlowMod {
  readonly command: FlowModCommand;
  /** For `add` the flow's cookie; otherwise only flows whose cookie equals this one in the bits of `cookieMask`. */
  readonly cookie: bigint;
  /** 0: flows with any cookie. With a mask, OVS is slow to modify flows when there are many. */
  readonly cookieMask: bigint;
  /** OpenFlow 1.0 only: a modify sets this cookie, and adds the flow if it does not exist. Absent: neither. */
  readonly newCookie?: bigint;
  readonly tableId: number;
  /** In seconds; 0: none. */
  readonly idleTimeout: number;
  /** In seconds; 0: none. A modify restarts it. */
  readonly hardTimeout: number;
  readonly priority: number;
  readonly bufferId: number;
  /** Deletes only flows that output to this port; `PORT_ANY`: all. */
  readonly outPort: number;
  /** Deletes only flows that output to this group; `GROUP_ANY`: all. Not in OpenFlow 1.0. */
  readonly outGroup: number;
  /** Bits of `FLOW_FLAGS`. */
  readonly flags: number;
  /** For eviction in OpenFlow 1.4 and later; 0 elsewhere. */
  readonly importance: number;
  readonly match: readonly MatchField[];
  /** Only apply_actions in OpenFlow 1.0. */
  readonly instructions: readonly Instruction[];
}

/** Returns a flow mod with neutral values for the members that are not given. */
export function flowMod(fields: Pick<FlowMod, 'command'> & Partial<FlowMod>): FlowMod {
  return {
    cookie: 0n,
    cookieMask: 0n,
    tableId: 0,
    idleTimeout: 0,
    hardTimeout: 0,
    priority: 0x8000,
    bufferId: NO_BUFFER,
    outPort: PORT_ANY,
    outGroup: GROUP_ANY,
    flags: 0,
    importance: 0,
    match: [],
    instructions: [],
    ...fields,
  };
}

/*
 * OFPT_FLOW_MOD, 1.3 and later        NXT_FLOW_MOD (1.0)
 *   u64 cookie                          u64 cookie
 *   u64 cookie mask                     u8  table, u8 command
 *   u8  table, u8 command               u16 idle timeout
 *   u16 idle timeout                    u16 hard timeout
 *   u16 hard timeout                    u16 priority
 *   u16 priority                        u32 buffer
 *   u32 buffer                          u16 out port
 *   u32 out port                        u16 flags
 *   u32 out group                       u16 length of the match
 *   u16 flags                           u8  zero[6]
 *   u16 importance                      nx_match
 *   ofp_match                           actions
 *   instructions
 */
export function encodeFlowMod(version: OpenFlowVersion, mod: FlowMod, writer: WireWriter): void {
  if (version === 1) {
    encodeNxFlowMod(mod, writer);
    return;
  }
  writer.u64(mod.cookie).u64(mod.cookieMask);
  writer.u8(mod.tableId).u8(COMMANDS.indexOf(mod.command));
  writer.u16(mod.idleTimeout).u16(mod.hardTimeout).u16(mod.priority);
  writer.u32(mod.bufferId).u32(mod.outPort).u32(mod.outGroup);
  writer.u16(mod.flags).u16(version === 4 ? 0 : mod.importance);
  encodeOxmMatch(version, mod.match, writer);
  encodeInstructions(version, mod.instructions, writer);
}

export function decodeFlowMod(version: OpenFlowVersion, reader: WireReader): FlowMod {
  if (version === 1) {
    return decodeNxFlowMod(reader);
  }
  return {
    cookie: reader.u64('flow_mod.cookie'),
    cookieMask: reader.u64('flow_mod.cookie_mask'),
    tableId: reader.u8('flow_mod.table_id'),
    command: decodeCommand(reader),
    idleTimeout: reader.u16('flow_mod.idle_timeout'),
    hardTimeout: reader.u16('flow_mod.hard_timeout'),
    priority: reader.u16('flow_mod.priority'),
    bufferId: reader.u32('flow_mod.buffer_id'),
    outPort: reader.u32('flow_mod.out_port'),
    outGroup: reader.u32('flow_mod.out_group'),
    flags: reader.u16('flow_mod.flags'),
    importance: reader.u16('flow_mod.importance'),
    match: decodeOxmMatch(version, reader, 'flow_mod.match'),
    instructions: decodeInstructions(version, reader),
  };
}

function encodeNxFlowMod(mod: FlowMod, writer: WireWriter): void {
  if (mod.outGroup !== GROUP_ANY) {
    throw new OpenFlowEncodeError(
      'flow_mod.out_group',
      1,
      'this version cannot restrict flow mods to a group',
    );
  }
  writer.u64(mod.command === 'add' ? mod.cookie : (mod.newCookie ?? COOKIE_KEEP));
  writer.u8(mod.tableId).u8(COMMANDS.indexOf(mod.command));
  writer.u16(mod.idleTimeout).u16(mod.hardTimeout).u16(mod.priority);
  writer.u32(mod.bufferId).u16(portTo16('flow_mod.out_port', mod.outPort)).u16(mod.flags);
  const lengthAt = writer.size;
  writer.u16(0).zeros(6);
  const byCookie =
    mod.command === 'add' || mod.cookieMask === 0n ? [] : [cookieField(mod.cookie, mod.cookieMask)];
  writer.setU16(lengthAt, encodeNxMatch([...mod.match, ...byCookie], writer));
  encodeInstructions(1, mod.instructions, writer);
}

function decodeNxFlowMod(reader: WireReader): FlowMod {
  const cookie = reader.u64('flow_mod.cookie');
  const tableId = reader.u8('flow_mod.command');
  const command = decodeCommand(reader);
  const idleTimeout = reader.u16('flow_mod.idle_timeout');
  const hardTimeout = reader.u16('flow_mod.hard_timeout');
  const priority = reader.u16('flow_mod.priority');
  const bufferId = reader.u32('flow_mod.buffer_id');
  const outPort = portNumberFrom16(reader.u16('flow_mod.out_port'));
  const flags = reader.u16('flow_mod.flags');
  const matchLength = reader.u16('flow_mod.match_len');
  reader.skip(6, 'flow_mod.pad');
  const match = decodeNxMatch(matchLength, reader, 'flow_mod.match');
  const filter = findField(match, 'cookie');
  const isAdd = command === 'add';
  return {
    command,
    cookie: isAdd ? cookie : filter === undefined ? 0n : fieldValue(filter),
    cookieMask: isAdd || filter === undefined ? 0n : cookieMask(filter),
    ...(isAdd || cookie === COOKIE_KEEP ? {} : { newCookie: cookie }),
    tableId,
    idleTimeout,
    hardTimeout,
    priority,
    bufferId,
    outPort,
    outGroup: GROUP_ANY,
    flags,
    importance: 0,
    match: match.filter((field) => field !== filter),
    instructions: decodeInstructions(1, reader),
  };
}

function decodeCommand(reader: WireReader): FlowModCommand {
  const number = reader.u8('flow_mod.command');
  const command = COMMANDS[number];
  if (command === undefined) {
    throw reader.fault('flow_mod.command', `${number} is not a valid command`);
  }
  return command;
}

/** Returns the match field that restricts Nicira's flow mods and statistics requests to cookies. */
export function cookieField(cookie: bigint, mask: bigint): MatchField {
  return mask === COOKIE_KEEP ? matchField('cookie', cookie) : matchField('cookie', cookie, mask);
}

/** Returns the mask of a cookie field; all bits when it has none. */
export function cookieMask(field: MatchField): bigint {
  return field.mask === undefined ? COOKIE_KEEP : field.mask.readBigUInt64BE(0);
}
