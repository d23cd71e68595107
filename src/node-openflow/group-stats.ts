// The codecs of group statistics and group features.
import { GROUP_ALL } from './group.ts';
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

/** OFPMP_GROUP. */
export interface GroupStats {
  readonly groupId: number;
  /** Number of flows and groups that refer to this group. */
  readonly referenceCount: number;
  readonly packetCount: bigint;
  readonly byteCount: bigint;
  readonly durationSeconds: number;
  /** The rest of the time in nanoseconds. */
  readonly durationNanoseconds: number;
  readonly buckets: readonly { readonly packetCount: bigint; readonly byteCount: bigint }[];
}

/** OFPMP_GROUP_FEATURES. The arrays are indexed by type of group: all, select, indirect, fast failover. */
export interface GroupFeatures {
  /** Bit n: groups of type n are supported. */
  readonly types: number;
  /** Bits of OFPGFC_*. */
  readonly capabilities: number;
  readonly groupCountMax: readonly number[];
  /** Bit n: actions of type n are supported. */
  readonly actions: readonly number[];
}

export function encodeGroupStatsRequest(
  _version: OpenFlowVersion,
  request: { readonly groupId?: number },
  writer: WireWriter,
): void {
  writer.u32(request.groupId ?? GROUP_ALL).u32(0);
}

/*
 *   u16 length    u16 zero    u32 group    u32 references    u32 zero    u64 packets    u64 bytes
 *   u32 seconds, u32 nanoseconds
 *   per bucket: u64 packets, u64 bytes
 */
export function decodeGroupStats(_version: OpenFlowVersion, reader: WireReader): GroupStats {
  const length = reader.u16('group_stats.length');
  const entry = reader.sub(length - 2, 'group_stats');
  entry.skip(2, 'group_stats.pad');
  const groupId = entry.u32('group_stats.group_id');
  const referenceCount = entry.u32('group_stats.ref_count');
  entry.skip(4, 'group_stats.pad');
  const packetCount = entry.u64('group_stats.packet_count');
  const byteCount = entry.u64('group_stats.byte_count');
  const durationSeconds = entry.u32('group_stats.duration_sec');
  const durationNanoseconds = entry.u32('group_stats.duration_nsec');
  const buckets = [];
  while (entry.remaining > 0) {
    const bucketPackets = entry.u64('group_stats.bucket.packet_count');
    buckets.push({ packetCount: bucketPackets, byteCount: entry.u64('group_stats.bucket.byte_count') });
  }
  return { groupId, referenceCount, packetCount, byteCount, durationSeconds, durationNanoseconds, buckets };
}

/*
 *   u32 types    u32 capabilities    u32 maximum[4]    u32 actions[4]
 */
export function decodeGroupFeatures(_version: OpenFlowVersion, reader: WireReader): GroupFeatures {
  const types = reader.u32('group_features.types');
  const capabilities = reader.u32('group_features.capabilities');
  const fourOf = (what: string) => Array.from({ length: 4 }, () => reader.u32(what));
  const groupCountMax = fourOf('group_features.max_groups');
  return { types, capabilities, groupCountMax, actions: fourOf('group_features.actions') };
}
