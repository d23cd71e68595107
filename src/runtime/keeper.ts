// Keeps one session to one peer (a database, a bridge) up: dials, runs the protocol's handshake, probes a silent peer,
// and reconnects after a backoff when the session ends. `Reconnect` decides when to do what; the session speaks the
// protocol. A keeper has at most one connection.

import type { Duplex } from 'node:stream';
import type { Timer } from './clock.ts';
import { dial as dialEndpoint, type Endpoint, formatEndpoint } from './endpoint.ts';
import { codeOf } from './error-code.ts';
import type { KeeperOptions, KeeperState, KeeperStatus, KeptSession } from './keeper-options.ts';
import type { Logger } from './log.ts';
import { ReadMemory } from './read-memory.ts';
import { Reconnect } from './reconnect.ts';
import { safeText } from './safe-text.ts';
import { clause } from './sentence.ts';
import { type SocketWatch, watchSocket } from './socket-watch.ts';
import { settlesWithin } from './within.ts';

export type { KeeperOptions, KeeperState, KeeperStatus, KeptSession, SessionEnd } from './keeper-options.ts';

/** Backoff between attempts when all endpoints are unix sockets, in milliseconds. */
const UNIX_BACKOFF_MIN_MS = 100;
export const UNIX_BACKOFF_MAX_MS = 1000;
/** Milliseconds between two log lines about attempts that go on failing. */
export const FAILURE_LOG_MS = 60_000;
/** How long `stop` waits for a session to end after `close`, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1000;

/** One attempt and its connection. Each attempt makes a new one, by which a late callback sees that it is stale. */
interface Connection<S> {
  readonly endpoint: Endpoint;
  readonly abort: AbortController;
  stream: Duplex | undefined;
  session: S | undefined;
  receivedBytes: number;
}

/** Keeps one session up; see the head of the file. */
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
  /** When the last failed attempt was logged, since a session was up. */
  #failureLoggedMs = Number.NEGATIVE_INFINITY;
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

  /** Starts; the first attempt is made immediately. */
  start(): void {
    this.#reconnect.enable(this.#nowMs());
    this.#step();
  }

  /** Closes the session after flushing what it has written, and makes no further attempt. */
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

  /** Drops the connection or attempt and connects again immediately. */
  reconnectNow(): void {
    this.#reconnect.reconnectNow(this.#nowMs());
    this.#step();
  }

  /** Ends a backoff after a failure: connects immediately. */
  endPause(): void {
    if (this.#reconnect.state === 'backoff') {
      this.reconnectNow();
    }
  }

  /** Why the last attempt or session ended; undefined if none has. */
  get lastError(): string | undefined {
    return this.#lastError;
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

  /** Performs the action that is due, and sets the timer for the next one. */
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
          this.#disconnect(connection, disconnectReason(this.#options.name, stateBefore));
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
        // The attempt was aborted meanwhile. A session that still results from it is closed.
        stream.destroy();
        opening.then((late) => late.close(), ignoreFailureOfAbortedAttempt);
        return;
      }
      connection.session = session;
      this.#up(connection, session);
    } catch (error) {
      if (this.#connection === connection) {
        this.#disconnect(connection, toError(error));
      }
    }
  }

  #makeReadMemory(endpoint: Endpoint): ReadMemory | undefined {
    const { dial, readMemoryBytes } = this.#options;
    const isUsable = dial === undefined && endpoint.kind !== 'ssl' && readMemoryBytes !== undefined;
    return isUsable ? new ReadMemory(readMemoryBytes) : undefined;
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
    this.#failureLoggedMs = Number.NEGATIVE_INFINITY;
    this.#upSinceMs = this.#nowMs();
    connection.receivedBytes = session.receivedBytes;
    this.#reconnect.connected(this.#upSinceMs);
    this.#log.info(`${this.#options.name}: connected to ${formatEndpoint(connection.endpoint)}`);
    void this.#awaitEnd(connection, session);
    this.#arm();
    this.#options.onUp?.(session);
  }

  async #awaitEnd(connection: Connection<S>, session: S): Promise<void> {
    const end = await session.ended;
    if (this.#connection === connection) {
      this.#disconnect(connection, end.error);
    }
  }

  async #probe(connection: Connection<S>): Promise<void> {
    try {
      await connection.session?.probe();
    } catch (error) {
      if (this.#connection === connection) {
        this.#disconnect(connection, toError(error));
      }
      return;
    }
    if (this.#connection !== connection) {
      return;
    }
    this.#reconnect.activity(this.#nowMs());
    this.#arm();
  }

  /** Ends an attempt or a session, and schedules the next attempt. */
  #disconnect(connection: Connection<S>, reason: Error | undefined): void {
    const { session, stream } = connection;
    // A peer's words, or a path, may be part of it.
    const text = safeText(reason?.message ?? 'the connection was closed');
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
    if (session === undefined) {
      this.#logFailure(text);
    } else {
      this.#log.warn(
        `${this.#options.name}: connection lost (${clause(text)}); retrying in ${this.#reconnect.backoffMs / 1000} s`,
      );
      this.#watchFor(connection.endpoint);
      this.#options.onDown?.(session, reason);
    }
    this.#arm();
  }

  /** Logs the first failed attempt, and then one a minute: the line of the connection that follows must not be dropped. */
  #logFailure(text: string): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#failureLoggedMs < FAILURE_LOG_MS) {
      return;
    }
    this.#failureLoggedMs = nowMs;
    const attempts =
      this.#failureCount === 1
        ? 'connection attempt failed'
        : `${this.#failureCount} connection attempts failed`;
    this.#log[this.#failureCount === 1 || this.#options.isOptional === true ? 'info' : 'warn'](
      `${this.#options.name}: ${attempts} (${clause(text)}); retrying in ${this.#reconnect.backoffMs / 1000} s`,
    );
  }

  /** Watches for the socket. Started before the attempt: a socket that appears while it fails must not be missed. */
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

/** Resolves to the promise's value, or to undefined as soon as the signal fires. */
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

/** Ignores the failure of an aborted attempt: aborting caused it, and the reason was reported then. */
function ignoreFailureOfAbortedAttempt(): void {}

function disconnectReason(name: string, state: string): Error {
  if (state === 'connecting') {
    return new Error(`${name} did not become ready in time`);
  }
  if (state === 'idle') {
    return new Error(`${name} has not answered a probe in time`);
  }
  return new Error(`${name} was told to reconnect`);
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
