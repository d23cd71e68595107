// Keeps the number of a server's connections at a limit without locking anyone out: at the limit, the connection whose last request
// is the oldest gives way to a new one, unless the server is working for it. Connections that say nothing cost their owner nothing,
// and would otherwise keep an operator out.

export class ConnectionLimit<Connection> {
  readonly #max: number;
  readonly #close: (connection: Connection) => void;
  /** In the order of their last requests, the oldest first; the value says whether the server is working for it. */
  readonly #connections = new Map<Connection, boolean>();
  #evicted = 0;
  #refused = 0;

  /** `close` closes a connection that gives way. */
  constructor(max: number, close: (connection: Connection) => void) {
    this.#max = max;
    this.#close = close;
  }

  /** Adds a new connection; returns false if it is to be closed, because the server is working for all others. */
  admit(connection: Connection): boolean {
    if (this.#connections.size >= this.#max) {
      const oldest = this.#oldest();
      if (oldest === undefined) {
        this.#refused += 1;
        return false;
      }
      this.#evicted += 1;
      this.#connections.delete(oldest);
      this.#close(oldest);
    }
    this.#connections.set(connection, false);
    return true;
  }

  /** Notes a request; `isInUse` says whether the connection is kept until `released`. */
  used(connection: Connection, isInUse: boolean): void {
    if (this.#connections.delete(connection)) {
      this.#connections.set(connection, isInUse);
    }
  }

  /** The server waits for the client again. */
  released(connection: Connection): void {
    if (this.#connections.has(connection)) {
      this.#connections.set(connection, false);
    }
  }

  /** Removes a connection that has ended. */
  remove(connection: Connection): void {
    this.#connections.delete(connection);
  }

  /** Connections that are open. */
  get size(): number {
    return this.#connections.size;
  }

  /** The open connections. */
  connections(): Iterable<Connection> {
    return this.#connections.keys();
  }

  /** Connections that gave way to a new one, and new ones that were refused. */
  status(): { readonly evicted: number; readonly refused: number } {
    return { evicted: this.#evicted, refused: this.#refused };
  }

  #oldest(): Connection | undefined {
    for (const [connection, isInUse] of this.#connections) {
      if (!isInUse) {
        return connection;
      }
    }
    return undefined;
  }
}
