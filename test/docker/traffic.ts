// Compares what the hosts' kernels have sent with what the collector has counted.

import { isDeepStrictEqual } from 'node:util';
import { waitFor, waitUntilQuiet } from '../support/wait.ts';
import { appctl, inside, PAGE } from './compose.ts';

/** A line of the collector's table. */
interface CollectedPair {
  readonly vlan: number;
  readonly ip_src: string;
  readonly ip_dst: string;
  readonly ip_proto: string;
  readonly packets: number;
}

/** Packets by kind of traffic. */
export type PacketsByKind = Readonly<Record<string, number>>;

const between = (proto: string, vlan: number, host?: string) => (pair: CollectedPair) =>
  pair.ip_proto === proto &&
  pair.vlan === vlan &&
  (host === undefined || pair.ip_src === host || pair.ip_dst === host);

/** The kinds of traffic that `demo-hosts sent` counts, as pairs of the collector. */
const KINDS: Readonly<Record<string, readonly ((pair: CollectedPair) => boolean)[]>> = {
  ping: [between('icmp', 0, '10.47.0.2')],
  icmpv6: [between('ipv6-icmp', 0)],
  // The control connection of the test over IPv6 is TCP as well.
  iperf3: [between('tcp', 0, '10.47.0.2'), between('tcp', 0, 'fd47::2')],
  'iperf3-udp-ipv6': [between('udp', 0, 'fd47::2')],
  http: [between('tcp', 0, '10.47.0.3'), between('tcp', 0, 'fd47::3')],
  dns: [between('udp', 0, '10.47.0.4')],
  'vlan-ping': [between('icmp', 10, '10.47.10.2')],
  'vlan-http': [between('tcp', 10, '10.47.10.2')],
};

/** Returns the packets that the hosts' kernels have sent since the hosts were made. */
export async function sent(): Promise<PacketsByKind> {
  const lines = (await inside('hosts', 'demo-hosts', 'sent')).trim().split('\n');
  return Object.fromEntries(lines.map((line) => [line.split(' ')[0]!, Number(line.split(' ')[1])]));
}

/** Returns the packets that the collector has counted since its start. */
export async function collected(): Promise<PacketsByKind> {
  const lines = (await inside('collector', 'flows', '-O', 'json')).trim().split('\n');
  const pairs = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as CollectedPair);
  return Object.fromEntries(
    Object.entries(KINDS).map(([kind, ways]) => [
      kind,
      pairs.filter((pair) => ways.some((is) => is(pair))).reduce((sum, { packets }) => sum + packets, 0),
    ]),
  );
}

/** Sends one round of all kinds of traffic. */
export async function round(): Promise<void> {
  await inside('hosts', 'demo-hosts', 'round', '10');
}

/** Returns how many packet-ins the switch has dropped; a round with dropped packet-ins cannot be compared. */
async function notHandedOver(): Promise<number> {
  const document = (await (await fetch(`${PAGE}/status.json`)).json()) as StatusPart;
  const bridge = document.bridges?.find((each) => each.bridge === 'br0');
  const sampler = bridge?.sampling?.sampler;
  if (sampler === undefined) {
    throw new Error('The status has no sampler of br0.');
  }
  return sampler.lost + sampler.droppedByMeter;
}

interface StatusPart {
  readonly bridges?: readonly {
    readonly bridge: string;
    readonly sampling?: { readonly sampler: { readonly lost: number; readonly droppedByMeter: number } };
  }[];
}

/**
 * Sends a round of traffic, and waits until the collector has counted exactly what the hosts have sent in it. A round in
 * which the switch has lost packet-ins is repeated; gives the number of rounds back.
 */
export async function compareRound(): Promise<{ rounds: number; packets: PacketsByKind }> {
  for (let rounds = 1; rounds <= 5; rounds += 1) {
    const before = await baseline();
    const missedBefore = await notHandedOver();
    await round();
    let packets: PacketsByKind = {};
    const compared = waitFor(
      async () => {
        await appctl('flush');
        const wanted = difference(await sent(), before.sent);
        packets = difference(await collected(), before.collected);
        if (isDeepStrictEqual(wanted, packets)) {
          return true;
        }
        throw new Error(`sent ${JSON.stringify(wanted)}, collected ${JSON.stringify(packets)}`);
      },
      { what: 'the collector has counted what the hosts have sent', timeoutMs: 20_000, intervalMs: 500 },
    );
    const failure = await compared.then(
      () => undefined,
      (error: Error) => error,
    );
    if (failure === undefined) {
      return { rounds, packets };
    }
    // The switch's counter is read once a second.
    if ((await notHandedOver()) === missedBefore) {
      throw failure;
    }
  }
  throw new Error('The switch has lost packet-ins in five rounds of traffic, so none could be compared.');
}

/** Returns both counts when no packet is in transit. */
async function baseline(): Promise<{ sent: PacketsByKind; collected: PacketsByKind }> {
  const look = async () => {
    await appctl('flush');
    return JSON.stringify({ sent: await sent(), collected: await collected() });
  };
  const what = 'hosts and collector are quiet';
  return JSON.parse(await waitUntilQuiet(look, { what, quietMs: 2500, timeoutMs: 60_000, intervalMs: 500 }));
}

function difference(now: PacketsByKind, before: PacketsByKind): PacketsByKind {
  return Object.fromEntries(Object.entries(now).map(([kind, count]) => [kind, count - (before[kind] ?? 0)]));
}
