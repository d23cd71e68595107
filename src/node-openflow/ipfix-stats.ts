// The codec of NXST_IPFIX_FLOW: what the exporter of each collector set of a bridge has sent (ovs-ofctl(8), dump-ipfix-flow).
import type { OpenFlowVersion } from './version.ts';
import type { WireReader } from './wire.ts';

/** Counts of the exporter of a collector set since ovs-vswitchd made it. */
export interface IpfixFlowStats {
  readonly collectorSetId: number;
  /** Packets that were sampled. */
  readonly sampledCount: bigint;
  /** Sampled packets that could not be exported. */
  readonly sampleErrorCount: bigint;
  /** IPFIX messages sent, those of templates included, and those that the socket refused. */
  readonly messageCount: bigint;
  readonly messageErrorCount: bigint;
}

/*
 * u64 flows, u64 current flows, u64 sampled, u64 IPv4, u64 IPv6, u64 errors, u64 errors of IPv4, u64 errors of IPv6,
 * u64 messages, u64 messages refused, u32 collector set id, u8[4] zero
 */
export function decodeIpfixFlowStats(_version: OpenFlowVersion, reader: WireReader): IpfixFlowStats {
  reader.skip(16, 'ipfix_flow_stats.flows');
  const sampledCount = reader.u64('ipfix_flow_stats.sampled_count');
  reader.skip(16, 'ipfix_flow_stats.sampled_count_by_protocol');
  const sampleErrorCount = reader.u64('ipfix_flow_stats.sample_error_count');
  reader.skip(16, 'ipfix_flow_stats.sample_error_count_by_protocol');
  const messageCount = reader.u64('ipfix_flow_stats.message_count');
  const messageErrorCount = reader.u64('ipfix_flow_stats.message_error_count');
  const collectorSetId = reader.u32('ipfix_flow_stats.collector_set_id');
  reader.skip(4, 'ipfix_flow_stats.zero');
  return { collectorSetId, sampledCount, sampleErrorCount, messageCount, messageErrorCount };
}
