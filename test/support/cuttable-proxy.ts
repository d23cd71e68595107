// A TCP proxy to a unix socket or a port on 127.0.0.1, whose path can be cut without notice, as a network that loses everything.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class CuttableProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(target: string | number) {
    this.#server = createServer((client) =>
      this.#relay(client, typeof target === 'string' ? connect(target) : connect(target, '127.0.0.1')),
    );
  }

  /** Opens a proxy to a unix socket or to a port. */
  static async open(target: string | number): Promise<CuttableProxy> {
    const proxy = new CuttableProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
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
