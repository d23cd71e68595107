// The table of Open vSwitch's match fields: names, widths, and their headers on the wire (NXM and OXM). Matches, actions
// and packet-in metadata look up fields here, by header and by name.
import { VENDOR } from './header.ts';
import type { OpenFlowVersion } from './version.ts';

/** The header of a field on the wire, without length and mask bit. */
export interface FieldHeader {
  /** oxm_class: 0 and 1 are Nicira's, 0x8000 is OpenFlow's, 0x8001 packet registers, 0xffff experimenters. */
  readonly classId: number;
  /** oxm_field: 0 to 127. */
  readonly fieldId: number;
  /** The experimenter of class 0xffff; else 0. */
  readonly experimenter: number;
}

/** A field of the table. */
export interface FieldSpec {
  readonly name: FieldName;
  /** Width in bytes; 0 for tunnel options, whose width is in the bridge's option table. */
  readonly width: number;
  /** Whether OVS accepts an arbitrary mask. */
  readonly isMaskable: boolean;
  /** Nicira's header, used in OpenFlow 1.0 and in Nicira's actions. */
  readonly nxm: FieldHeader | undefined;
  /** The header since OpenFlow 1.3. */
  readonly oxm: FieldHeader | undefined;
  /** The header since OpenFlow 1.5, if it differs: two fields moved from the ONF's experimenter to the standard. */
  readonly oxm15: FieldHeader | undefined;
  /** Another name that ovs-ofctl accepts. */
  readonly alias: string | undefined;
}

/** The context of a header: Nicira's headers are preferred in `nxm`, those of the version elsewhere. */
export type FieldContext = 'nxm' | OpenFlowVersion;

/** oxm_class of experimenter fields, whose headers are 4 bytes longer. */
export const CLASS_EXPERIMENTER = 0xffff;

const NSH_EXPERIMENTER = 0x005a_d650;
const NOT_MASKABLE = false;
const MASKABLE = true;

function header(classId: number, fieldId: number, experimenter = 0): FieldHeader {
  return { classId, fieldId, experimenter };
}
function nxmOf(fieldId: number): FieldHeader {
  return header(0, fieldId);
}
function nxmNx(fieldId: number): FieldHeader {
  return header(1, fieldId);
}
function oxmOf(fieldId: number): FieldHeader {
  return header(0x8000, fieldId);
}
function onfOxm(fieldId: number): FieldHeader {
  return header(CLASS_EXPERIMENTER, fieldId, VENDOR.onf);
}
function nxOxm(fieldId: number): FieldHeader {
  return header(CLASS_EXPERIMENTER, fieldId, VENDOR.nicira);
}
function nsh(fieldId: number): FieldHeader {
  return header(CLASS_EXPERIMENTER, fieldId, NSH_EXPERIMENTER);
}

type Row<Name extends string> = readonly [
  name: Name,
  width: number,
  isMaskable: boolean,
  nxm?: FieldHeader | undefined,
  oxm?: FieldHeader | undefined,
  alias?: string | undefined,
  oxm15?: FieldHeader | undefined,
];

function rows<const Name extends string>(list: readonly Row<Name>[]): readonly Row<Name>[] {
  return list;
}

/** Makes the rows of `count` fields that differ only in their number, such as registers. */
function family<const Prefix extends string>(
  prefix: Prefix,
  first: number,
  count: number,
  width: number,
  headers: (index: number) => readonly [nxm: FieldHeader | undefined, oxm?: FieldHeader],
): readonly Row<`${Prefix}${number}`>[] {
  return Array.from({ length: count }, (_, index): Row<`${Prefix}${number}`> => {
    const [nxm, oxm] = headers(index);
    return [`${prefix}${first + index}`, width, MASKABLE, nxm, oxm];
  });
}

// Names are those of ovs-fields(7). The order is that in which OVS encodes a match, where it has one.
const FIELD_ROWS = [
  ...rows([
    ['packet_type', 4, NOT_MASKABLE, undefined, oxmOf(44)],
    ['dp_hash', 4, MASKABLE, nxmNx(35)],
    ['recirc_id', 4, NOT_MASKABLE, nxmNx(36)],
    ['conj_id', 4, NOT_MASKABLE, nxmNx(37)],
    ['in_port', 2, NOT_MASKABLE, nxmOf(0)],
    ['in_port_oxm', 4, NOT_MASKABLE, undefined, oxmOf(0)],
    ['actset_output', 4, NOT_MASKABLE, undefined, onfOxm(43), undefined, oxmOf(43)],
    ['eth_src', 6, MASKABLE, nxmOf(2), oxmOf(4), 'dl_src'],
    ['eth_dst', 6, MASKABLE, nxmOf(1), oxmOf(3), 'dl_dst'],
    ['eth_type', 2, NOT_MASKABLE, nxmOf(3), oxmOf(5), 'dl_type'],
    ['vlan_tci', 2, MASKABLE, nxmOf(4)],
    ['vlan_vid', 2, MASKABLE, undefined, oxmOf(6)],
    ['vlan_pcp', 1, NOT_MASKABLE, undefined, oxmOf(7)],
    ['mpls_tc', 1, NOT_MASKABLE, undefined, oxmOf(35)],
    ['mpls_bos', 1, NOT_MASKABLE, undefined, oxmOf(36)],
    ['mpls_ttl', 1, NOT_MASKABLE, nxmNx(30)],
    ['mpls_label', 4, NOT_MASKABLE, undefined, oxmOf(34)],
    ['ip_src', 4, MASKABLE, nxmOf(7), oxmOf(11), 'nw_src'],
    ['ip_dst', 4, MASKABLE, nxmOf(8), oxmOf(12), 'nw_dst'],
    ['ipv6_src', 16, MASKABLE, nxmNx(19), oxmOf(26)],
    ['ipv6_dst', 16, MASKABLE, nxmNx(20), oxmOf(27)],
    ['ipv6_label', 4, MASKABLE, nxmNx(27), oxmOf(28)],
    ['nw_frag', 1, MASKABLE, nxmNx(26), undefined, 'ip_frag'],
    ['nw_tos', 1, NOT_MASKABLE, nxmOf(5)],
    ['ip_dscp', 1, NOT_MASKABLE, undefined, oxmOf(8)],
    ['nw_ecn', 1, NOT_MASKABLE, nxmNx(28), oxmOf(9), 'ip_ecn'],
    ['nw_ttl', 1, NOT_MASKABLE, nxmNx(29)],
    ['nw_proto', 1, NOT_MASKABLE, nxmOf(6), oxmOf(10), 'ip_proto'],
    ['tcp_src', 2, MASKABLE, nxmOf(9), oxmOf(13), 'tp_src'],
    ['tcp_dst', 2, MASKABLE, nxmOf(10), oxmOf(14), 'tp_dst'],
    ['tcp_flags', 2, MASKABLE, nxmNx(34), onfOxm(42), undefined, oxmOf(42)],
    ['udp_src', 2, MASKABLE, nxmOf(11), oxmOf(15)],
    ['udp_dst', 2, MASKABLE, nxmOf(12), oxmOf(16)],
    ['sctp_src', 2, MASKABLE, undefined, oxmOf(17)],
    ['sctp_dst', 2, MASKABLE, undefined, oxmOf(18)],
    ['icmp_type', 1, NOT_MASKABLE, nxmOf(13), oxmOf(19)],
    ['icmp_code', 1, NOT_MASKABLE, nxmOf(14), oxmOf(20)],
    ['icmpv6_type', 1, NOT_MASKABLE, nxmNx(21), oxmOf(29)],
    ['icmpv6_code', 1, NOT_MASKABLE, nxmNx(22), oxmOf(30)],
    ['nd_target', 16, MASKABLE, nxmNx(23), oxmOf(31)],
    ['nd_sll', 6, MASKABLE, nxmNx(24), oxmOf(32)],
    ['nd_tll', 6, MASKABLE, nxmNx(25), oxmOf(33)],
    ['nd_reserved', 4, NOT_MASKABLE, undefined, header(0x1000, 1)],
    ['nd_options_type', 1, NOT_MASKABLE, undefined, header(0x1000, 2)],
    ['arp_op', 2, NOT_MASKABLE, nxmOf(15), oxmOf(21)],
    ['arp_spa', 4, MASKABLE, nxmOf(16), oxmOf(22)],
    ['arp_tpa', 4, MASKABLE, nxmOf(17), oxmOf(23)],
    ['arp_sha', 6, MASKABLE, nxmNx(17), oxmOf(24)],
    ['arp_tha', 6, MASKABLE, nxmNx(18), oxmOf(25)],
    ['nsh_flags', 1, MASKABLE, undefined, nsh(1)],
    ['nsh_mdtype', 1, NOT_MASKABLE, undefined, nsh(2)],
    ['nsh_np', 1, NOT_MASKABLE, undefined, nsh(3)],
    ['nsh_spi', 4, NOT_MASKABLE, undefined, nsh(4), 'nsp'],
    ['nsh_si', 1, NOT_MASKABLE, undefined, nsh(5), 'nsi'],
    ['nsh_c1', 4, MASKABLE, undefined, nsh(6), 'nshc1'],
    ['nsh_c2', 4, MASKABLE, undefined, nsh(7), 'nshc2'],
    ['nsh_c3', 4, MASKABLE, undefined, nsh(8), 'nshc3'],
    ['nsh_c4', 4, MASKABLE, undefined, nsh(9), 'nshc4'],
    ['nsh_ttl', 1, NOT_MASKABLE, undefined, nsh(10)],
    ['tun_id', 8, MASKABLE, nxmNx(16), oxmOf(38), 'tunnel_id'],
    ['tun_flags', 2, MASKABLE, nxmNx(104)],
    ['tun_src', 4, MASKABLE, nxmNx(31)],
    ['tun_dst', 4, MASKABLE, nxmNx(32)],
    ['tun_ipv6_src', 16, MASKABLE, nxmNx(109)],
    ['tun_ipv6_dst', 16, MASKABLE, nxmNx(110)],
    ['tun_gbp_id', 2, MASKABLE, nxmNx(38)],
    ['tun_gbp_flags', 1, MASKABLE, nxmNx(39)],
    ['tun_erspan_idx', 4, MASKABLE, undefined, nxOxm(11)],
    ['tun_erspan_ver', 1, MASKABLE, undefined, nxOxm(12)],
    ['tun_erspan_dir', 1, MASKABLE, undefined, nxOxm(13)],
    ['tun_erspan_hwid', 1, MASKABLE, undefined, nxOxm(14)],
    ['tun_gtpu_flags', 1, MASKABLE, undefined, nxOxm(15)],
    ['tun_gtpu_msgtype', 1, MASKABLE, undefined, nxOxm(16)],
    ['metadata', 8, MASKABLE, undefined, oxmOf(2)],
    ['pkt_mark', 4, MASKABLE, nxmNx(33)],
    ['ct_state', 4, MASKABLE, nxmNx(105)],
    ['ct_zone', 2, NOT_MASKABLE, nxmNx(106)],
    ['ct_mark', 4, MASKABLE, nxmNx(107)],
    ['ct_label', 16, MASKABLE, nxmNx(108)],
    ['ct_nw_proto', 1, NOT_MASKABLE, nxmNx(119)],
    ['ct_nw_src', 4, MASKABLE, nxmNx(120)],
    ['ct_nw_dst', 4, MASKABLE, nxmNx(121)],
    ['ct_ipv6_src', 16, MASKABLE, nxmNx(122)],
    ['ct_ipv6_dst', 16, MASKABLE, nxmNx(123)],
    ['ct_tp_src', 2, MASKABLE, nxmNx(124)],
    ['ct_tp_dst', 2, MASKABLE, nxmNx(125)],
    // Not a field of packets: it restricts requests to a cookie in OpenFlow 1.0 with Nicira's extensions. It has the number
    // of mpls_ttl and differs in its width.
    ['cookie', 8, MASKABLE, nxmNx(30)],
  ]),
  ...family('reg', 0, 16, 4, (index) => [nxmNx(index)]),
  ...family('reg', 16, 16, 4, (index) => [undefined, nxOxm(17 + index)]),
  ...family('xreg', 0, 16, 8, (index) => [undefined, header(0x8001, index)]),
  ...family('xxreg', 0, 4, 16, (index) => [nxmNx(111 + index)]),
  ...family('xxreg', 4, 4, 16, (index) => [undefined, nxOxm(33 + index)]),
  ...family('tun_metadata', 0, 64, 0, (index) => [nxmNx(40 + index)]),
];

/** The name of a field of the table. */
export type FieldName = (typeof FIELD_ROWS)[number][0];

/** The table. */
export const FIELDS: readonly FieldSpec[] = FIELD_ROWS.map(
  ([name, width, isMaskable, nxm, oxm, alias, oxm15]): FieldSpec => ({
    name,
    width,
    isMaskable,
    nxm,
    oxm,
    oxm15,
    alias,
  }),
);

const fieldsByName: ReadonlyMap<string, FieldSpec> = new Map(
  FIELDS.flatMap((spec): [string, FieldSpec][] => [
    [spec.name, spec],
    ...(spec.alias === undefined ? [] : [[spec.alias, spec] as [string, FieldSpec]]),
  ]),
);

const fieldsByHeader = indexByHeader(FIELDS);

/** Returns the field of that name or alias, if the table has it. */
export function fieldByName(name: string): FieldSpec | undefined {
  return fieldsByName.get(name);
}

/** Returns the field of a header and a width, if the table has it. */
export function fieldByHeader(header: FieldHeader, width: number): FieldSpec | undefined {
  const candidates = fieldsByHeader.get(headerKey(header.classId, header.fieldId, header.experimenter));
  return candidates?.find((spec) => spec.width === width || (spec.width === 0 && width > 0));
}

/** Returns the header that OVS uses for a field in a context. */
export function preferredHeader(spec: FieldSpec, context: FieldContext): FieldHeader {
  const standard = context === 6 ? (spec.oxm15 ?? spec.oxm) : spec.oxm;
  const preferred = context === 'nxm' || context === 1 ? (spec.nxm ?? spec.oxm) : (standard ?? spec.nxm);
  if (preferred === undefined) {
    throw new TypeError(`field ${spec.name} has no header in the table`);
  }
  return preferred;
}

/** Whether two headers are equal. */
export function isSameHeader(a: FieldHeader, b: FieldHeader): boolean {
  return a.classId === b.classId && a.fieldId === b.fieldId && a.experimenter === b.experimenter;
}

function headerKey(classId: number, fieldId: number, experimenter: number): number {
  // Only class 0xffff has experimenters, so the two ranges of keys do not overlap.
  return (experimenter === 0 ? classId : 0x1_0000 + experimenter) * 0x80 + fieldId;
}

function indexByHeader(specs: readonly FieldSpec[]): ReadonlyMap<number, readonly FieldSpec[]> {
  const index = new Map<number, FieldSpec[]>();
  for (const spec of specs) {
    for (const form of [spec.nxm, spec.oxm, spec.oxm15]) {
      if (form !== undefined) {
        const key = headerKey(form.classId, form.fieldId, form.experimenter);
        index.set(key, [...(index.get(key) ?? []), spec]);
      }
    }
  }
  return index;
}
