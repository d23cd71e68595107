// A UDP socket that stores the datagrams that it receives: a collector that does not decode.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { waitFor } from './wait.ts';

const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;

/** The socket. */
export class UdpSink {
  /** The received datagrams, in order. */
  readonly datagrams: Buffer[] = [];
  /** The source of each of them, as `ADDRESS PORT`. */
  readonly sources: string[] = [];
  readonly #socket: Socket;
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (datagram, { address, port }) => {
      this.datagrams.push(datagram);
      this.sources.push(`${address} ${port}`);
    });
  }

  /** Binds a port. Default: any free one. */
  static async open(options: { readonly host?: string; readonly port?: number } = {}): Promise<UdpSink> {
    const host = options.host ?? '127.0.0.1';
    const socket = createSocket({
      type: host.includes(':') ? 'udp6' : 'udp4',
      recvBufferSize: RECEIVE_BUFFER_BYTES,
    });
    socket.bind(options.port ?? 0, host);
    await once(socket, 'listening');
    return new UdpSink(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** `IP:PORT` for the targets of an IPFIX row. */
  get target(): string {
    const { address, port } = this.#socket.address();
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  }

  /** Waits for at least `count` datagrams, and returns all. */
  async waitForCount(count: number, timeoutMs = 5000): Promise<readonly Buffer[]> {
    await waitFor(() => this.datagrams.length >= count, {
      what: `${count} datagrams have arrived at port ${this.port}`,
      timeoutMs,
    });
    return this.datagrams;
  }

  /** Waits until the received datagrams satisfy a condition. */
  async waitUntil(
    condition: (datagrams: readonly Buffer[]) => boolean,
    what: string,
    timeoutMs = 5000,
  ): Promise<readonly Buffer[]> {
    await waitFor(() => condition(this.datagrams), { what, timeoutMs });
    return this.datagrams;
  }

  /** Discards the received datagrams. */
  clear(): void {
    this.datagrams.length = 0;
    this.sources.length = 0;
  }

  async close(): Promise<void> {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    this.#socket.close();
    await once(this.#socket, 'close');
  }
}
