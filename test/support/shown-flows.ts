// What nfdump, nfacctd and tshark show of a flow in the format `extended`, against the truth: times to the millisecond, packets,
// bytes, ports, interface, TCP flags, type and code of ICMP, VLAN.

import assert from 'node:assert/strict';
import { type Flow, IFINDEX } from './extended-flows.ts';

const FLAG_LETTERS = 'CEUAPRSF';

const lettersOf = (flags: number): string =>
  FLAG_LETTERS.split('')
    .map((letter, index) => ((flags & (0x80 >> index)) === 0 ? '.' : letter))
    .join('');

/** A flow as a collector shows it. */
export type Shown = Readonly<Record<string, string | number>>;

/** What is true of a flow beside its frames. */
export interface Truth {
  /** Times in UTC with milliseconds, as `2026-11-29T00:06:48.175`. */
  readonly start: string;
  readonly end: string;
  readonly packets: number;
  readonly octets: number;
}

export function assertNfdump(flow: Flow, truth: Truth, flows: readonly Shown[]): void {
  const { start: first, end: last, packets, octets } = truth;
  const [found, ...others] = flows.filter(
    (each) =>
      (each['proto'] ?? 0) === (flow.protocol ?? 0) &&
      (each['src_port'] ?? 0) === (flow.ports?.[0] ?? 0) &&
      (flow.icmp === undefined || `${each['icmp_type']}/${each['icmp_code']}` === flow.icmp.join('/')),
  );
  assert.deepEqual(others, []);
  const expected: Shown = {
    first,
    last,
    in_packets: packets,
    in_bytes: octets,
    input_snmp: IFINDEX + 1,
    output_snmp: 0,
    direction: 0,
    in_src_mac: '02:00:00:00:00:01',
    ...(flow.ports && { dst_port: flow.ports[1], tcp_flags: lettersOf(flow.flags ?? 0) }),
    ...(flow.vlan === undefined ? {} : { src_vlan: flow.vlan }),
  };
  const seen = Object.fromEntries(Object.keys(expected).map((key) => [key, found?.[key]]));
  assert.deepEqual(seen, expected, 'nfdump');
}

/** nfacctd has no primitive for ICMP: both kinds of ICMP are rows without ports, and told apart by bytes. */
export function assertNfacctd(flow: Flow, truth: Truth, flows: readonly Shown[]): void {
  const time = (text: string) => `${text.replace('T', ' ')}000`;
  const names: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'ipv6-icmp' };
  // pmacct 1.7.7 calls the VLAN `vlan`, 1.7.8 `vlan_in`.
  const vlan = flows.some((each) => each['vlan_in'] !== undefined) ? 'vlan_in' : 'vlan';
  const expected: Shown = {
    [vlan]: flow.vlan ?? 0,
    iface_in: IFINDEX + 1,
    iface_out: 0,
    port_src: flow.ports?.[0] ?? 0,
    port_dst: flow.ports?.[1] ?? 0,
    tcp_flags: String(flow.flags ?? 0),
    ip_proto: names[flow.protocol ?? 0] ?? '',
    timestamp_start: time(truth.start),
    timestamp_end: time(truth.end),
    packets: truth.packets,
    bytes: truth.octets,
  };
  const found = flows.filter((each) => Object.entries(expected).every(([key, value]) => each[key] === value));
  assert.equal(
    found.length,
    1,
    `nfacctd: ${JSON.stringify(expected)}\n${flows.map((each) => JSON.stringify(each)).join('\n')}`,
  );
}

/**
 * A time of {@link Truth} as tshark 4.0 shows it, with nanoseconds: `Dec  1, 2026 02:28:35.479000000 UTC`. The day of the month is
 * filled up with a space.
 */
export function tsharkTime(time: string): string {
  const [date = '', timeOfDay = ''] = time.split('T');
  const [year = '', month, day] = date.split('-');
  const name = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')[Number(month) - 1];
  return `${name} ${String(Number(day)).padStart(2)}, ${year} ${timeOfDay}000000 UTC`;
}

export function assertTshark(flow: Flow, truth: Truth, flows: readonly string[]): void {
  const patterns = [
    new RegExp(`^\\s+Packets: ${truth.packets}$`, 'mu'),
    new RegExp(`^\\s+Octets: ${truth.octets}$`, 'mu'),
    new RegExp(`^\\s+InputInt: ${IFINDEX + 1}$`, 'mu'),
    new RegExp(`^\\s+StartTime: ${tsharkTime(truth.start)}$`, 'mu'),
    new RegExp(`^\\s+EndTime: ${tsharkTime(truth.end)}$`, 'mu'),
    ...(flow.ports === undefined ? [] : [new RegExp(`^\\s+SrcPort: ${flow.ports[0]}\\b`, 'mu')]),
    ...(flow.flags === undefined
      ? []
      : [new RegExp(`^\\s+TCP Flags: 0x${flow.flags.toString(16).padStart(2, '0')}`, 'mu')]),
    ...icmpPatterns(flow),
    ...(flow.vlan === undefined ? [] : [new RegExp(`^\\s+Vlan Id: ${flow.vlan}$`, 'mu')]),
  ];
  const found = flows.filter((text) => patterns.every((pattern) => pattern.test(text)));
  assert.equal(found.length, 1, `tshark, ${flow.name}:\n${patterns.join('\n')}\n${flows.join('\n')}`);
}

/** tshark shows element 32 as one number and 139 as two. */
function icmpPatterns({ icmp: typeAndCode, protocol }: Flow): readonly RegExp[] {
  if (typeAndCode === undefined) {
    return [];
  }
  const [type, code] = typeAndCode;
  return protocol === 1
    ? [new RegExp(`^\\s+ICMP Type: 0x${(type * 256 + code).toString(16).padStart(4, '0')}$`, 'mu')]
    : [new RegExp(`^\\s+IPv6 ICMP Type: ${type}$`, 'mu'), new RegExp(`^\\s+IPv6 ICMP Code: ${code}$`, 'mu')];
}
