// The codec of OFPMP_TABLE: counters of the flow tables.
import type { OpenFlowVersion } from './version.ts';
import type { WireReader } from './wire.ts';

/** The statistics of one flow table. */
export interface TableStats {
  readonly tableId: number;
  readonly activeCount: number;
  readonly lookupCount: bigint;
  readonly matchedCount: bigint;
}

/*
 * OpenFlow 1.0 (64): u8 table, u8[3] zero, u8 name[32], u32 wildcards, u32 maximum, u32 active, u64 lookups, u64 matched
 * later (24):        u8 table, u8[3] zero, u32 active, u64 lookups, u64 matched
 */
export function decodeTableStats(version: OpenFlowVersion, reader: WireReader): TableStats {
  const tableId = reader.u8('table_stats.table_id');
  reader.skip(version === 1 ? 3 + 32 + 4 + 4 : 3, 'table_stats');
  const activeCount = reader.u32('table_stats.active_count');
  const lookupCount = reader.u64('table_stats.lookup_count');
  return { tableId, activeCount, lookupCount, matchedCount: reader.u64('table_stats.matched_count') };
}
