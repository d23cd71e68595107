// The control socket, for `ovs-appctl -t PATH COMMAND [ARG...]`. OVS's unixctl is JSON-RPC 1.0 over a unix stream: a request
// {id, method: COMMAND, params: [strings]} is answered with a string as result or as error. The mode of the file alone decides
// who may connect.

import { lstatSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../runtime/clock.ts';
import { dial } from '../runtime/endpoint.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';
import type { CommandRegistry } from './commands.ts';
import { ControlConnection } from './connection.ts';
import { UnixctlError } from './errors.ts';

/** Options of `UnixctlServer`. */
export interface UnixctlServerOptions {
  /** The socket's path; OVS's tools expect NAME.PID.ctl in the run directory. */
  readonly path: string;
  readonly commands: CommandRegistry;
  readonly clock: Clock;
  readonly log: Logger;
  /** Largest number of connections; one more is closed at once. Default 32. */
  readonly connectionsMax?: number;
  /** Largest request in bytes; a longer one closes the connection. Default 65,536. */
  readonly requestBytesMax?: number;
  /** Milliseconds after which an idle connection is closed. Default 60,000. */
  readonly idleTimeoutMs?: number;
}

export const UNIXCTL_DEFAULTS = {
  connectionsMax: 32,
  requestBytesMax: 65_536,
  idleTimeoutMs: 60_000,
} as const;

/** Milliseconds in which another process must accept a connection at the path. */
const PROBE_TIMEOUT_MS = 1000;
/** Milliseconds that `stop` leaves for answers in progress. */
const DRAIN_TIMEOUT_MS = 500;

/** The state and counters of the server. */
export interface UnixctlStatus {
  readonly state: 'stopped' | 'listening';
  readonly path: string;
  readonly connectionCount: number;
  readonly requestCount: number;
  /** Connections that were closed at `connectionsMax`. */
  readonly refusedCount: number;
}

/** See the head of the file. */
export class UnixctlServer {
  readonly #options: Required<UnixctlServerOptions>;
  readonly #connections = new Set<ControlConnection>();
  #server: Server | undefined;
  #requestCount = 0;
  #refusedCount = 0;

  constructor(options: UnixctlServerOptions) {
    this.#options = { ...UNIXCTL_DEFAULTS, ...options };
  }

  /** Listens. Replaces the socket of a dead process; rejects when another process listens. */
  async start(): Promise<void> {
    const { path } = this.#options;
    await this.#clearStaleSocket();
    const server = createServer((socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      const onError = (cause: Error) =>
        reject(
          new UnixctlError(
            'UNIXCTL_UNREACHABLE',
            `Cannot listen at the control socket ${path}: ${reasonOf(cause)}. Choose another path with --unixctl.`,
            cause,
          ),
        );
      server.once('error', onError);
      server.once('listening', () => {
        server.off('error', onError);
        resolve();
      });
      // The file must not be open to others even for the moment before a chmod. Node.js binds within this call.
      const umask = process.umask(0o077);
      try {
        server.listen(path);
      } finally {
        process.umask(umask);
      }
    });
    server.on('error', (error) => this.#options.log.warn(`control socket ${path}: ${error.message}`));
    this.#server = server;
  }

  /** Stops listening, sends answers in progress, and removes the file. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) {
      return;
    }
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    for (const connection of this.#connections) {
      connection.finish();
    }
    const timer = this.#options.clock.setTimer(() => {
      for (const connection of this.#connections) {
        connection.destroy();
      }
    }, DRAIN_TIMEOUT_MS);
    await closed;
    timer.cancel();
  }

  status(): UnixctlStatus {
    return {
      state: this.#server === undefined ? 'stopped' : 'listening',
      path: this.#options.path,
      connectionCount: this.#connections.size,
      requestCount: this.#requestCount,
      refusedCount: this.#refusedCount,
    };
  }

  #accept(socket: Socket): void {
    const { clock, commands, connectionsMax, idleTimeoutMs, log, requestBytesMax } = this.#options;
    if (this.#connections.size >= connectionsMax) {
      this.#refusedCount += 1;
      log.limited('connections').warn(`control connection refused: ${connectionsMax} are open`);
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    const connection = new ControlConnection(socket, {
      clock,
      log,
      idleTimeoutMs,
      requestBytesMax,
      run: (name, args, context) => {
        this.#requestCount += 1;
        return commands.run(name, args, context);
      },
      onClose: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }

  async #clearStaleSocket(): Promise<void> {
    const { path, clock } = this.#options;
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) {
      return;
    }
    if (!found.isSocket()) {
      throw new UnixctlError(
        'UNIXCTL_IN_USE',
        `${path} exists and is not a socket; it is not replaced. Choose another path with --unixctl.`,
      );
    }
    try {
      const stream = await dial({ kind: 'unix', path }, { clock, timeoutMs: PROBE_TIMEOUT_MS });
      stream.destroy();
    } catch {
      // No process listens: a killed process has left the file.
      unlinkSync(path);
      return;
    }
    throw new UnixctlError(
      'UNIXCTL_IN_USE',
      `Another process listens at the control socket ${path}. Stop it, or choose another path with --unixctl.`,
    );
  }
}
