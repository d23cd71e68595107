// Offsets of the elements in the parts of a flow key, and the sizes of the parts, in bytes: where the dissector writes. The
// record layout has them too; here they are exported numbers, because the build inlines those. test/packet/dissect.test.ts
// compares what the dissector writes with the record layout.

// The common part and the VLAN part after it; these offsets are from the start of the key.
export const OBSERVATION_POINT = 0;
export const SOURCE_MAC = 4;
export const DESTINATION_MAC = 10;
export const ETHERNET_TYPE = 16;
export const ETHERNET_HEADER_LENGTH = 18;
export const COMMON_SIZE = 19;
export const VLAN_ID = 19;
export const DOT1Q_VLAN_ID = 21;
export const DOT1Q_PRIORITY = 23;
export const VLAN_SIZE = 5;

// The IP part.
export const IP_VERSION = 0;
export const IP_TTL = 1;
export const IP_PROTOCOL = 2;
export const IP_DSCP = 3;
export const IP_PRECEDENCE = 4;
export const IP_CLASS = 5;
export const IP_SIZE = 6;

// The addresses of IPv4, those of IPv6 with the flow label after them, and the ports.
export const IPV4_SIZE = 8;
export const FLOW_LABEL = 32;
export const IPV6_SIZE = 36;
export const PORTS_SIZE = 4;
