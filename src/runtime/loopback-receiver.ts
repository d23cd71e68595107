// A UDP socket on 127.0.0.1 that receives from one sender: the program of a known user, here ovs-vswitchd. The kernel's table of
// sockets says whose socket a sender is. Once the sender is known the socket is connected to it, so that the kernel drops what
// others send; datagrams that were queued before are checked one by one.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type Clock, systemClock } from './clock.ts';
import { codeOf } from './error-code.ts';
import { socketGate } from './socket-gate.ts';
import { type UdpPeer, UdpPeerTable } from './udp-peers.ts';

/** What a receiver depends on. */
export interface LoopbackReceiverOptions {
  /** Called for each datagram of the sender. */
  readonly onDatagram: (bytes: Buffer, size: number) => void;
  /** Returns whether a user's sockets may send. */
  readonly isTrusted: (userId: number) => boolean;
  /** Called before the first datagram of a sender with another socket than the last one, unless `expectOther` was called. */
  readonly onOtherSender?: () => void;
  /** The table of sockets, which receivers may share. Default: one of its own. */
  readonly peers?: UdpPeerTable;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** The state of a receiver, for operators. */
export interface LoopbackReceiverStatus {
  /** Datagrams of the sender. */
  readonly received: number;
  /** Datagrams of others, as far as the kernel did not drop them. */
  readonly refused: number;
  /** Errors of the socket, and of look-ups of a sender. */
  readonly errors: number;
  /** The port of the sender; undefined as long as none is known. */
  readonly senderPort: number | undefined;
  /** The receive buffer that the kernel granted, in bytes; it counts its own overhead as well. */
  readonly receiveBufferBytes: number;
}

const HOST = '127.0.0.1';
/** Ports that are tried. */
const BIND_ATTEMPTS_MAX = 10;
/** The receive buffer that is asked for; the kernel grants at most `net.core.rmem_max`, doubled. */
export const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;
/** Milliseconds between two readings of the table of sockets for datagrams of unknown senders. */
export const SENDER_LOOKUP_MS = 100;
const NO_PORTS: ReadonlySet<number> = new Set();

export class LoopbackReceiver {
  readonly #onDatagram: LoopbackReceiverOptions['onDatagram'];
  readonly #isTrusted: (userId: number) => boolean;
  readonly #onOtherSender: () => void;
  readonly #clock: Clock;
  readonly #peers: UdpPeerTable;
  #socket: Socket | undefined;
  #port: number | undefined;
  #received = 0;
  #refused = 0;
  #errors = 0;
  #receiveBufferBytes = 0;
  #senderPort: number | undefined;
  /** The port of the last sender; undefined before the first, and when another socket is expected. */
  #lastPort: number | undefined;
  /** The port that the socket is connected to; undefined while it is open to all, or is being connected. */
  #connectedPort: number | undefined;
  #isConnecting = false;
  #isStopped = false;
  /** The ports of trusted senders, as the table of sockets had them when it was last read. */
  #trustedPorts: ReadonlySet<number> = NO_PORTS;
  /** The table is not read again before this time. */
  #nextLookupMs = Number.NEGATIVE_INFINITY;

  constructor({ onDatagram, isTrusted, onOtherSender, clock, peers }: LoopbackReceiverOptions) {
    this.#onDatagram = onDatagram;
    this.#isTrusted = isTrusted;
    this.#onOtherSender = onOtherSender ?? ignore;
    this.#clock = clock ?? systemClock;
    this.#peers = peers ?? new UdpPeerTable();
  }

  /** Opens the socket on a free port. Rejects with an error of the system. */
  async start(): Promise<void> {
    await socketGate.pass();
    const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
    socket.on('message', (bytes, { port }) => this.#receive(bytes, port));
    await bind(socket);
    if (this.#isStopped) {
      socket.close();
      return;
    }
    // Before, the system does not know its port.
    this.#socket = socket;
    this.#port = socket.address().port;
    this.#receiveBufferBytes = socket.getRecvBufferSize();
    socket.on('error', () => {
      // The socket sends nothing, so it has no errors of its own; it goes on receiving.
      this.#errors += 1;
    });
  }

  /** The port on 127.0.0.1; undefined unless the socket is open. */
  get port(): number | undefined {
    return this.#port;
  }

  /** The port of the sender; undefined as long as none is known. */
  get senderPort(): number | undefined {
    return this.#senderPort;
  }

  /** Forgets the sender, so that the next datagram of a trusted user's socket is accepted: ovs-vswitchd may have a new socket. */
  reset(): void {
    this.#senderPort = undefined;
    this.#trustedPorts = NO_PORTS;
    this.#nextLookupMs = Number.NEGATIVE_INFINITY;
    if (this.#connectedPort !== undefined) {
      this.#connectedPort = undefined;
      this.#socket?.disconnect();
    }
  }

  /** Forgets the sender, which will have another socket: the address that it sends to is to be set anew. */
  expectOther(): void {
    this.reset();
    this.#lastPort = undefined;
  }

  /** Closes the socket. */
  async stop(): Promise<void> {
    const socket = this.#socket;
    this.#isStopped = true;
    this.#socket = undefined;
    this.#port = undefined;
    if (socket !== undefined) {
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    }
  }

  status(): LoopbackReceiverStatus {
    return {
      received: this.#received,
      refused: this.#refused,
      errors: this.#errors,
      senderPort: this.#senderPort,
      receiveBufferBytes: this.#socket === undefined ? 0 : this.#receiveBufferBytes,
    };
  }

  #receive(bytes: Buffer, port: number): void {
    if (port !== this.#senderPort && !this.#accept(port)) {
      this.#refused += 1;
      return;
    }
    this.#received += 1;
    this.#onDatagram(bytes, bytes.length);
  }

  /**
   * Returns whether the port is that of a trusted sender, which is then the only one. What others send does not delay it: a
   * reading of the table finds all trusted senders, whoever's datagram led to it.
   */
  #accept(port: number): boolean {
    if (this.#senderPort !== undefined) {
      return false;
    }
    const nowMs = this.#clock.monotonicMicros() / 1000;
    if (nowMs >= this.#nextLookupMs) {
      this.#nextLookupMs = nowMs + SENDER_LOOKUP_MS;
      this.#trustedPorts = this.#findTrusted(port, nowMs);
    }
    if (!this.#trustedPorts.has(port)) {
      return false;
    }
    this.#senderPort = port;
    if (this.#lastPort !== undefined && this.#lastPort !== port) {
      this.#onOtherSender();
    }
    this.#lastPort = port;
    this.#connect(port);
    return true;
  }

  /** Returns the ports of trusted senders; reads the table unless `port` is known to be among them. */
  #findTrusted(port: number, nowMs: number): ReadonlySet<number> {
    const own = this.port;
    if (own === undefined) {
      return NO_PORTS;
    }
    try {
      const known = this.#trustedOf(this.#peers.recentPeersOf(own, nowMs, SENDER_LOOKUP_MS));
      return known.has(port) ? known : this.#trustedOf(this.#peers.peersOf(own, nowMs));
    } catch {
      // The table cannot be read, as without a free file descriptor: the sender is unknown until the next look-up.
      this.#errors += 1;
      return NO_PORTS;
    }
  }

  #trustedOf(peers: readonly UdpPeer[]): ReadonlySet<number> {
    return new Set(peers.filter(({ userId }) => this.#isTrusted(userId)).map((peer) => peer.port));
  }

  /** Connects the socket to its sender; until that is done, datagrams are checked one by one. */
  #connect(port: number): void {
    const socket = this.#socket;
    if (socket === undefined || this.#isConnecting) {
      return;
    }
    this.#isConnecting = true;
    socket.connect(port, HOST, (error?: Error) => {
      this.#isConnecting = false;
      if (error !== undefined || this.#socket !== socket) {
        return;
      }
      if (this.#senderPort === port) {
        this.#connectedPort = port;
        return;
      }
      // The sender was forgotten meanwhile, and there may be another one.
      socket.disconnect();
      if (this.#senderPort !== undefined) {
        this.#connect(this.#senderPort);
      }
    });
  }
}

/**
 * Binds a socket to a free port, by its number: Linux takes the port away from a socket that was bound to any port when it is
 * disconnected. Rejects if other sockets take each of the ports that were free.
 */
async function bind(socket: Socket): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      socket.bind(port, HOST);
      await once(socket, 'listening');
      return;
    } catch (error) {
      if (attempt === BIND_ATTEMPTS_MAX || codeOf(error) !== 'EADDRINUSE') {
        throw error;
      }
    }
  }
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, HOST);
  await once(socket, 'listening');
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

function ignore(): void {
  // The caller does not tell senders apart.
}
