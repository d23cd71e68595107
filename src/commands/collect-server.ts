// The sockets of `ovs-ipfix collect`: UDP and TCP on one port. Splits TCP streams into messages and identifies sessions; does
// not decode messages.

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket as TcpSocket } from 'node:net';
import { StreamFramer } from '../ipfix/stream-framer.ts';
import { addressText } from '../runtime/address-text.ts';
import { type ListenAddress } from '../runtime/listen-address.ts';
import { reasonOf } from '../runtime/sentence.ts';

/** One exporter's transport session (RFC 7011, section 2). */
export interface CollectSession {
  /** Unique among the open sessions. */
  readonly key: string;
  readonly transport: 'udp' | 'tcp';
  /** `ADDRESS:PORT` of the exporter. */
  readonly exporter: string;
}

/** Callbacks of the server. */
export interface CollectListener {
  message(session: CollectSession, bytes: Buffer): void;
  /** A connection has ended; `fault` has the reason when the exporter did not end it. */
  ended(session: CollectSession, fault: string | undefined): void;
}

/** Largest number of TCP connections; more are refused. */
export const CONNECTIONS_MAX = 256;
/** Receive buffer in bytes, which the kernel limits (net.core.rmem_max), for bursts that arrive while records are printed. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** Attempts to find a port that is free for UDP and TCP. */
const PORT_ATTEMPTS_MAX = 10;

/** See the head of the file. */
export class CollectServer {
  readonly #listener: CollectListener;
  readonly #connections = new Set<TcpSocket>();
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;
  #serial = 0;
  #refused = 0;

  constructor(listener: CollectListener) {
    this.#listener = listener;
  }

  /** Connections that were refused at the limit. */
  get refused(): number {
    return this.#refused;
  }

  /** Listens and returns the address. */
  async listen(at: ListenAddress): Promise<ListenAddress> {
    for (let attempt = 1; ; attempt += 1) {
      const port = await this.#listenUdp(at);
      try {
        await this.#listenTcp({ host: at.host, port });
        return { host: at.host, port };
      } catch (error) {
        await this.close();
        if (at.port !== 0 || attempt >= PORT_ATTEMPTS_MAX) {
          throw error;
        }
      }
    }
  }

  /** Closes the sockets and all connections. */
  async close(): Promise<void> {
    const [udp, tcp] = [this.#udp, this.#tcp];
    this.#udp = undefined;
    this.#tcp = undefined;
    for (const connection of this.#connections) {
      connection.destroy();
    }
    await Promise.all([
      udp && new Promise<void>((resolve) => udp.close(resolve)),
      tcp?.listening && new Promise<void>((resolve) => tcp.close(() => resolve())),
    ]);
  }

  async #listenUdp(at: ListenAddress): Promise<number> {
    const socket = createSocket({
      type: at.host.includes(':') ? 'udp6' : 'udp4',
      recvBufferSize: RECEIVE_BUFFER_BYTES,
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(error);
      });
      socket.bind(at.port, at.host, resolve);
    });
    socket.removeAllListeners('error');
    // Nothing is sent, so no ICMP error can arrive; other errors of the kernel must not end the command.
    socket.on('error', () => {});
    socket.on('message', (bytes, { address, port }) => {
      const exporter = exporterText(address, port);
      this.#listener.message({ key: `udp ${exporter}`, transport: 'udp', exporter }, bytes);
    });
    this.#udp = socket;
    return socket.address().port;
  }

  async #listenTcp(at: ListenAddress): Promise<void> {
    const server = createServer((connection) => this.#accept(connection));
    server.maxConnections = CONNECTIONS_MAX;
    server.on('drop', () => {
      this.#refused += 1;
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(at.port, at.host, resolve);
    });
    this.#tcp = server;
  }

  #accept(connection: TcpSocket): void {
    const exporter = exporterText(connection.remoteAddress ?? '?', connection.remotePort ?? 0);
    this.#serial += 1;
    const session: CollectSession = { key: `tcp ${exporter} #${this.#serial}`, transport: 'tcp', exporter };
    const framer = new StreamFramer();
    let fault: string | undefined;
    this.#connections.add(connection);
    connection.on('data', (chunk) => {
      try {
        framer.push(chunk, (bytes) => this.#listener.message(session, bytes));
      } catch (error) {
        fault = `${reasonOf(error)}.`;
        connection.destroy();
      }
    });
    connection.on('error', (error) => {
      fault ??= `The connection failed: ${reasonOf(error)}.`;
    });
    connection.on('close', () => {
      this.#connections.delete(connection);
      if (framer.pendingSize > 0) {
        fault ??= `The connection ended with ${framer.pendingSize} bytes of an incomplete message.`;
      }
      this.#listener.ended(session, fault);
    });
  }
}

/** Returns the text of an address; those of IPv4 at a socket for both families are as at one for IPv4. */
function exporterText(address: string, port: number): string {
  return addressText(address.replace(/^::ffff:(?=\d+\.)/u, ''), port);
}
