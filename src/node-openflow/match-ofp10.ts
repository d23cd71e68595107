// OpenFlow 1.0's own match, 40 bytes with a place for each field and bits for those that do not matter. It cannot
// express registers, tunnels or IPv6, which is why flows are written in Nicira's form; it is read where a switch or
// another controller uses it.
//
// Used by other codecs: decodeOfp10Match, encodeOfp10Match.
import { OpenFlowEncodeError } from './errors.ts';
import type { FieldName } from './fields.ts';
import { fieldValue, type MatchField, matchField } from './match.ts';
import type { WireReader, WireWriter } from './wire.ts';

const WILDCARDS = {
  inPort: 1 << 0,
  vlanId: 1 << 1,
  ethSource: 1 << 2,
  ethDestination: 1 << 3,
  ethType: 1 << 4,
  protocol: 1 << 5,
  portSource: 1 << 6,
  portDestination: 1 << 7,
  vlanPriority: 1 << 20,
  tos: 1 << 21,
} as const;
/** Where the counts of ignored low bits of the two addresses stand, 6 bits each; 32 and more ignore all. */
const IP_SOURCE_SHIFT = 8;
const IP_DESTINATION_SHIFT = 14;
const IGNORE_ADDRESS = 32;
const ALL_WILDCARDS =
  Object.values(WILDCARDS).reduce<number>((all, bit) => all | bit, 0) |
  (IGNORE_ADDRESS << IP_SOURCE_SHIFT) |
  (IGNORE_ADDRESS << IP_DESTINATION_SHIFT);

const VLAN_NONE = 0xffff;
/** The bit of the tag control information that NXM uses for "there is a tag". */
const TAG_PRESENT = 0x1000;
const ETH_TYPE_ARP = 0x0806;

/** Names of the transport fields, which share their place, by IP protocol. */
const TRANSPORT: ReadonlyMap<number, readonly [source: FieldName, destination: FieldName]> = new Map([
  [1, ['icmp_type', 'icmp_code']],
  [6, ['tcp_src', 'tcp_dst']],
  [17, ['udp_src', 'udp_dst']],
  [132, ['sctp_src', 'sctp_dst']],
]);

/** The values of all places, whether or not they matter. */
interface Ofp10Match {
  wildcards: number;
  inPort: number;
  ethSource: Buffer;
  ethDestination: Buffer;
  vlanId: number;
  vlanPriority: number;
  ethType: number;
  tos: number;
  protocol: number;
  ipSource: number;
  ipDestination: number;
  portSource: number;
  portDestination: number;
}

/*
 * ofp_match (40)
 *   u32 wildcards            u8  VLAN priority, u8 zero     u32 IP source
 *   u16 in port              u16 EtherType                  u32 IP destination
 *   u8  Ethernet source[6]   u8  TOS                        u16 transport source, ICMP type
 *   u8  destination[6]       u8  protocol, ARP operation    u16 transport destination, ICMP code
 *   u16 VLAN id              u16 zero
 */
export function decodeOfp10Match(reader: WireReader): MatchField[] {
  const wildcards = reader.u32('match.wildcards');
  const inPort = reader.u16('match.in_port');
  const ethSource = reader.copy(6, 'match.dl_src');
  const ethDestination = reader.copy(6, 'match.dl_dst');
  const vlanId = reader.u16('match.dl_vlan');
  const vlanPriority = reader.u8('match.dl_vlan_pcp');
  reader.skip(1, 'match.pad1');
  const ethType = reader.u16('match.dl_type');
  const tos = reader.u8('match.nw_tos');
  const protocol = reader.u8('match.nw_proto');
  reader.skip(2, 'match.pad2');
  const ipSource = reader.u32('match.nw_src');
  const ipDestination = reader.u32('match.nw_dst');
  const portSource = reader.u16('match.tp_src');
  const portDestination = reader.u16('match.tp_dst');
  return toFields({
    wildcards,
    inPort,
    ethSource,
    ethDestination,
    vlanId,
    vlanPriority,
    ethType,
    tos,
    protocol,
    ipSource,
    ipDestination,
    portSource,
    portDestination,
  });
}

/** Writes the 40 bytes; throws OpenFlowEncodeError for a field or a mask that they cannot express. */
export function encodeOfp10Match(fields: readonly MatchField[], writer: WireWriter): void {
  const wire = toWire(fields);
  writer.u32(wire.wildcards).u16(wire.inPort).put(wire.ethSource).put(wire.ethDestination);
  writer.u16(wire.vlanId).u8(wire.vlanPriority).u8(0).u16(wire.ethType).u8(wire.tos).u8(wire.protocol).u16(0);
  writer.u32(wire.ipSource).u32(wire.ipDestination).u16(wire.portSource).u16(wire.portDestination);
}

function toFields(wire: Ofp10Match): MatchField[] {
  const fields: MatchField[] = [];
  const cares = (wildcard: number): boolean => (wire.wildcards & wildcard) === 0;
  if (cares(WILDCARDS.inPort)) {
    fields.push(matchField('in_port', wire.inPort));
  }
  if (cares(WILDCARDS.ethSource)) {
    fields.push(matchField('eth_src', wire.ethSource));
  }
  if (cares(WILDCARDS.ethDestination)) {
    fields.push(matchField('eth_dst', wire.ethDestination));
  }
  if (cares(WILDCARDS.ethType)) {
    fields.push(matchField('eth_type', wire.ethType));
  }
  fields.push(...vlanFields(wire));
  const isArp = cares(WILDCARDS.ethType) && wire.ethType === ETH_TYPE_ARP;
  const addresses = isArp ? (['arp_spa', 'arp_tpa'] as const) : (['ip_src', 'ip_dst'] as const);
  fields.push(...addressFields(addresses[0], wire.ipSource, wire.wildcards >> IP_SOURCE_SHIFT));
  fields.push(...addressFields(addresses[1], wire.ipDestination, wire.wildcards >> IP_DESTINATION_SHIFT));
  if (cares(WILDCARDS.tos)) {
    fields.push(matchField('nw_tos', wire.tos & 0xfc));
  }
  if (cares(WILDCARDS.protocol)) {
    fields.push(matchField(isArp ? 'arp_op' : 'nw_proto', wire.protocol));
  }
  const names = cares(WILDCARDS.protocol) && !isArp ? TRANSPORT.get(wire.protocol) : undefined;
  const width = wire.protocol === 1 ? 0xff : 0xffff;
  if (names !== undefined && cares(WILDCARDS.portSource)) {
    fields.push(matchField(names[0], wire.portSource & width));
  }
  if (names !== undefined && cares(WILDCARDS.portDestination)) {
    fields.push(matchField(names[1], wire.portDestination & width));
  }
  return fields;
}

function vlanFields(wire: Ofp10Match): MatchField[] {
  const caresId = (wire.wildcards & WILDCARDS.vlanId) === 0;
  const caresPriority = (wire.wildcards & WILDCARDS.vlanPriority) === 0;
  if (caresId && wire.vlanId === VLAN_NONE) {
    return [matchField('vlan_tci', 0)];
  }
  const mask = (caresId ? 0x0fff : 0) | (caresPriority ? 0xe000 : 0);
  if (mask === 0) {
    return [];
  }
  const value = ((wire.vlanId | (wire.vlanPriority << 13)) & mask) | TAG_PRESENT;
  const whole = mask | TAG_PRESENT;
  return [whole === 0xffff ? matchField('vlan_tci', value) : matchField('vlan_tci', value, whole)];
}

function addressFields(name: FieldName, address: number, wildcard: number): MatchField[] {
  const ignored = wildcard & 0x3f;
  if (ignored >= 32) {
    return [];
  }
  const mask = (0xffff_ffff << ignored) >>> 0;
  return [ignored === 0 ? matchField(name, address) : matchField(name, (address & mask) >>> 0, mask)];
}

function toWire(fields: readonly MatchField[]): Ofp10Match {
  const wire: Ofp10Match = {
    wildcards: ALL_WILDCARDS,
    inPort: 0,
    ethSource: Buffer.alloc(6),
    ethDestination: Buffer.alloc(6),
    vlanId: 0,
    vlanPriority: 0,
    ethType: 0,
    tos: 0,
    protocol: 0,
    ipSource: 0,
    ipDestination: 0,
    portSource: 0,
    portDestination: 0,
  };
  for (const field of fields) {
    putField(wire, field);
  }
  return wire;
}

function putField(wire: Ofp10Match, field: MatchField): void {
  const number = field.value.length <= 4 ? Number(fieldValue(field)) : 0;
  switch (field.field) {
    case 'ip_src':
    case 'arp_spa':
      wire.ipSource = number;
      wire.wildcards = withIgnoredBits(wire.wildcards, IP_SOURCE_SHIFT, field);
      return;
    case 'ip_dst':
    case 'arp_tpa':
      wire.ipDestination = number;
      wire.wildcards = withIgnoredBits(wire.wildcards, IP_DESTINATION_SHIFT, field);
      return;
    case 'vlan_tci':
      putVlan(wire, number, field);
      return;
    default:
      putExact(wire, field, number);
  }
}

function putExact(wire: Ofp10Match, field: MatchField, number: number): void {
  if (field.mask !== undefined) {
    throw inexpressible(field, 'it can only be matched whole');
  }
  const { field: name } = field;
  if (name === 'in_port') {
    wire.inPort = number;
    wire.wildcards &= ~WILDCARDS.inPort;
  } else if (name === 'eth_src') {
    wire.ethSource = field.value;
    wire.wildcards &= ~WILDCARDS.ethSource;
  } else if (name === 'eth_dst') {
    wire.ethDestination = field.value;
    wire.wildcards &= ~WILDCARDS.ethDestination;
  } else if (name === 'eth_type') {
    wire.ethType = number;
    wire.wildcards &= ~WILDCARDS.ethType;
  } else if (name === 'nw_tos') {
    wire.tos = number;
    wire.wildcards &= ~WILDCARDS.tos;
  } else if (name === 'nw_proto' || (name === 'arp_op' && number <= 0xff)) {
    wire.protocol = number;
    wire.wildcards &= ~WILDCARDS.protocol;
  } else if (/^(tcp|udp|sctp)_src$|^icmp_type$/.test(name)) {
    wire.portSource = number;
    wire.wildcards &= ~WILDCARDS.portSource;
  } else if (/^(tcp|udp|sctp)_dst$|^icmp_code$/.test(name)) {
    wire.portDestination = number;
    wire.wildcards &= ~WILDCARDS.portDestination;
  } else {
    throw inexpressible(field, 'there is no place for it');
  }
}

function putVlan(wire: Ofp10Match, value: number, field: MatchField): void {
  const mask = field.mask?.readUInt16BE(0) ?? 0xffff;
  if (value === 0 && mask === 0xffff) {
    wire.vlanId = VLAN_NONE;
    wire.wildcards &= ~(WILDCARDS.vlanId | WILDCARDS.vlanPriority);
    return;
  }
  const idMask = mask & 0x0fff;
  const priorityMask = mask & 0xe000;
  const isPartial = (idMask !== 0 && idMask !== 0x0fff) || (priorityMask !== 0 && priorityMask !== 0xe000);
  if (isPartial || (value & mask & TAG_PRESENT) === 0 || (idMask === 0 && priorityMask === 0)) {
    throw inexpressible(field, 'only a whole VLAN id and a whole priority can be matched');
  }
  if (idMask !== 0) {
    wire.vlanId = value & 0x0fff;
    wire.wildcards &= ~WILDCARDS.vlanId;
  }
  if (priorityMask !== 0) {
    wire.vlanPriority = value >> 13;
    wire.wildcards &= ~WILDCARDS.vlanPriority;
  }
}

function withIgnoredBits(wildcards: number, shift: number, field: MatchField): number {
  const mask = field.mask?.readUInt32BE(0) ?? 0xffff_ffff;
  const ignored = mask === 0 ? 32 : 31 - Math.clz32(mask & -mask);
  if (ignored < 32 && (0xffff_ffff << ignored) >>> 0 !== mask) {
    throw inexpressible(field, 'its mask is no prefix');
  }
  return (wildcards & ~(0x3f << shift)) | (ignored << shift);
}

function inexpressible(field: MatchField, why: string): OpenFlowEncodeError {
  return new OpenFlowEncodeError(`match.${field.field}`, 1, why);
}
