// Traffic for a switch without real interfaces: frames of two imaginary hosts, injected into dummy ports with ovs-appctl. Needs
// no root, and the sent frames are known exactly.

import {
  arpFrame,
  echo,
  type Host,
  ipv4Frame,
  ipv6Frame,
  type Payload,
  TCP_FLAGS,
  tcp,
  udp,
} from './frames.ts';
import { addCount, type Counts } from './kinds.ts';
import { commandText, paragraph } from './text.ts';
import { BRIDGE, type Traffic, type TrafficParts } from './traffic.ts';

const PORTS = ['p1', 'p2'] as const;
const ALICE: Host = {
  mac: '02000000000a',
  ipv4: '0a00000a',
  ipv6: 'fd00000000000000000000000000000a',
};
const BOB: Host = {
  mac: '02000000000b',
  ipv4: '0a00000b',
  ipv6: 'fd00000000000000000000000000000b',
};
const VLAN_ID = 7;
const ECHO_COUNT = 5;
/** Characters of a command that are shown, because frames are long. */
const SHOWN_HEX_LENGTH = 24;

/** One frame with its sender. */
interface Sending {
  readonly port: (typeof PORTS)[number];
  readonly kind: string;
  readonly frame: Buffer;
}

type Direction = 'there' | 'back';

/** See the head of the file. */
export class InjectedTraffic implements Traffic {
  readonly switchOptions = { datapath: 'dummy' } as const;
  readonly portArguments = PORTS.flatMap((port) =>
    `-- add-port ${BRIDGE} ${port} -- set Interface ${port} type=dummy`.split(' '),
  );
  readonly #sent: Counts = new Map();
  #isExplained = false;

  begin(): Promise<void> {
    return Promise.resolve();
  }

  async round(parts: TrafficParts, number: number): Promise<void> {
    for (const frames of conversations(number)) {
      await this.#send(parts, frames);
    }
  }

  async finish(parts: TrafficParts): Promise<void> {
    await this.#send(parts, datagrams(53_000));
  }

  sent(): Counts {
    return this.#sent;
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  /** Injects frames in order; consecutive frames of one port share a command. */
  async #send({ ovs, write }: TrafficParts, sendings: readonly Sending[]): Promise<void> {
    for (let at = 0; at < sendings.length; ) {
      const port = sendings[at]?.port ?? PORTS[0];
      const end = sendings.findIndex((sending, index) => index > at && sending.port !== port);
      const group = sendings.slice(at, end === -1 ? sendings.length : end);
      const words = group.map(({ frame }) => frame.toString('hex'));
      if (!this.#isExplained) {
        this.#isExplained = true;
        write(paragraph('Frames are injected into the ports in hex, with commands such as:'));
        const shown = `${words[0]?.slice(0, SHOWN_HEX_LENGTH)}...`;
        write(commandText(['ovs-appctl', 'netdev-dummy/receive', port, shown]));
      }
      await ovs.run(['ovs-appctl', 'netdev-dummy/receive', port, ...words]);
      for (const { kind, frame } of group) {
        addCount(this.#sent, kind, 1, frame.length);
      }
      at += group.length;
    }
  }
}

/** Returns the frames of a round; `number` changes the ports, so that each round has its own flows. */
function conversations(number: number): readonly (readonly Sending[])[] {
  const port = 40_000 + (number % 10_000);
  return [
    [
      { port: 'p1', kind: 'ARP', frame: arpFrame(ALICE, BOB, 1) },
      { port: 'p2', kind: 'ARP', frame: arpFrame(BOB, ALICE, 2) },
    ],
    echoes(4),
    echoes(6),
    echoes(4, VLAN_ID),
    datagrams(port),
    session(4, port),
    session(6, port),
  ];
}

function frameOf(
  direction: Direction,
  ipVersion: 4 | 6,
  kind: string,
  payload: Payload,
  vlanId?: number,
): Sending {
  const [from, to] = direction === 'there' ? [ALICE, BOB] : [BOB, ALICE];
  const frame = ipVersion === 4 ? ipv4Frame(from, to, payload, vlanId) : ipv6Frame(from, to, payload);
  const port = direction === 'there' ? 'p1' : 'p2';
  return { port, kind: vlanId === undefined ? kind : 'VLAN-tagged', frame };
}

function echoes(ipVersion: 4 | 6, vlanId?: number): Sending[] {
  const kind = ipVersion === 4 ? 'ICMP' : 'ICMPv6';
  return Array.from({ length: ECHO_COUNT }, (_, index) => [
    frameOf('there', ipVersion, kind, echo(ipVersion, 'request', index), vlanId),
    frameOf('back', ipVersion, kind, echo(ipVersion, 'reply', index), vlanId),
  ]).flat();
}

/** Three questions and answers, as to a name server, over both versions of IP. */
function datagrams(port: number): Sending[] {
  return ([4, 6] as const).flatMap((ipVersion) => {
    const kind = `UDP over IPv${ipVersion}`;
    return [30, 40, 50].flatMap((size) => [
      frameOf('there', ipVersion, kind, udp(port, 53, size)),
      frameOf('back', ipVersion, kind, udp(53, port, 3 * size)),
    ]);
  });
}

/** A TCP connection: opened, a request and a response of three segments, closed. */
function session(ipVersion: 4 | 6, port: number): Sending[] {
  const kind = `TCP over IPv${ipVersion}`;
  const { fin, syn, push, ack } = TCP_FLAGS;
  const script: readonly (readonly [Direction, flags: number, dataSize: number])[] = [
    ['there', syn, 0],
    ['back', syn | ack, 0],
    ['there', ack, 0],
    ['there', push | ack, 120],
    ['back', ack, 1400],
    ['back', ack, 1400],
    ['back', push | ack, 300],
    ['there', ack, 0],
    ['there', fin | ack, 0],
    ['back', fin | ack, 0],
    ['there', ack, 0],
  ];
  const next = { there: 1000, back: 5000 };
  return script.map(([direction, flags, dataSize]) => {
    const segment = {
      sourcePort: direction === 'there' ? port : 80,
      destinationPort: direction === 'there' ? 80 : port,
      sequence: next[direction],
      acknowledgement: (flags & ack) === 0 ? 0 : next[direction === 'there' ? 'back' : 'there'],
      flags,
      dataSize,
    };
    next[direction] += dataSize + ((flags & (syn | fin)) === 0 ? 0 : 1);
    return frameOf(direction, ipVersion, kind, tcp(segment));
  });
}
