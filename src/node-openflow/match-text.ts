// Formats matches for messages and logs, in the syntax of ovs-fields(7), which ovs-ofctl accepts. Shorthands such as "tcp"
// are not used: eth_type and nw_proto are numbers.
import { fieldByName } from './fields.ts';
import type { FieldTarget, MatchField } from './match.ts';

/** Formats a match: "in_port=1,eth_type=0x800,ip_src=10.0.0.0/255.0.0.0". One that matches all packets is "". */
export function formatMatch(fields: readonly MatchField[]): string {
  return fields.map(formatField).join(',');
}

/** Formats one field: "reg11=0x0/0x80000000". */
function formatField(field: MatchField): string {
  return `${fieldName(field)}=${formatValue(field)}`;
}

/** Formats the value and the mask of a field: "0x0/0x80000000". */
export function formatValue(field: MatchField): string {
  const fragment = field.field === 'nw_frag' ? FRAGMENTS.get(fragmentKey(field)) : undefined;
  if (fragment !== undefined) {
    return fragment;
  }
  const format = formatterOf(field.field, field.value.length);
  return field.mask === undefined ? format(field.value) : `${format(field.value)}/${format(field.mask)}`;
}

/** The keywords of nw_frag by value / mask. Bit 0: a fragment; bit 1: not the first one. */
const FRAGMENTS: ReadonlyMap<string, string> = new Map([
  ['0/3', 'no'],
  ['1/1', 'yes'],
  ['1/3', 'first'],
  ['3/3', 'later'],
  ['0/2', 'not_later'],
]);

function fragmentKey({ value, mask }: MatchField): string {
  return `${value[0]}/${(mask?.[0] ?? 0xff) & 3}`;
}

/** Returns a field's name, or the numbers of an unknown one: "oxm_0x8000_99" or "oxm_0xffff_3_0x4f4e4600". */
export function fieldName(target: FieldTarget): string {
  const { field, header } = target;
  if (field !== 'unknown' || header === undefined) {
    // ovs-ofctl uses one name for the 16-bit field of OpenFlow 1.0 and the 32-bit field of later versions.
    return field === 'in_port_oxm' ? 'in_port' : field;
  }
  const experimenter = header.experimenter === 0 ? '' : `_0x${header.experimenter.toString(16)}`;
  return `oxm_0x${header.classId.toString(16)}_${header.fieldId}${experimenter}`;
}

type Formatter = (value: Buffer) => string;

function formatterOf(name: MatchField['field'], width: number): Formatter {
  const spec = name === 'unknown' ? undefined : fieldByName(name);
  if (spec?.width === 6) {
    return (value) => value.toString('hex').replace(/..(?=.)/g, '$&:');
  }
  if (width === 4 && /^(ip|tun|ct_nw)_(src|dst)$|^arp_[st]pa$/.test(name)) {
    return (value) => value.join('.');
  }
  if (width === 16 && /ipv6|^nd_target$/.test(name)) {
    return formatIpv6;
  }
  if (name.startsWith('in_port') || name === 'actset_output') {
    return (value) =>
      formatPort(value.length === 2 ? widePort(value.readUInt16BE(0)) : value.readUInt32BE(0));
  }
  if (name === 'packet_type') {
    return (value) => `(${value.readUInt16BE(0)},0x${value.readUInt16BE(2).toString(16)})`;
  }
  return (value) => `0x${value.toString('hex').replace(/^0+(?=.)/, '')}`;
}

function formatIpv6(value: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => value.readUInt16BE(index * 2).toString(16));
  return groups.join(':');
}

function widePort(port: number): number {
  return port >= 0xff00 ? port + 0xffff_0000 : port;
}

const RESERVED_PORTS: ReadonlyMap<number, string> = new Map([
  [0xffff_fff7, 'UNSET'],
  [0xffff_fff8, 'IN_PORT'],
  [0xffff_fff9, 'TABLE'],
  [0xffff_fffa, 'NORMAL'],
  [0xffff_fffb, 'FLOOD'],
  [0xffff_fffc, 'ALL'],
  [0xffff_fffd, 'CONTROLLER'],
  [0xffff_fffe, 'LOCAL'],
  [0xffff_ffff, 'ANY'],
]);

/** Formats a port: its number, or the name of a reserved one. */
export function formatPort(port: number): string {
  return RESERVED_PORTS.get(port) ?? String(port);
}
