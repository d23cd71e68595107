// Reads match fields from a frame's headers, by name, with the values that Open vSwitch has for them. Fields that share a
// member of `struct flow` (`tcp_src`, `udp_src`, `icmp_type`) can be read from any packet, as in OVS's own actions.

import type { FieldName } from './fields.ts';
import type { FrameHeaders } from './frame-headers.ts';

type Reader = (fields: FrameHeaders) => number | bigint;

const transportSource: Reader = (fields) => fields.transportSource;
const transportDestination: Reader = (fields) => fields.transportDestination;
const icmpType: Reader = (fields) => fields.transportSource & 0xff;
const icmpCode: Reader = (fields) => fields.transportDestination & 0xff;

/** The fields that frames have. Open vSwitch reads `nd_options_type` as 0 in all of its actions (seen in 3.1 and 3.5). */
const READERS: Partial<Record<FieldName, Reader>> = {
  eth_src: (fields) => fields.ethSource,
  eth_dst: (fields) => fields.ethDestination,
  eth_type: (fields) => fields.ethType,
  vlan_tci: (fields) => fields.vlanTci,
  vlan_vid: (fields) => fields.vlanTci & 0x1fff,
  vlan_pcp: (fields) => fields.vlanTci >> 13,
  mpls_label: (fields) => fields.mplsEntry >>> 12,
  mpls_tc: (fields) => (fields.mplsEntry >>> 9) & 7,
  mpls_bos: (fields) => (fields.mplsEntry >>> 8) & 1,
  mpls_ttl: (fields) => fields.mplsEntry & 0xff,
  ip_src: (fields) => fields.ipSource,
  ip_dst: (fields) => fields.ipDestination,
  ipv6_src: (fields) => fields.ipv6Source,
  ipv6_dst: (fields) => fields.ipv6Destination,
  ipv6_label: (fields) => fields.ipv6Label,
  nw_frag: (fields) => fields.fragment,
  nw_tos: (fields) => fields.tos & 0xfc,
  ip_dscp: (fields) => fields.tos >> 2,
  nw_ecn: (fields) => fields.tos & 3,
  nw_ttl: (fields) => fields.ttl,
  nw_proto: (fields) => fields.protocol,
  tcp_src: transportSource,
  tcp_dst: transportDestination,
  udp_src: transportSource,
  udp_dst: transportDestination,
  sctp_src: transportSource,
  sctp_dst: transportDestination,
  tcp_flags: (fields) => fields.tcpFlags,
  icmp_type: icmpType,
  icmp_code: icmpCode,
  icmpv6_type: icmpType,
  icmpv6_code: icmpCode,
  nd_target: (fields) => fields.ndTarget,
  nd_sll: (fields) => fields.arpSource,
  nd_tll: (fields) => fields.arpTarget,
  nd_options_type: () => 0,
  nd_reserved: (fields) => fields.ndReserved,
  arp_op: (fields) => fields.protocol,
  arp_spa: (fields) => fields.ipSource,
  arp_tpa: (fields) => fields.ipDestination,
  arp_sha: (fields) => fields.arpSource,
  arp_tha: (fields) => fields.arpTarget,
};

/** Returns how to read a field from a frame's fields; undefined for fields that are not in frames. */
export function frameFieldReader(name: FieldName): Reader | undefined {
  return READERS[name];
}
