// A collector over TCP or TLS that decodes strictly: each connection is a transport session with templates and sequence numbers of
// its own. It may stop reading, reset its connections, and close and open again at the same port.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import type { DecodedRecord, ReaderProblem } from '../../src/ipfix/reader-types.ts';
import { StreamFramer } from '../../src/ipfix/stream-framer.ts';

export interface StreamSinkOptions {
  readonly host?: string;
  /** Default: any free one. */
  readonly port?: number;
  /** With it, TLS is spoken. */
  readonly tls?: TlsOptions;
  /** Whether new connections are not read until `resume`. Default: they are read. */
  readonly isPaused?: boolean;
}

export class StreamSink {
  /** What all connections have sent, in order. */
  readonly messages: Buffer[] = [];
  readonly records: DecodedRecord[] = [];
  /** Sequence gaps, unknown templates and whatever else is wrong. */
  readonly problems: ReaderProblem[] = [];
  connectionCount = 0;
  readonly #options: StreamSinkOptions;
  readonly #sockets = new Set<Socket>();
  /** The TCP connections, below TLS where it is spoken. */
  readonly #connections = new Set<Socket>();
  #server: Server;
  #isPaused: boolean;

  private constructor(options: StreamSinkOptions) {
    this.#options = options;
    this.#isPaused = options.isPaused ?? false;
    this.#server = this.#createServer();
  }

  static async open(options: StreamSinkOptions = {}): Promise<StreamSink> {
    const sink = new StreamSink(options);
    await sink.#listen(options.port ?? 0);
    return sink;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The target for an IPFIX row. */
  get target(): string {
    return `${this.#options.tls === undefined ? 'tcp' : 'tls'}:127.0.0.1:${this.port}`;
  }

  /** Connections that have not ended. */
  get openCount(): number {
    return this.#sockets.size;
  }

  /** Stops reading. */
  pause(): void {
    this.#isPaused = true;
    for (const socket of this.#sockets) {
      socket.pause();
    }
  }

  resume(): void {
    this.#isPaused = false;
    for (const socket of this.#sockets) {
      socket.resume();
    }
  }

  /** Ends all connections by a reset. */
  reset(): void {
    for (const connection of this.#connections) {
      connection.resetAndDestroy();
    }
    // What was received is not read any more.
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  /** Ends all connections and does not listen any more; returns the port. Safe to repeat. */
  async close(): Promise<number> {
    if (!this.#server.listening) {
      return 0;
    }
    const { port } = this;
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    this.#server.close();
    await once(this.#server, 'close');
    return port;
  }

  /** Listens again at a port. */
  async reopen(port: number): Promise<void> {
    this.#server = this.#createServer();
    await this.#listen(port);
  }

  async #listen(port: number): Promise<void> {
    this.#server.listen(port, this.#options.host ?? '127.0.0.1');
    await once(this.#server, 'listening');
  }

  #createServer(): Server {
    const { tls } = this.#options;
    const onSocket = (socket: Socket) => this.#read(socket);
    const server = tls === undefined ? createServer(onSocket) : createTlsServer(tls, onSocket);
    server.on('connection', (connection: Socket) => {
      this.#connections.add(connection);
      connection.once('close', () => this.#connections.delete(connection));
    });
    return server;
  }

  #read(socket: Socket): void {
    this.connectionCount += 1;
    this.#sockets.add(socket);
    const framer = new StreamFramer();
    const reader = new MessageReader();
    const take = (message: Buffer) => {
      this.messages.push(Buffer.from(message));
      const { records, problems } = reader.read('connection', message, 'tcp');
      this.records.push(...records);
      this.problems.push(...problems);
    };
    socket.on('data', (chunk) => framer.push(chunk, take));
    // EINVAL: TLS over a connection that was reset here.
    socket.on('error', (error: NodeJS.ErrnoException) =>
      assert.match(error.code ?? '', /^(ECONNRESET|EPIPE|EINVAL)$/u),
    );
    socket.on('close', () => this.#sockets.delete(socket));
    if (this.#isPaused) {
      socket.pause();
    }
  }
}
