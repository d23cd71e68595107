// A proxy before a real ovsdb-server that answers some requests itself, to imitate servers that are not installed, such as
// those before 2.9, and failures at a certain moment. It forwards everything else.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { JsonFramer, type JsonObject, OVSDB_CLIENT_DEFAULTS } from '../../src/ovsdb-client/index.ts';

/** The fate of a request: an error, a result, the end of the connection, no reply, or the server's reply. */
export type Verdict =
  | { readonly error: unknown }
  | { readonly result: unknown }
  | 'hang-up'
  | 'silence'
  | 'pass';

export class ConvertProxy {
  readonly path: string;
  /** The requested methods, in order. */
  readonly methods: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
  }

  static async start(
    path: string,
    target: string,
    judge: (method: string) => Verdict,
  ): Promise<ConvertProxy> {
    const server = createServer();
    const proxy = new ConvertProxy(path, server);
    server.on('connection', (client) => proxy.#serve(client, connect(target), judge));
    server.listen(path);
    await once(server, 'listening');
    return proxy;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  #serve(client: Socket, server: Socket, judge: (method: string) => Verdict): void {
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
    }
    server.on('data', (bytes) => client.write(bytes));
    const framer = new JsonFramer(OVSDB_CLIENT_DEFAULTS);
    client.on('data', (bytes) =>
      framer.push(bytes, (message) => this.#decide(message, judge, client, server)),
    );
  }

  #decide(message: JsonObject, judge: (method: string) => Verdict, client: Socket, server: Socket): void {
    const { method, id } = message as { method?: string; id?: unknown };
    this.methods.push(method ?? 'reply');
    const verdict = judge(method ?? 'reply');
    if (verdict === 'pass') {
      server.write(JSON.stringify(message));
    } else if (verdict === 'hang-up') {
      client.destroy();
    } else if (verdict !== 'silence') {
      client.write(JSON.stringify({ id, result: null, error: null, ...verdict }));
    }
  }
}
