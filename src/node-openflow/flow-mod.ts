// Flow mods: adding, changing and deleting flows. OpenFlow 1.0 uses Nicira's NXT_FLOW_MOD, because its own cannot match
// registers, with the table in the command's upper byte (the connection must have sent NXT_FLOW_MOD_TABLE_ID).
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

/** Bits of `flags` (OFPFF_*); reset counts is 1.2 and later, the last two 1.3 and later. */
export const FLOW_FLAGS = {
  sendFlowRemoved: 1,
  checkOverlap: 2,
  resetCounts: 4,
  noPacketCounts: 8,
  noByteCounts: 16,
} as const;

/** "Any port", "any group", "no buffer": what these numbers are when they restrict nothing. */
export const PORT_ANY = 0xffff_ffff;
export const GROUP_ANY = 0xffff_ffff;
export const NO_BUFFER = 0xffff_ffff;
/** All tables, where a request may be about all. */
export const TABLE_ALL = 0xff;

/** A cookie that no flow may have: in a modify of OpenFlow 1.0 it means that flows keep theirs. */
const COOKIE_KEEP = 0xffff_ffff_ffff_ffffn;

/** OFPT_FLOW_MOD. */
export interface FlowMod {
  readonly command: FlowModCommand;
  /** `add`: the flow's cookie. The others: flows whose cookie agrees with this in the bits of `cookieMask`. */
  readonly cookie: bigint;
  /** 0 for all flows. A mask makes modifying slow in OVS when there are many flows. */
  readonly cookieMask: bigint;
  /** OpenFlow 1.0 only: a modify gives flows this cookie, and adds the flow if none is there. Absent: neither. */
  readonly newCookie?: bigint;
  readonly tableId: number;
  /** Seconds without packets after which the flow goes; 0 is never. */
  readonly idleTimeout: number;
  /** Seconds after which the flow goes; 0 is never. A modify starts them anew. */
  readonly hardTimeout: number;
  readonly priority: number;
  readonly bufferId: number;
  /** Deletes only flows that output there; `PORT_ANY` for all. */
  readonly outPort: number;
  /** Deletes only flows that use the group; `GROUP_ANY` for all. OpenFlow 1.0 has no such restriction. */
  readonly outGroup: number;
  /** Bits of `FLOW_FLAGS`. */
  readonly flags: number;
  /** For eviction, OpenFlow 1.4 and later; 0 elsewhere. */
  readonly importance: number;
  readonly match: readonly MatchField[];
  /** OpenFlow 1.0 has only apply_actions. */
  readonly instructions: readonly Instruction[];
}

/** A flow mod with everything that is not given at its neutral value. */
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
      'this version cannot restrict a flow mod to a group',
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
    throw reader.fault('flow_mod.command', `${number} is no command`);
  }
  return command;
}

/** How Nicira's matches of flow mods and statistics requests are restricted to cookies. */
export function cookieField(cookie: bigint, mask: bigint): MatchField {
  return mask === COOKIE_KEEP ? matchField('cookie', cookie) : matchField('cookie', cookie, mask);
}

/** The mask of a cookie field; all bits when it has none. */
export function cookieMask(field: MatchField): bigint {
  return field.mask === undefined ? COOKIE_KEEP : field.mask.readBigUInt64BE(0);
}
