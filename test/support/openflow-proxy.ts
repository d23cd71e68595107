// A relay before a bridge's OpenFlow socket that a test can cut and restore, so that a running switch is unreachable.

import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';

/** The relay. Start the daemon with `--openflow unix:${proxy.template}`. */
export class OpenFlowProxy {
  readonly #path: string;
  readonly #bridgePath: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  /** Relays `path` to `bridgePath`, both unix sockets. */
  static async open(path: string, bridgePath: string): Promise<OpenFlowProxy> {
    const proxy = new OpenFlowProxy(path, bridgePath);
    await proxy.restore();
    return proxy;
  }

  private constructor(path: string, bridgePath: string) {
    this.#path = path;
    this.#bridgePath = bridgePath;
  }

  /** Ends all connections and refuses new ones. */
  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.close();
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    this.#sockets.clear();
    await rm(this.#path, { force: true });
  }

  /** Accepts connections again. */
  async restore(): Promise<void> {
    this.#server = createServer((client) => this.#relay(client));
    this.#server.listen(this.#path);
    await once(this.#server, 'listening');
  }

  #relay(client: Socket): void {
    const bridge = createConnection(this.#bridgePath);
    for (const [from, to] of [
      [client, bridge],
      [bridge, client],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
