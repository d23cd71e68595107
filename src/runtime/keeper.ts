// Keeps one session up to one peer (a database, a bridge): dials, has the protocol do its handshake, probes a silent
// peer, and begins again after a pause when the session ends. When to do what is decided by `Reconnect`; what is spoken
// is decided by the session. One keeper has at most one connection, and its status is one word.

import type { Duplex } from 'node:stream';
import type { Timer } from './clock.ts';
import { dial as dialEndpoint, type Endpoint, formatEndpoint } from './endpoint.ts';
import type { KeeperOptions, KeeperState, KeeperStatus, KeptSession } from './keeper-options.ts';
import type { Logger } from './log.ts';
import { ReadMemory } from './read-memory.ts';
import { Reconnect } from './reconnect.ts';
import { clause } from './sentence.ts';
import { type SocketWatch, watchSocket } from './socket-watch.ts';
import { settlesWithin } from './within.ts';

export type { KeeperOptions, KeeperState, KeeperStatus, KeptSession, SessionEnd } from './keeper-options.ts';

/** Pauses between attempts when all endpoints are unix sockets. */
const UNIX_BACKOFF_MIN_MS = 100;
export const UNIX_BACKOFF_MAX_MS = 1000;
/** How long `stop` waits for a session to end by itself after `close`. */
const CLOSE_TIMEOUT_MS = 1000;

/** One attempt and the connection that came of it. A new one is made each time, so a late callback can see that it is late. */
interface Connection<S> {
  readonly endpoint: Endpoint;
  readonly abort: AbortController;
  stream: Duplex | undefined;
  session: S | undefined;
  receivedBytes: number;
}

/** See the head of the file. */
export class ConnectionKeeper<S extends KeptSession> {
  readonly #options: KeeperOptions<S>;
  readonly #log: Logger;
  readonly #reconnect: Reconnect;
  #connection: Connection<S> | undefined;
  #timer: Timer | undefined;
  #watch: SocketWatch | undefined;
  #appearedWhileConnecting = false;
  #dialCount = 0;
  #upCount = 0;
  #failureCount = 0;
  #upSinceMs = 0;
  #lastError: string | undefined;
  #lastErrorCode: string | undefined;

  constructor(options: KeeperOptions<S>) {
    if (options.endpoints.length === 0) {
      throw new RangeError(`${options.name} has no endpoint to connect to.`);
    }
    const local = options.endpoints.every((endpoint) => endpoint.kind === 'unix');
    this.#options = options;
    this.#log = options.log.limited(`keeper ${options.name}`, { perMinute: 12, burst: 12 });
    this.#reconnect = new Reconnect({
      ...(local ? { backoffMinMs: UNIX_BACKOFF_MIN_MS, backoffMaxMs: UNIX_BACKOFF_MAX_MS } : {}),
      ...options.reconnect,
    });
  }

  /** The session, while it is ready for use. */
  get session(): S | undefined {
    return this.#connection?.session;
  }

  /** Begins; the first attempt is made at once. */
  start(): void {
    this.#reconnect.enable(this.#nowMs());
    this.#step();
  }

  /** Closes the session, lets it flush what it has written, and makes no further attempt. */
  async stop(): Promise<void> {
    const connection = this.#connection;
    this.#reconnect.disable(this.#nowMs());
    this.#timer?.cancel();
    this.#watch?.close();
    this.#connection = undefined;
    if (connection === undefined) {
      return;
    }
    connection.abort.abort();
    const { session, stream } = connection;
    if (session !== undefined) {
      this.#options.onDown?.(session, undefined);
      session.close();
      await settlesWithin(this.#options.clock, CLOSE_TIMEOUT_MS, session.ended);
    }
    stream?.destroy();
  }

  /** Gives up what there is and connects again at once. */
  reconnectNow(): void {
    this.#reconnect.reconnectNow(this.#nowMs());
    this.#step();
  }

  /** Connects at once if a pause after a failure is under way. */
  endPause(): void {
    if (this.#reconnect.state === 'backoff') {
      this.reconnectNow();
    }
  }

  status(): KeeperStatus {
    const next = this.#options.endpoints[this.#dialCount % this.#options.endpoints.length];
    const endpoint = this.#connection?.endpoint ?? next;
    return {
      name: this.#options.name,
      state: this.#state(),
      endpoint: endpoint === undefined ? '' : formatEndpoint(endpoint),
      upCount: this.#upCount,
      failureCount: this.#failureCount,
      upMs: this.session === undefined ? undefined : this.#nowMs() - this.#upSinceMs,
      lastError: this.#lastError,
      lastErrorCode: this.#lastErrorCode,
    };
  }

  #state(): KeeperState {
    switch (this.#reconnect.state) {
      case 'void':
        return 'stopped';
      case 'backoff':
        return 'backoff';
      case 'connecting':
        return this.#connection?.stream === undefined ? 'connecting' : 'opening';
      case 'active':
        return 'up';
      case 'idle':
        return 'probing';
    }
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMicros() / 1000;
  }

  /** Does what is due, and sets the timer for what is due next. */
  #step(): void {
    const nowMs = this.#nowMs();
    const connection = this.#connection;
    if (connection?.session !== undefined && connection.session.receivedBytes !== connection.receivedBytes) {
      connection.receivedBytes = connection.session.receivedBytes;
      this.#reconnect.activity(nowMs);
    }
    const stateBefore = this.#reconnect.state;
    switch (this.#reconnect.run(nowMs)) {
      case 'connect':
        void this.#connect();
        break;
      case 'probe':
        if (connection !== undefined) {
          void this.#probe(connection);
        }
        break;
      case 'disconnect':
        if (connection !== undefined) {
          this.#giveUp(connection, disconnectReason(this.#options.name, stateBefore));
        }
        break;
      case undefined:
        break;
    }
    this.#arm();
  }

  #arm(): void {
    this.#timer?.cancel();
    const deadlineMs = this.#reconnect.deadlineMs();
    if (deadlineMs === undefined) {
      return;
    }
    this.#timer = this.#options.clock.setTimer(() => this.#step(), deadlineMs - this.#nowMs());
  }

  async #connect(): Promise<void> {
    const { endpoints, open } = this.#options;
    const endpoint = endpoints[this.#dialCount % endpoints.length];
    if (endpoint === undefined) {
      return;
    }
    this.#dialCount += 1;
    const connection: Connection<S> = {
      endpoint,
      abort: new AbortController(),
      stream: undefined,
      session: undefined,
      receivedBytes: 0,
    };
    this.#connection = connection;
    this.#reconnect.connecting(this.#nowMs());
    this.#watchFor(endpoint);
    try {
      const readMemory = this.#makeReadMemory(endpoint);
      const stream = await this.#dial(endpoint, connection.abort.signal, readMemory);
      if (this.#connection !== connection) {
        stream.destroy();
        return;
      }
      connection.stream = stream;
      const opening = open(stream, readMemory);
      const session = await unlessAborted(opening, connection.abort.signal);
      if (session === undefined || this.#connection !== connection) {
        // Given up meanwhile. A session that still comes of the attempt finds its stream destroyed and ends by itself.
        stream.destroy();
        opening.then((late) => late.close(), ignoreFailureOfAbandonedAttempt);
        return;
      }
      connection.session = session;
      this.#up(connection, session);
    } catch (error) {
      if (this.#connection === connection) {
        this.#giveUp(connection, toError(error));
      }
    }
  }

  #makeReadMemory(endpoint: Endpoint): ReadMemory | undefined {
    const { dial, readMemoryBytes } = this.#options;
    const isOurs = dial === undefined && endpoint.kind !== 'ssl' && readMemoryBytes !== undefined;
    return isOurs ? new ReadMemory(readMemoryBytes) : undefined;
  }

  #dial(endpoint: Endpoint, signal: AbortSignal, readMemory: ReadMemory | undefined): Promise<Duplex> {
    if (this.#options.dial !== undefined) {
      return this.#options.dial(endpoint, signal);
    }
    const { clock, tls } = this.#options;
    return dialEndpoint(endpoint, {
      clock,
      signal,
      ...(tls === undefined ? {} : { tls }),
      ...(readMemory === undefined ? {} : { readMemory }),
    });
  }

  #up(connection: Connection<S>, session: S): void {
    this.#watch?.close();
    this.#watch = undefined;
    this.#upCount += 1;
    this.#failureCount = 0;
    this.#upSinceMs = this.#nowMs();
    connection.receivedBytes = session.receivedBytes;
    this.#reconnect.connected(this.#upSinceMs);
    this.#log.info(`${this.#options.name}: connected to ${formatEndpoint(connection.endpoint)}`);
    void this.#followToItsEnd(connection, session);
    this.#arm();
    this.#options.onUp?.(session);
  }

  async #followToItsEnd(connection: Connection<S>, session: S): Promise<void> {
    const end = await session.ended;
    if (this.#connection === connection) {
      this.#giveUp(connection, end.error);
    }
  }

  async #probe(connection: Connection<S>): Promise<void> {
    try {
      await connection.session?.probe();
    } catch (error) {
      if (this.#connection === connection) {
        this.#giveUp(connection, toError(error));
      }
      return;
    }
    if (this.#connection !== connection) {
      return;
    }
    this.#reconnect.activity(this.#nowMs());
    this.#arm();
  }

  /** The attempt or session is over, by the peer's wish or ours. */
  #giveUp(connection: Connection<S>, reason: Error | undefined): void {
    const { session, stream } = connection;
    const text = reason?.message ?? 'the connection was closed';
    this.#connection = undefined;
    this.#lastError = text;
    this.#lastErrorCode = codeOf(reason);
    this.#reconnect.disconnected(this.#nowMs());
    const appeared = this.#appearedWhileConnecting && session === undefined;
    this.#appearedWhileConnecting = false;
    if (appeared) {
      this.#reconnect.reconnectNow(this.#nowMs());
    }
    connection.abort.abort();
    session?.close(reason);
    stream?.destroy();
    if (session === undefined) {
      this.#failureCount += 1;
    }
    this.#log[session === undefined ? 'info' : 'warn'](
      `${this.#options.name}: ${session === undefined ? 'connection attempt failed' : 'connection lost'} (${clause(text)}); ` +
        `trying again in ${this.#reconnect.backoffMs / 1000} s`,
    );
    if (session !== undefined) {
      this.#watchFor(connection.endpoint);
      this.#options.onDown?.(session, reason);
    }
    this.#arm();
  }

  /** Watches from before the attempt on: a socket that appears while a first try fails must not be missed. */
  #watchFor(endpoint: Endpoint): void {
    this.#watch?.close();
    this.#watch = undefined;
    if (endpoint.kind !== 'unix') {
      return;
    }
    this.#watch = watchSocket(endpoint.path, () => {
      if (this.#reconnect.state === 'connecting') {
        this.#appearedWhileConnecting = true;
      }
      this.endPause();
    });
  }
}

/** The promise's value, or undefined as soon as the signal is raised. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) {
    return undefined;
  }
  return new Promise<T | undefined>((resolve, reject) => {
    const onAbort = () => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** The failure of an attempt that was given up is its own consequence, and was reported when it was given up. */
function ignoreFailureOfAbandonedAttempt(): void {}

function disconnectReason(name: string, state: string): Error {
  if (state === 'connecting') {
    return new Error(`${name} did not become ready in time`);
  }
  if (state === 'idle') {
    return new Error(`${name} has not answered a probe in time`);
  }
  return new Error(`${name} was told to reconnect`);
}

function codeOf(error: Error | undefined): string | undefined {
  return error !== undefined && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
