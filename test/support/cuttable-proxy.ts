// A TCP proxy to a unix socket whose path can be cut without notice, as a network that loses everything.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class CuttableProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(socketPath: string) {
    this.#server = createServer((client) => this.#relay(client, connect(socketPath)));
  }

  static async open(socketPath: string): Promise<CuttableProxy> {
    const proxy = new CuttableProxy(socketPath);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** The connection method of the proxy. */
  get endpoint(): string {
    return `tcp:127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Keeps everything that either side sends, and the ends of connections, until `heal`. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) {
      socket.pause();
    }
  }

  heal(): void {
    this.#isCut = false;
    for (const socket of this.#sockets) {
      socket.resume();
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    this.#server.close();
    await once(this.#server, 'close');
  }

  #relay(client: Socket, server: Socket): void {
    for (const [socket, peer] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('data', (bytes) => peer.write(bytes));
      // An error is followed by the close, which ends the other side as well.
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        peer.destroy();
      });
      if (this.#isCut) {
        socket.pause();
      }
    }
  }
}
