// Values of records in words: TCP flags as letters, type and code of ICMP, and the interface with the direction.

/** Returns the value of an element of the record by its name, undefined without it. */
export type ValueOf = (name: string) => unknown;

/** Flags from the highest bit of the octet on: CWR, ECE, URG, ACK, PSH, RST, SYN and FIN (RFC 9293, section 3.1). */
const FLAG_LETTERS = 'CEUAPRSF';

const TCP = 6;

/**
 * Returns the TCP flags as letters, with a point for each that is not set: `...AP.SF`. Undefined without the element, and for
 * UDP and SCTP, whose records may have it as well.
 */
export function tcpFlagsText(valueOf: ValueOf): string | undefined {
  const bits = valueOf('tcpControlBits');
  if (typeof bits !== 'number' || (valueOf('protocolIdentifier') ?? TCP) !== TCP) {
    return undefined;
  }
  return FLAG_LETTERS.replace(/./gu, (letter, at: number) => ((bits & (0x80 >> at)) === 0 ? '.' : letter));
}

/** Types with their codes, where the code matters (IANA's registries "ICMP Parameters" and "ICMPv6 Parameters"). */
const ICMP_NAMES: ReadonlyMap<number, string> = new Map([
  [0, 'echo reply'],
  [3, 'unreachable'],
  [4, 'source quench'],
  [5, 'redirect'],
  [8, 'echo request'],
  [9, 'router advertisement'],
  [10, 'router solicitation'],
  [11, 'time exceeded'],
  [12, 'parameter problem'],
  [13, 'timestamp'],
  [14, 'timestamp reply'],
]);
const UNREACHABLE_NAMES: readonly string[] = [
  'net unreachable',
  'host unreachable',
  'protocol unreachable',
  'port unreachable',
  'fragmentation needed',
];
const ICMPV6_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'unreachable'],
  [2, 'packet too big'],
  [3, 'time exceeded'],
  [4, 'parameter problem'],
  [128, 'echo request'],
  [129, 'echo reply'],
  [130, 'listener query'],
  [131, 'listener report'],
  [132, 'listener done'],
  [133, 'router solicitation'],
  [134, 'router advertisement'],
  [135, 'neighbor solicitation'],
  [136, 'neighbor advertisement'],
  [137, 'redirect'],
  [143, 'listener report v2'],
]);
const UNREACHABLE_V6_NAMES: readonly string[] = [
  'no route',
  'prohibited',
  'beyond scope',
  'address unreachable',
  'port unreachable',
];
const ICMP_UNREACHABLE = 3;
const ICMPV6_UNREACHABLE = 1;

/** Returns type and code of ICMP or ICMPv6 in words, as numbers where they have no name. Undefined without the element. */
export function icmpText(valueOf: ValueOf): string | undefined {
  const v4 = valueOf('icmpTypeCodeIPv4');
  const v6 = valueOf('icmpTypeCodeIPv6');
  if (typeof v4 === 'number') {
    return typeCodeText(v4, ICMP_NAMES, ICMP_UNREACHABLE, UNREACHABLE_NAMES);
  }
  return typeof v6 === 'number'
    ? typeCodeText(v6, ICMPV6_NAMES, ICMPV6_UNREACHABLE, UNREACHABLE_V6_NAMES)
    : undefined;
}

function typeCodeText(
  typeCode: number,
  names: ReadonlyMap<number, string>,
  unreachable: number,
  unreachableNames: readonly string[],
): string {
  const type = typeCode >> 8;
  const code = typeCode & 0xff;
  const name = (type === unreachable ? unreachableNames[code] : undefined) ?? names.get(type);
  if (name === undefined) {
    return `type ${type} code ${code}`;
  }
  return code === 0 || (type === unreachable && unreachableNames[code] !== undefined)
    ? name
    : `${name} code ${code}`;
}

/** Values of flowDirection (element 61). */
const DIRECTIONS: ReadonlyMap<unknown, string> = new Map([
  [0, 'ingress'],
  [1, 'egress'],
]);

/** Returns flowDirection in words. Undefined without the element. */
export function directionText(valueOf: ValueOf): string | undefined {
  return DIRECTIONS.get(valueOf('flowDirection'));
}

/** Returns the names of the ingress interface that record-rows.ts has added, and of what is attached: `tap0 (web-1)`. */
export function interfaceLabel(valueOf: ValueOf): string | undefined {
  const name = valueOf('interfaceName');
  const attached = valueOf('interfaceDescription');
  if (typeof name !== 'string') {
    return undefined;
  }
  return typeof attached === 'string' ? `${name} (${attached})` : name;
}

/** Returns the interfaces and the direction: `in 5 out 7 egress`. Undefined without the elements. */
export function interfaceText(valueOf: ValueOf): string | undefined {
  const ingress = valueOf('ingressInterface');
  const egress = valueOf('egressInterface');
  const direction = directionText(valueOf);
  const words = [
    ...(typeof ingress === 'number' && ingress !== 0 ? [`in ${ingress}`] : []),
    ...(typeof egress === 'number' && egress !== 0 ? [`out ${egress}`] : []),
    ...(direction === undefined ? [] : [direction]),
  ];
  return words.length === 0 ? undefined : words.join(' ');
}
