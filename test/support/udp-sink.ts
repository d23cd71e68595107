// A UDP socket that keeps what it receives: the plainest collector. It decodes nothing.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { waitFor } from './wait.ts';

const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;

/** See the head of the file. */
export class UdpSink {
  /** What has arrived, in order. */
  readonly datagrams: Buffer[] = [];
  /** Where each of them came from, as `ADDRESS PORT`. */
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

  /** Binds a port: any free one unless said otherwise. */
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

  /** `IP:PORT` as it is written into the targets of an IPFIX row. */
  get target(): string {
    const { address, port } = this.#socket.address();
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  }

  /** Fulfilled with all datagrams when there are at least `count`. */
  async waitForCount(count: number, timeoutMs = 5000): Promise<readonly Buffer[]> {
    await waitFor(() => this.datagrams.length >= count, {
      what: `${count} datagrams have arrived at port ${this.port}`,
      timeoutMs,
    });
    return this.datagrams;
  }

  /** Fulfilled when the condition holds for what has arrived. */
  async waitUntil(
    condition: (datagrams: readonly Buffer[]) => boolean,
    what: string,
    timeoutMs = 5000,
  ): Promise<readonly Buffer[]> {
    await waitFor(() => condition(this.datagrams), { what, timeoutMs });
    return this.datagrams;
  }

  /** Forgets what has arrived. */
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
