// Kinds of traffic: a name, the match of a flow in the switch, and a test of a flow record. With this table the demo compares
// the counters of the switch with the exported records.

import type { FieldValue } from '../../ipfix/reader-types.ts';

/** The values of a flow record by the names of their elements. */
export type RecordValues = ReadonlyMap<string, FieldValue>;

/** A kind of traffic. */
export interface Kind {
  readonly name: string;
  /** In ovs-ofctl's notation; empty for all traffic. */
  readonly match: string;
  readonly has: (record: RecordValues) => boolean;
}

/** Packets and octets of layer 2. */
export interface Count {
  readonly packets: number;
  readonly octets: number;
}

/** Counts by the name of the kind; a kind without traffic is absent. */
export type Counts = Map<string, Count>;

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const ARP = 0x0806;

function ip(etherType: number, protocol: number): Kind['has'] {
  return (record) =>
    record.get('ethernetType') === etherType && record.get('protocolIdentifier') === protocol;
}

/** A packet is of the first kind that it matches. */
export const KINDS: readonly Kind[] = [
  { name: 'VLAN-tagged', match: 'vlan_tci=0x1000/0x1000', has: (record) => record.has('vlanId') },
  { name: 'ARP', match: 'arp', has: (record) => record.get('ethernetType') === ARP },
  { name: 'ICMP', match: 'icmp', has: ip(IPV4, 1) },
  { name: 'UDP over IPv4', match: 'udp', has: ip(IPV4, 17) },
  { name: 'TCP over IPv4', match: 'tcp', has: ip(IPV4, 6) },
  { name: 'ICMPv6', match: 'icmp6', has: ip(IPV6, 58) },
  { name: 'UDP over IPv6', match: 'udp6', has: ip(IPV6, 17) },
  { name: 'TCP over IPv6', match: 'tcp6', has: ip(IPV6, 6) },
  { name: 'other', match: '', has: () => true },
];

/** Returns the kind of a record. */
export function kindOf(record: RecordValues): string {
  return KINDS.find((kind) => kind.has(record))?.name ?? 'other';
}

/** Adds to a kind's count. */
export function addCount(counts: Counts, kind: string, packets: number, octets: number): void {
  const before = counts.get(kind);
  counts.set(kind, {
    packets: (before?.packets ?? 0) + packets,
    octets: (before?.octets ?? 0) + octets,
  });
}

/** All kinds together. */
export function totalOf(counts: Counts): Count {
  let [packets, octets] = [0, 0];
  for (const count of counts.values()) {
    packets += count.packets;
    octets += count.octets;
  }
  return { packets, octets };
}
