// The codecs of group mods and group descriptions. Buckets have two layouts: that of OpenFlow 1.1 to 1.4, and that of 1.5,
// which OVS uses for its group extension to OpenFlow 1.0 as well.
import type { Action } from './action-types.ts';
import { decodeActions, encodeActions } from './actions.ts';
import { OpenFlowEncodeError } from './errors.ts';
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

/** OFPG_ALL: all groups, to delete or to describe. */
export const GROUP_ALL = 0xffff_fffc;
/** Reserved values of `commandBucketId`. */
export const BUCKET_ID = { first: 0xffff_fffd, last: 0xffff_fffe, all: 0xffff_ffff } as const;

const GROUP_TYPES = ['all', 'select', 'indirect', 'fast_failover'] as const;
export type GroupType = (typeof GROUP_TYPES)[number];

const GROUP_COMMANDS = {
  add: 0,
  modify: 1,
  delete: 2,
  insert_bucket: 3,
  remove_bucket: 5,
  /** An extension of OVS. */
  add_or_modify: 0x8000,
} as const;
/** Commands of a group mod; those on buckets need OpenFlow 1.5, or 1.0 with OVS's extension. */
export type GroupCommand = keyof typeof GROUP_COMMANDS;

/** OFPP_ANY and OFPG_ANY in a bucket that watches no port or group. */
const WATCH_NONE = 0xffff_ffff;
const BUCKET_PROPERTY = { weight: 0, watchPort: 1, watchGroup: 2 } as const;

/** One bucket of a group. */
export interface GroupBucket {
  /** Null before OpenFlow 1.5, which introduced bucket ids. */
  readonly bucketId: number | null;
  /** For select groups; null when absent. */
  readonly weight: number | null;
  /** For fast failover groups; null: not watched. */
  readonly watchPort: number | null;
  readonly watchGroup: number | null;
  readonly actions: readonly Action[];
  /** Properties of OpenFlow 1.5 without a codec: their bytes, headers and padding included. */
  readonly otherProperties: Buffer;
}

/** OFPMP_GROUP_DESC, and what a group mod sets. */
export interface GroupDescription {
  readonly groupId: number;
  readonly groupType: GroupType;
  readonly buckets: readonly GroupBucket[];
  /** The bytes of the group's properties (OpenFlow 1.5: the selection method). */
  readonly properties: Buffer;
}

/** OFPT_GROUP_MOD. */
export interface GroupMod extends GroupDescription {
  readonly command: GroupCommand;
  /** Where to insert buckets, or which to remove; only for the commands on buckets. */
  readonly commandBucketId: number | null;
}

function hasLayout15(version: OpenFlowVersion): boolean {
  return version === 1 || version === 6;
}

/*
 * OpenFlow 1.3, 1.4            OpenFlow 1.5 and OVS's 1.0
 *   u16 command                  u16 command
 *   u8  type, u8 zero            u8  type, u8 zero
 *   u32 group                    u32 group
 *   buckets to the end           u16 size of the buckets, u16 zero
 *                                u32 command bucket
 *                                buckets
 *                                properties
 */
export function encodeGroupMod(version: OpenFlowVersion, mod: GroupMod, writer: WireWriter): void {
  if (!hasLayout15(version) && (mod.command === 'insert_bucket' || mod.command === 'remove_bucket')) {
    throw new OpenFlowEncodeError(
      'group_mod',
      version,
      `this version does not have the command "${mod.command}"`,
    );
  }
  writer.u16(GROUP_COMMANDS[mod.command]).u8(GROUP_TYPES.indexOf(mod.groupType)).u8(0).u32(mod.groupId);
  if (!hasLayout15(version)) {
    encodeBuckets(version, mod.buckets, writer);
    return;
  }
  const at = writer.size;
  writer.u32(0).u32(mod.commandBucketId ?? BUCKET_ID.all);
  const start = writer.size;
  encodeBuckets(version, mod.buckets, writer);
  writer.setU16(at, writer.size - start).put(mod.properties);
}

export function decodeGroupMod(version: OpenFlowVersion, reader: WireReader): GroupMod {
  const number = reader.u16('group_mod.command');
  const entry = Object.entries(GROUP_COMMANDS).find(([, value]) => value === number);
  if (entry === undefined) {
    throw reader.fault('group_mod.command', `${number} is not a valid command`);
  }
  const command = entry[0] as GroupCommand;
  const groupType = decodeGroupType(reader, 'group_mod.type');
  reader.skip(1, 'group_mod.pad');
  const groupId = reader.u32('group_mod.group_id');
  if (!hasLayout15(version)) {
    const buckets = decodeBuckets(version, reader);
    return { command, groupType, groupId, commandBucketId: null, buckets, properties: Buffer.alloc(0) };
  }
  const bucketsSize = reader.u16('group_mod.bucket_array_len');
  reader.skip(2, 'group_mod.pad');
  const bucketId = reader.u32('group_mod.command_bucket_id');
  const isBucketCommand = command === 'insert_bucket' || command === 'remove_bucket';
  const buckets = decodeBuckets(version, reader.sub(bucketsSize, 'group_mod.buckets'));
  const properties = reader.copy(reader.remaining, 'group_mod.properties');
  return {
    command,
    groupType,
    groupId,
    commandBucketId: isBucketCommand ? bucketId : null,
    buckets,
    properties,
  };
}

/** Encodes the body of an OFPMP_GROUP_DESC request; since OpenFlow 1.5 it can name a group. */
export function encodeGroupDescRequest(
  version: OpenFlowVersion,
  request: { readonly groupId?: number },
  writer: WireWriter,
): void {
  if (hasLayout15(version)) {
    writer.u32(request.groupId ?? GROUP_ALL).u32(0);
  }
}

/*
 * OpenFlow 1.3, 1.4            OpenFlow 1.5 and OVS's 1.0
 *   u16 length                   u16 length
 *   u8  type, u8 zero            u8  type, u8 zero
 *   u32 group                    u32 group
 *   buckets                      u16 size of the buckets, u8[6] zero
 *                                buckets
 *                                properties
 */
export function decodeGroupDesc(version: OpenFlowVersion, reader: WireReader): GroupDescription {
  const length = reader.u16('group_desc.length');
  const entry = reader.sub(length - 2, 'group_desc');
  const groupType = decodeGroupType(entry, 'group_desc.type');
  entry.skip(1, 'group_desc.pad');
  const groupId = entry.u32('group_desc.group_id');
  if (!hasLayout15(version)) {
    return { groupType, groupId, buckets: decodeBuckets(version, entry), properties: Buffer.alloc(0) };
  }
  const bucketsSize = entry.u16('group_desc.bucket_list_len');
  entry.skip(6, 'group_desc.pad');
  const buckets = decodeBuckets(version, entry.sub(bucketsSize, 'group_desc.buckets'));
  return { groupType, groupId, buckets, properties: entry.copy(entry.remaining, 'group_desc.properties') };
}

function decodeGroupType(reader: WireReader, what: string): GroupType {
  const number = reader.u8(what);
  const groupType = GROUP_TYPES[number];
  if (groupType === undefined) {
    throw reader.fault(what, `${number} is not a valid group type`);
  }
  return groupType;
}

/*
 * OpenFlow 1.3, 1.4            OpenFlow 1.5 and OVS's 1.0
 *   u16 length                   u16 length
 *   u16 weight                   u16 size of the actions
 *   u32 watched port             u32 bucket
 *   u32 watched group            actions
 *   u32 zero                     properties: weight (u16, u16 zero), watched port (u32), watched group (u32)
 *   actions
 */
function encodeBuckets(version: OpenFlowVersion, buckets: readonly GroupBucket[], writer: WireWriter): void {
  for (const [index, bucket] of buckets.entries()) {
    const start = writer.size;
    writer.u16(0);
    if (hasLayout15(version)) {
      encodeBucket15(version, bucket, index, writer);
    } else {
      writer.u16(bucket.weight ?? 0);
      writer
        .u32(bucket.watchPort ?? WATCH_NONE)
        .u32(bucket.watchGroup ?? WATCH_NONE)
        .u32(0);
      encodeActions(version, bucket.actions, writer);
    }
    writer.setU16(start, writer.size - start);
  }
}

function encodeBucket15(
  version: OpenFlowVersion,
  bucket: GroupBucket,
  index: number,
  writer: WireWriter,
): void {
  const at = writer.size;
  writer.u16(0).u32(bucket.bucketId ?? index);
  const start = writer.size;
  encodeActions(version, bucket.actions, writer);
  writer.setU16(at, writer.size - start);
  if (bucket.weight !== null) {
    writer.u16(BUCKET_PROPERTY.weight).u16(8).u16(bucket.weight).u16(0);
  }
  if (bucket.watchPort !== null) {
    writer.u16(BUCKET_PROPERTY.watchPort).u16(8).u32(bucket.watchPort);
  }
  if (bucket.watchGroup !== null) {
    writer.u16(BUCKET_PROPERTY.watchGroup).u16(8).u32(bucket.watchGroup);
  }
  writer.put(bucket.otherProperties);
}

function decodeBuckets(version: OpenFlowVersion, reader: WireReader): GroupBucket[] {
  const buckets: GroupBucket[] = [];
  while (reader.remaining > 0) {
    const length = reader.u16('group.bucket.len');
    const bucket = reader.sub(length - 2, 'group.bucket');
    buckets.push(hasLayout15(version) ? decodeBucket15(version, bucket) : decodeBucket13(version, bucket));
  }
  return buckets;
}

function decodeBucket13(version: OpenFlowVersion, reader: WireReader): GroupBucket {
  const weight = reader.u16('group.bucket.weight');
  const watchPort = watched(reader.u32('group.bucket.watch_port'));
  const watchGroup = watched(reader.u32('group.bucket.watch_group'));
  reader.skip(4, 'group.bucket.pad');
  const actions = decodeActions(version, reader);
  return { bucketId: null, weight, watchPort, watchGroup, actions, otherProperties: Buffer.alloc(0) };
}

function decodeBucket15(version: OpenFlowVersion, reader: WireReader): GroupBucket {
  const actionsSize = reader.u16('group.bucket.action_array_len');
  const bucketId = reader.u32('group.bucket.bucket_id');
  const actions = decodeActions(version, reader.sub(actionsSize, 'group.bucket.actions'));
  let weight: number | null = null;
  let watchPort: number | null = null;
  let watchGroup: number | null = null;
  const others: Buffer[] = [];
  while (reader.remaining > 0) {
    const start = reader.offset;
    const type = reader.u16('group.bucket.property.type');
    const length = reader.u16('group.bucket.property.length');
    const payload = reader.sub(length - 4, 'group.bucket.property');
    reader.skip(Math.min(reader.remaining, (8 - (length % 8)) % 8), 'group.bucket.property.pad');
    if (type === BUCKET_PROPERTY.weight) {
      weight = payload.u16('group.bucket.weight');
    } else if (type === BUCKET_PROPERTY.watchPort) {
      watchPort = watched(payload.u32('group.bucket.watch_port'));
    } else if (type === BUCKET_PROPERTY.watchGroup) {
      watchGroup = watched(payload.u32('group.bucket.watch_group'));
    } else {
      others.push(reader.bytes.subarray(start, reader.offset));
    }
  }
  return { bucketId, weight, watchPort, watchGroup, actions, otherProperties: Buffer.concat(others) };
}

function watched(number: number): number | null {
  return number === WATCH_NONE ? null : number;
}
