// The sockets of `ovs-ipfix collect`: UDP and TCP at one port. It cuts TCP streams into messages and names sessions; what
// messages mean is the reader's business.

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket as TcpSocket } from 'node:net';
import { StreamFramer } from '../ipfix/stream-framer.ts';
import { addressText } from '../runtime/address-text.ts';
import { type ListenAddress } from '../runtime/listen-address.ts';
import { reasonOf } from '../runtime/sentence.ts';

/** One exporter's transport session (RFC 7011, section 2). */
export interface CollectSession {
  /** Unique among the sessions of now. */
  readonly key: string;
  readonly transport: 'udp' | 'tcp';
  /** `ADDRESS:PORT` of the exporter. */
  readonly exporter: string;
}

/** What the server tells its owner. */
export interface CollectListener {
  message(session: CollectSession, bytes: Buffer): void;
  /** A connection has ended; `fault` says why when it was not the exporter's wish. */
  ended(session: CollectSession, fault: string | undefined): void;
}

/** TCP connections at a time; more are refused. */
export const CONNECTIONS_MAX = 256;
/** The kernel caps it (net.core.rmem_max); a burst of records should not be lost while we print. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** How often another port is tried when the one that UDP got is taken for TCP. */
const PORT_ATTEMPTS_MAX = 10;

/** See the head of the file. */
export class CollectServer {
  readonly #listener: CollectListener;
  readonly #connections = new Set<TcpSocket>();
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;
  #serial = 0;

  constructor(listener: CollectListener) {
    this.#listener = listener;
  }

  /** Listens, and says where. */
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

  /** Closes everything; connections that are open end. */
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
    // An ICMP error about an answer cannot come, since none is sent; the kernel may report others, and none ends us.
    socket.on('error', () => {});
    socket.on('message', (bytes, { address, port }) => {
      const exporter = addressText(address, port);
      this.#listener.message({ key: `udp ${exporter}`, transport: 'udp', exporter }, bytes);
    });
    this.#udp = socket;
    return socket.address().port;
  }

  async #listenTcp(at: ListenAddress): Promise<void> {
    const server = createServer((connection) => this.#accept(connection));
    server.maxConnections = CONNECTIONS_MAX;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(at.port, at.host, resolve);
    });
    this.#tcp = server;
  }

  #accept(connection: TcpSocket): void {
    const exporter = addressText(connection.remoteAddress ?? '?', connection.remotePort ?? 0);
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
        fault ??= `The connection ended with ${framer.pendingSize} bytes of a message that was not complete.`;
      }
      this.#listener.ended(session, fault);
    });
  }
}
