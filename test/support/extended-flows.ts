// Flows of each kind that the format `extended` treats in its own way, as frames to inject, with the truth about them.

import assert from 'node:assert/strict';
import type { FlowRecord } from './flow-records.ts';
import { arp, ethernet, icmp, icmpv6, ipv4, ipv6, tcp, udp } from './frames.ts';

const IPV4 = { source: '10.0.0.1', destination: '10.0.0.2' };
const IPV6 = { source: 'fd00::1', destination: 'fd00::2' };
/** Of the port of the bridge that exports `original`; the next one is that of `extended`. */
export const IFINDEX = 77;

/** The truth about one flow: what was injected. */
export interface Flow {
  readonly name: string;
  readonly frames: readonly Buffer[];
  readonly templates: { readonly original: number; readonly extended: number };
  /** The octets of all packets as their IP headers say them. */
  readonly octets: number;
  readonly protocol?: number;
  readonly ports?: readonly [number, number];
  readonly flags?: number;
  readonly icmp?: readonly [type: number, code: number];
  readonly vlan?: number;
}

const tcpSegment = (flags: number, data: number) =>
  tcp({ source: 33_000, destination: 80, flags }, Buffer.alloc(data));

export const FLOWS: readonly Flow[] = [
  {
    name: 'TCP',
    frames: [tcpSegment(0x02, 0), tcpSegment(0x18, 500), tcpSegment(0x11, 0)].map((segment) =>
      ethernet({}, ipv4(IPV4, segment)),
    ),
    templates: { original: 259, extended: 517 },
    octets: 40 + 540 + 40,
    protocol: 6,
    ports: [33_000, 80],
    flags: 0x1b,
  },
  {
    name: 'UDP',
    frames: [1, 2].map((size) =>
      Buffer.concat([
        ethernet({}, ipv4(IPV4, udp({ source: 1000, destination: 53 }, Buffer.alloc(size)))),
        // The padding of a short frame is not in the octets.
        Buffer.alloc(18 - size),
      ]),
    ),
    templates: { original: 259, extended: 517 },
    octets: 29 + 30,
    protocol: 17,
    ports: [1000, 53],
    flags: 0,
  },
  {
    name: 'echo requests',
    frames: [1, 2].map(() => ethernet({}, ipv4(IPV4, icmp({ type: 8 })))),
    templates: { original: 258, extended: 518 },
    octets: 56,
    protocol: 1,
    icmp: [8, 0],
  },
  {
    name: 'unreachable port',
    frames: [ethernet({}, ipv4(IPV4, icmp({ type: 3, code: 3 })))],
    templates: { original: 258, extended: 518 },
    octets: 28,
    protocol: 1,
    icmp: [3, 3],
  },
  {
    name: 'neighbor solicitation',
    frames: [ethernet({}, ipv6(IPV6, icmpv6({ type: 135 })))],
    templates: { original: 260, extended: 522 },
    octets: 48,
    protocol: 58,
    icmp: [135, 0],
  },
  {
    name: 'TCP with a tag',
    frames: [
      ethernet(
        { vlans: [{ id: 100, priority: 5 }] },
        ipv4(IPV4, tcp({ source: 9, destination: 22, flags: 0x04 })),
      ),
    ],
    templates: { original: 265, extended: 529 },
    octets: 40,
    protocol: 6,
    ports: [9, 22],
    flags: 0x04,
    vlan: 100,
  },
  {
    name: 'ARP',
    frames: [ethernet({}, arp({ senderIp: '10.0.0.1', targetIp: '10.0.0.2' }))],
    templates: { original: 256, extended: 512 },
    octets: 28,
  },
];
export const PACKETS = FLOWS.reduce((sum, { frames }) => sum + frames.length, 0);
/** In `original` the two kinds of ICMP are one flow. */
export const ORIGINAL_RECORDS = FLOWS.length - 1;
/** Finds the record of a flow among those of the extended format. */
export function recordOf(flow: Flow, records: readonly FlowRecord[]): FlowRecord {
  const found = records.filter(
    ({ templateId, fields }) =>
      templateId === flow.templates.extended &&
      (flow.ports === undefined || fields['sourceTransportPort'] === flow.ports[0]) &&
      (flow.icmp === undefined || typeAndCode(fields) === flow.icmp.join('/')),
  );
  assert.equal(found.length, 1, flow.name);
  return found[0]!;
}

function typeAndCode(fields: FlowRecord['fields']): string {
  const both = Number(fields['icmpTypeCodeIPv4'] ?? fields['icmpTypeCodeIPv6']);
  return `${both >> 8}/${both & 0xff}`;
}
