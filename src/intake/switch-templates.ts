// The templates of the records that ovs-vswitchd's own exporter sends, as data: the same in Open vSwitch 2.15 to 4.0, for all
// observation domains and runs. They are needed because templates can be up to ten minutes late. A template that is received and
// differs takes the place of the one here. A record is read by following its template once, which notes where each element is.

import { VARIABLE_LENGTH } from '../ipfix/protocol.ts';

/** Elements that are read from a record. The numbers are indices of `RecordOffsets.at`. */
export const Slot = {
  observationPoint: 0,
  sourceMac: 1,
  destinationMac: 2,
  ethernetType: 3,
  ingressInterface: 4,
  ingressName: 5,
  vlanId: 6,
  vlanPriority: 7,
  ttl: 8,
  protocol: 9,
  classOfService: 10,
  sourceIpv4: 11,
  destinationIpv4: 12,
  sourceIpv6: 13,
  destinationIpv6: 14,
  flowLabel: 15,
  sourcePort: 16,
  destinationPort: 17,
  icmpType: 18,
  icmpCode: 19,
  tunnelSource: 20,
  tunnelDestination: 21,
  tunnelProtocol: 22,
  tunnelSourcePort: 23,
  tunnelDestinationPort: 24,
  tunnelType: 25,
  tunnelKey: 26,
  packets: 27,
  packetsTotal: 28,
  octets: 29,
  octetsTotal: 30,
  finTotal: 31,
  synTotal: 32,
  rstTotal: 33,
  pshTotal: 34,
  ackTotal: 35,
  urgTotal: 36,
} as const;
const SLOT_COUNT = 37;
const NO_SLOT = -1;

/** In place of the first byte of a length of two bytes (RFC 7011, section 7). */
const LONG_LENGTH = 255;
/** Marks elements of VMware (enterprise 6876), which OVS uses for tunnels. */
const VMWARE = 0x1_0000;
/** The enterprise bit and number in a template, and how `VMWARE` elements are told from those of other enterprises. */
const ENTERPRISE_BIT = 0x8000;
const VMWARE_ENTERPRISE = 6876;
const OTHER_ENTERPRISE = 0x2_0000;

/** Element ids (of VMware with `VMWARE`) and where each is kept. */
const SLOT_OF: ReadonlyMap<number, number> = new Map([
  [138, Slot.observationPoint],
  [56, Slot.sourceMac],
  [80, Slot.destinationMac],
  [256, Slot.ethernetType],
  [10, Slot.ingressInterface],
  [82, Slot.ingressName],
  [58, Slot.vlanId],
  [244, Slot.vlanPriority],
  [192, Slot.ttl],
  [4, Slot.protocol],
  [5, Slot.classOfService],
  [8, Slot.sourceIpv4],
  [12, Slot.destinationIpv4],
  [27, Slot.sourceIpv6],
  [28, Slot.destinationIpv6],
  [31, Slot.flowLabel],
  [7, Slot.sourcePort],
  [11, Slot.destinationPort],
  [176, Slot.icmpType],
  [177, Slot.icmpCode],
  [178, Slot.icmpType],
  [179, Slot.icmpCode],
  [VMWARE + 893, Slot.tunnelSource],
  [VMWARE + 894, Slot.tunnelDestination],
  [VMWARE + 895, Slot.tunnelProtocol],
  [VMWARE + 896, Slot.tunnelSourcePort],
  [VMWARE + 897, Slot.tunnelDestinationPort],
  [VMWARE + 891, Slot.tunnelType],
  [VMWARE + 892, Slot.tunnelKey],
  [2, Slot.packets],
  [86, Slot.packetsTotal],
  [352, Slot.octets],
  [353, Slot.octetsTotal],
  [218, Slot.synTotal],
  [219, Slot.finTotal],
  [220, Slot.rstTotal],
  [221, Slot.pshTotal],
  [222, Slot.ackTotal],
  [223, Slot.urgTotal],
]);

/** An element and its length in bytes; 65,535: variable. */
type Field = readonly [element: number, size: number];

/** Fields of 8 bytes. */
const counters = (...elements: readonly number[]): readonly Field[] =>
  elements.map((element) => [element, 8]);

const ETHERNET: readonly Field[] = [
  [138, 4],
  [61, 1],
  [56, 6],
  [80, 6],
  [256, 2],
  [240, 1],
];
const INGRESS: readonly Field[] = [
  [10, 4],
  [368, 4],
  [82, VARIABLE_LENGTH],
  [83, VARIABLE_LENGTH],
];
const EGRESS: readonly Field[] = [
  [14, 4],
  [369, 4],
  [82, VARIABLE_LENGTH],
  [83, VARIABLE_LENGTH],
];
const VLAN: readonly Field[] = [
  [58, 2],
  [243, 2],
  [244, 1],
];
const IP: readonly Field[] = [
  [60, 1],
  [192, 1],
  [4, 1],
  [195, 1],
  [196, 1],
  [5, 1],
];
const ADDRESSES: readonly (readonly Field[])[] = [
  [],
  [
    [8, 4],
    [12, 4],
  ],
  [
    [27, 16],
    [28, 16],
    [31, 4],
  ],
];
const PORTS: readonly Field[] = [
  [7, 2],
  [11, 2],
];
const ICMP: readonly (readonly Field[])[] = [
  [],
  [
    [176, 1],
    [177, 1],
  ],
  [
    [178, 1],
    [179, 1],
  ],
];
const TUNNEL: readonly Field[] = [
  [VMWARE + 893, 4],
  [VMWARE + 894, 4],
  [VMWARE + 895, 1],
  [VMWARE + 896, 2],
  [VMWARE + 897, 2],
  [VMWARE + 891, 1],
  [VMWARE + 892, VARIABLE_LENGTH],
];
const VIRTUAL_ID: readonly Field[] = [[VMWARE + 898, VARIABLE_LENGTH]];
const COUNTS: readonly Field[] = [
  [158, 4],
  [159, 4],
  ...counters(133, 135, 2, 86, 354, 355, 356, 357, 358, 19, 174, 352, 353),
  [136, 1],
];
const IP_COUNTS = counters(132, 134, 1, 85, 198, 199, 25, 26, 20, 175);
const TCP_COUNTS = counters(222, 219, 221, 220, 218, 223);

/** The length of each element that is read; a field of another length is not. */
const SIZE_OF: ReadonlyMap<number, number> = new Map([
  ...ETHERNET,
  ...INGRESS,
  ...VLAN,
  ...IP,
  ...ADDRESSES.flat(),
  ...PORTS,
  ...ICMP.flat(),
  ...TUNNEL,
  ...COUNTS,
  ...IP_COUNTS,
  ...TCP_COUNTS,
]);

/** Transport protocols of a template; the last three have a part of their own, or none. */
const Transport = { none: 0, tcp: 1, icmp: 4 } as const;
const TRANSPORTS_OF_IP = 5;

const TEMPLATE_ID_FIRST = 256;
/** What each fact adds to the id of a template. */
const ID_OF = { egress: 1, tunnel: 2, transport: 4, network: 20, vlan: 60 } as const;
/** The template of options records, which have a selector and counts that the daemon does not use. */
const OPTIONS_TEMPLATE_ID = 462;
const OPTIONS_FIELDS: readonly Field[] = [
  [144, 4],
  [167, 8],
];

/** A template as words: for each field its slot, or -1, and its length. */
export interface SwitchTemplate {
  readonly program: Int32Array;
  /** Whether its records are samples; options records are not. */
  readonly isSample: boolean;
}

/**
 * Returns the templates that ovs-vswitchd is known to send, by id. `hasVirtualId`: for a row with `virtual_obs_id`, whose records
 * have one more element.
 */
export function knownTemplates(hasVirtualId = false): Map<number, SwitchTemplate> {
  const templates = madeTemplates.get(hasVirtualId) ?? makeTemplates(hasVirtualId);
  madeTemplates.set(hasVirtualId, templates);
  return new Map(templates);
}

/** The known templates are the same for all bridges. */
const madeTemplates = new Map<boolean, ReadonlyMap<number, SwitchTemplate>>();

function makeTemplates(hasVirtualId: boolean): ReadonlyMap<number, SwitchTemplate> {
  const templates = new Map<number, SwitchTemplate>();
  for (const vlan of [0, 1]) {
    for (const network of [0, 1, 2]) {
      for (let transport = 0; transport < (network === 0 ? 1 : TRANSPORTS_OF_IP); transport += 1) {
        for (const tunnel of [0, 1]) {
          for (const egress of [0, 1]) {
            const id =
              TEMPLATE_ID_FIRST +
              egress * ID_OF.egress +
              tunnel * ID_OF.tunnel +
              transport * ID_OF.transport +
              network * ID_OF.network +
              vlan * ID_OF.vlan;
            const fields = fieldsOf({ vlan, network, transport, tunnel, egress, hasVirtualId });
            templates.set(id, templateOf(fields));
          }
        }
      }
    }
  }
  templates.set(OPTIONS_TEMPLATE_ID, templateOf(OPTIONS_FIELDS));
  return templates;
}

/** What the fields of a template depend on; `network` is 0, 1 for IPv4 or 2 for IPv6, and the other numbers are 0 or 1. */
interface TemplateFacts {
  readonly vlan: number;
  readonly network: number;
  readonly transport: number;
  readonly tunnel: number;
  readonly egress: number;
  readonly hasVirtualId: boolean;
}

function fieldsOf({ vlan, network, transport, tunnel, egress, hasVirtualId }: TemplateFacts): Field[] {
  const isIp = network !== 0;
  const transportPart =
    transport === Transport.none ? [] : transport === Transport.icmp ? (ICMP[network] ?? []) : PORTS;
  return [
    ...ETHERNET,
    ...INGRESS,
    ...(egress === 0 ? [] : EGRESS),
    ...(vlan === 0 ? [] : VLAN),
    ...(isIp ? [...IP, ...(ADDRESSES[network] ?? []), ...transportPart] : []),
    ...(tunnel === 0 ? [] : TUNNEL),
    ...(hasVirtualId ? VIRTUAL_ID : []),
    ...COUNTS,
    ...(isIp ? IP_COUNTS : []),
    ...(transport === Transport.tcp ? TCP_COUNTS : []),
  ];
}

function templateOf(fields: readonly Field[]): SwitchTemplate {
  const seen = new Set<number>();
  const words = fields.flatMap(([element, size]) => {
    const slot = SIZE_OF.get(element) === size ? (SLOT_OF.get(element) ?? NO_SLOT) : NO_SLOT;
    // The second name of a record is that of the egress interface.
    const isFirst = !seen.has(slot);
    seen.add(slot);
    return [isFirst ? slot : NO_SLOT, size];
  });
  return { program: Int32Array.from(words), isSample: seen.has(Slot.packets) };
}

/**
 * Reads the fields of a template record at `at`, of which there are `count`, `scopeCount` of them scope fields that options
 * templates begin with. Returns the template and where it ends; undefined if it exceeds `end`.
 */
export function readTemplate(
  bytes: Buffer,
  at: number,
  end: number,
  count: number,
): { readonly template: SwitchTemplate; readonly end: number } | undefined {
  const fields: Field[] = [];
  let next = at;
  for (let index = 0; index < count; index += 1) {
    if (end - next < 4) {
      return undefined;
    }
    let element = bytes.readUInt16BE(next);
    const size = bytes.readUInt16BE(next + 2);
    next += 4;
    if ((element & ENTERPRISE_BIT) !== 0) {
      if (end - next < 4) {
        return undefined;
      }
      const enterprise = bytes.readUInt32BE(next);
      element = (element & ~ENTERPRISE_BIT) + (enterprise === VMWARE_ENTERPRISE ? VMWARE : OTHER_ENTERPRISE);
      next += 4;
    }
    fields.push([element, size]);
  }
  return { template: templateOf(fields), end: next };
}

/** Returns whether two templates describe the same record, as far as it is read. */
export function isSameTemplate(a: SwitchTemplate, b: SwitchTemplate): boolean {
  return a.program.length === b.program.length && a.program.every((word, index) => word === b.program[index]);
}

/** Where the elements of one record are, overwritten by each record: a record allocates nothing. */
export class RecordOffsets {
  /** By slot: the offset of the element in the message, or -1 if the record does not have it. */
  readonly at = new Int32Array(SLOT_COUNT);
  /** By slot: the length of the element, in bytes. */
  readonly size = new Int32Array(SLOT_COUNT);

  /** Follows the template from `start`. Returns where the record ends; -1 if it exceeds `end`. */
  follow(template: SwitchTemplate, bytes: Uint8Array, start: number, end: number): number {
    const { at, size } = this;
    const { program } = template;
    at.fill(-1);
    let next = start;
    for (let index = 0; index < program.length; index += 2) {
      let length = program[index + 1]!;
      if (length === VARIABLE_LENGTH) {
        if (next >= end) {
          return -1;
        }
        length = bytes[next]!;
        next += 1;
        if (length === LONG_LENGTH) {
          if (end - next < 2) {
            return -1;
          }
          length = (bytes[next]! << 8) | bytes[next + 1]!;
          next += 2;
        }
      }
      if (end - next < length) {
        return -1;
      }
      const slot = program[index]!;
      if (slot >= 0) {
        at[slot] = next;
        size[slot] = length;
      }
      next += length;
    }
    return next;
  }
}
