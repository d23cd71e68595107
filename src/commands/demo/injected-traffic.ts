// Traffic for a switch without real interfaces: frames of imaginary VMs, injected into dummy ports with ovs-appctl. Needs no
// root, and the sent frames are known exactly.

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
import type { Traffic, TrafficParts } from './traffic.ts';
import { CLIENT, CONVERSATIONS, type Conversation, levelAt, portArguments, type Vm, WEB } from './vms.ts';

const VLAN_ID = 7;
/** Ports of the clients, the same for the whole demo, as of connections that stay. */
const CLIENT_PORT = 40_000;
const LAST_PORT = 53_000;
/** Segments and datagrams of a conversation in a second at most. */
const SEGMENTS_MAX = 20;
const DATAGRAMS_MAX = 10;
const ECHO_COUNT = 5;
/** Characters of a command that are shown, because frames are long. */
const SHOWN_HEX_LENGTH = 24;

/** One frame with its sender. */
interface Sending {
  readonly port: string;
  readonly kind: string;
  readonly frame: Buffer;
}

type Direction = 'there' | 'back';

/** See the head of the file. */
export class InjectedTraffic implements Traffic {
  readonly switchOptions = { datapath: 'dummy' } as const;
  readonly portArguments = portArguments(['type=dummy']);
  readonly #sent: Counts = new Map();
  #isExplained = false;

  begin(): Promise<void> {
    return Promise.resolve();
  }

  async round(parts: TrafficParts): Promise<void> {
    for (const frames of allKinds(CLIENT_PORT)) {
      await this.#send(parts, frames);
    }
  }

  async go(parts: TrafficParts, seconds: number): Promise<void> {
    const frames = CONVERSATIONS.flatMap((conversation, index) =>
      secondOf(conversation, CLIENT_PORT + 1 + index, seconds),
    );
    // Few commands: one for each port.
    await this.#send(
      parts,
      frames.sort((a, b) => a.port.localeCompare(b.port)),
    );
  }

  async finish(parts: TrafficParts): Promise<void> {
    await this.#send(parts, datagrams(LAST_PORT));
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
      const port = sendings[at]?.port ?? '';
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

function hostOf({ number }: Vm): Host {
  const last = number.toString(16).padStart(2, '0');
  return { mac: `0200000000${last}`, ipv4: `0a0000${last}`, ipv6: `fd${'00'.repeat(14)}${last}` };
}

/** Returns the frames of a round. */
function allKinds(port: number): readonly (readonly Sending[])[] {
  const [client, web] = [hostOf(CLIENT), hostOf(WEB)];
  return [
    [
      { port: CLIENT.port, kind: 'ARP', frame: arpFrame(client, web, 1) },
      { port: WEB.port, kind: 'ARP', frame: arpFrame(web, client, 2) },
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
  const [from, to] = direction === 'there' ? [CLIENT, WEB] : [WEB, CLIENT];
  const [source, destination] = [hostOf(from), hostOf(to)];
  const frame =
    ipVersion === 4
      ? ipv4Frame(source, destination, payload, vlanId)
      : ipv6Frame(source, destination, payload);
  return { port: from.port, kind: vlanId === undefined ? kind : 'VLAN-tagged', frame };
}

/** Returns the frames of one second of a conversation: a request and, depending on the time, few or many packets back. */
function secondOf(
  { from, to, protocol, port, period }: Conversation,
  clientPort: number,
  seconds: number,
): Sending[] {
  const level = levelAt(seconds, period);
  const count = 1 + Math.round((protocol === 'tcp' ? SEGMENTS_MAX : DATAGRAMS_MAX) * level);
  const kind = `${protocol.toUpperCase()} over IPv4`;
  const packet = (sourcePort: number, destinationPort: number, dataSize: number): Payload =>
    protocol === 'udp'
      ? udp(sourcePort, destinationPort, dataSize)
      : tcp({ sourcePort, destinationPort, sequence: 1, acknowledgement: 1, flags: TCP_FLAGS.ack, dataSize });
  const [client, server] = [hostOf(from), hostOf(to)];
  const request = ipv4Frame(client, server, packet(clientPort, port, 60));
  const answer = ipv4Frame(server, client, packet(port, clientPort, protocol === 'tcp' ? 1400 : 180));
  return Array.from({ length: count }, () => [
    { port: from.port, kind, frame: request },
    { port: to.port, kind, frame: answer },
  ]).flat();
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
