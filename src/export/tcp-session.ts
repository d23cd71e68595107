// A collector over TCP (RFC 7011, section 10.4). Messages that the collector has not accepted yet wait here, up to a limit, so
// that a slow one loses nothing. When the connection ends, the waiting messages are lost and counted, and the next connection
// starts over: sequence numbers from 0, templates first.

import { connect, type Socket } from 'node:net';
import type { CollectorTarget, SessionListener } from './collector-session.ts';
import {
  SESSION_DEFAULTS,
  SocketSession,
  type SocketSessionOptions,
  type SocketSessionParts,
} from './socket-session.ts';
import { sourceFault, sourceOfName } from './source-binding.ts';

/** Limits and intervals of a TCP session. */
export interface TcpSessionOptions extends SocketSessionOptions {
  /** How long resolving and connecting may take. */
  readonly connectTimeoutMs: number;
}

export const TCP_SESSION_DEFAULTS: TcpSessionOptions = {
  ...SESSION_DEFAULTS,
  sendBacklogMax: 4096,
  connectTimeoutMs: 10_000,
};

export class TcpSession extends SocketSession {
  readonly isReliable = true;
  protected readonly transport = 'tcp';
  readonly #connectTimeoutMs: number;
  /** The present connection or attempt; reports of another one are ignored. */
  #socket: Socket | undefined;
  #isCorked = false;

  constructor(
    target: CollectorTarget,
    listener: SessionListener,
    parts: SocketSessionParts,
    given: Partial<TcpSessionOptions> = {},
  ) {
    const options = { ...TCP_SESSION_DEFAULTS, ...given };
    super(target, listener, parts, options);
    this.#connectTimeoutMs = options.connectTimeoutMs;
  }

  protected get address(): string | undefined {
    return this.#socket?.remoteAddress;
  }

  protected get sourceAddress(): string | undefined {
    return this.#socket?.localAddress;
  }

  protected connect(): void {
    const source = sourceOfName(this.target);
    const { host, port } = this.target;
    const socket = connect({ host, port, keepAlive: true, ...source });
    this.#socket = socket;
    this.#isCorked = false;
    const timeoutMs = this.#connectTimeoutMs;
    this.setTimer(() => this.#ended(socket, new Error(`no connection within ${timeoutMs} ms`)), timeoutMs);
    socket.once('connect', () => {
      if (socket === this.#socket) {
        this.opened();
      }
    });
    socket.on('error', (error) => this.#ended(socket, sourceFault(error, source.localAddress)));
    socket.on('close', () => this.#ended(socket, new Error('the collector closed the connection')));
    // A collector sends nothing; reading shows that it closes.
    socket.resume();
  }

  /** Corks the socket, so that all messages of a turn leave in one system call. */
  protected handOver(): void {
    const socket = this.#socket;
    if (socket === undefined || socket.connecting) {
      return;
    }
    if (!this.#isCorked) {
      this.#isCorked = true;
      socket.cork();
      process.nextTick(() => {
        if (socket === this.#socket) {
          this.#isCorked = false;
        }
        socket.uncork();
      });
    }
    for (let bytes = this.traffic.hand(); bytes !== undefined; bytes = this.traffic.hand()) {
      socket.write(bytes, (error) => {
        if (socket === this.#socket && !error) {
          this.traffic.sent(true);
        }
      });
    }
  }

  /** Ends the connection in order when it is drained; a collector that accepts nothing is not waited for. */
  protected async close(isDrained: boolean): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) {
      return;
    }
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      if (isDrained && !socket.connecting) {
        socket.destroySoon();
      } else {
        socket.destroy();
      }
    });
  }

  #ended(socket: Socket, reason: Error): void {
    if (socket !== this.#socket) {
      return;
    }
    this.#socket = undefined;
    socket.destroy();
    this.failed(reason);
  }
}
