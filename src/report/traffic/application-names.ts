// Names of applications by their TCP or UDP port: those that operators of switches meet (IANA's registry "Service Name and Transport
// Protocol Port Number", and common use).

const NAMES: ReadonlyMap<number, string> = new Map([
  [20, 'ftp-data'],
  [21, 'ftp'],
  [22, 'ssh'],
  [23, 'telnet'],
  [25, 'smtp'],
  [53, 'dns'],
  [67, 'dhcp'],
  [68, 'dhcp'],
  [69, 'tftp'],
  [80, 'http'],
  [88, 'kerberos'],
  [110, 'pop3'],
  [111, 'rpcbind'],
  [123, 'ntp'],
  [143, 'imap'],
  [161, 'snmp'],
  [162, 'snmptrap'],
  [179, 'bgp'],
  [389, 'ldap'],
  [443, 'https'],
  [445, 'smb'],
  [465, 'smtps'],
  [500, 'ike'],
  [514, 'syslog'],
  [587, 'submission'],
  [636, 'ldaps'],
  [853, 'dns over tls'],
  [873, 'rsync'],
  [993, 'imaps'],
  [995, 'pop3s'],
  [1194, 'openvpn'],
  [1433, 'mssql'],
  [1812, 'radius'],
  [1883, 'mqtt'],
  [2049, 'nfs'],
  [2379, 'etcd'],
  [2380, 'etcd'],
  [3260, 'iscsi'],
  [3300, 'ceph'],
  [3306, 'mysql'],
  [3389, 'rdp'],
  [4500, 'ipsec'],
  [4739, 'ipfix'],
  [4789, 'vxlan'],
  [5060, 'sip'],
  [5201, 'iperf3'],
  [5353, 'mdns'],
  [5432, 'postgresql'],
  [5672, 'amqp'],
  [5900, 'vnc'],
  [6081, 'geneve'],
  [6343, 'sflow'],
  [6379, 'redis'],
  [6443, 'kubernetes'],
  [6640, 'ovsdb'],
  [6641, 'ovn-nb'],
  [6642, 'ovn-sb'],
  [6653, 'openflow'],
  [6789, 'ceph'],
  [8080, 'http'],
  [8443, 'https'],
  [9090, 'prometheus'],
  [9092, 'kafka'],
  [9100, 'node exporter'],
  [9200, 'elasticsearch'],
  [10_250, 'kubelet'],
  [11_211, 'memcached'],
  [27_017, 'mongodb'],
  [51_820, 'wireguard'],
]);

const PROTOCOLS_WITH_PORTS: readonly number[] = [6, 17, 132];
const ETHERNET_TYPES: ReadonlyMap<number, string> = new Map([
  [0x0806, 'ARP'],
  [0x8035, 'RARP'],
  [0x8847, 'MPLS'],
  [0x8848, 'MPLS'],
  [0x8863, 'PPPoE'],
  [0x8864, 'PPPoE'],
  [0x88cc, 'LLDP'],
]);

/** Returns whether packets of an IP protocol have ports. */
export function hasPorts(protocol: number): boolean {
  return PROTOCOLS_WITH_PORTS.includes(protocol);
}

/** Returns the name of a port; undefined for one without. */
export function applicationName(port: number): string | undefined {
  return NAMES.get(port);
}

/** Returns an Ethernet type in words: `ARP`, `0x88b5`. */
export function ethernetTypeName(type: number): string {
  return ETHERNET_TYPES.get(type) ?? `0x${type.toString(16).padStart(4, '0')}`;
}
