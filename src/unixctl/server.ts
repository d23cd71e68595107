// The control socket, for `ovs-appctl -t PATH COMMAND [ARG...]`. OVS's unixctl is JSON-RPC 1.0 over a unix stream: a request
// {id, method: COMMAND, params: [strings]} is answered with a string as result or as error. The mode of the file alone decides
// who may connect.

import { existsSync, lstatSync, readdirSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Clock } from '../runtime/clock.ts';
import { ConnectionLimit } from '../runtime/connection-limit.ts';
import { dial, isUnixPath, UNIX_PATH_BYTES_MAX } from '../runtime/endpoint.ts';
import { isForbidden, rootCodeOf } from '../runtime/error-code.ts';
import type { Logger } from '../runtime/log.ts';
import { controlSockets } from '../runtime/rundir.ts';
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
  /** Largest number of connections; one more replaces the one whose last request is the oldest. Default 32. */
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
  /** Connections that gave way to a new one at `connectionsMax`. */
  readonly evictedCount: number;
  /** New ones that were closed, because commands of all others were running. */
  readonly refusedCount: number;
}

/** See the head of the file. */
export class UnixctlServer {
  readonly #options: Required<UnixctlServerOptions>;
  readonly #connections: ConnectionLimit<ControlConnection>;
  #server: Server | undefined;
  #requestCount = 0;

  constructor(options: UnixctlServerOptions) {
    this.#options = { ...UNIXCTL_DEFAULTS, ...options };
    this.#connections = new ConnectionLimit(this.#options.connectionsMax, (connection) =>
      connection.destroy(),
    );
  }

  /** Listens. Removes the sockets of dead processes; rejects when another process listens at the path. */
  async start(): Promise<void> {
    const { path } = this.#options;
    if (!isUnixPath(path)) {
      const cause = new Error(`a path of a unix socket has at most ${UNIX_PATH_BYTES_MAX} bytes`);
      throw new UnixctlError('UNIXCTL_UNREACHABLE', cannotListen(path, cause), cause);
    }
    await this.#clearStaleSocket();
    await this.#clearOthers();
    const server = createServer((socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      const onError = (cause: Error) =>
        reject(new UnixctlError('UNIXCTL_UNREACHABLE', cannotListen(path, cause), cause));
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
    for (const connection of this.#connections.connections()) {
      connection.finish();
    }
    const timer = this.#options.clock.setTimer(() => {
      for (const connection of this.#connections.connections()) {
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
      evictedCount: this.#connections.status().evicted,
      refusedCount: this.#connections.status().refused,
    };
  }

  #accept(socket: Socket): void {
    const { clock, commands, connectionsMax, idleTimeoutMs, log, requestBytesMax } = this.#options;
    const connection = new ControlConnection(socket, {
      clock,
      log,
      idleTimeoutMs,
      requestBytesMax,
      run: (name, args, context) => {
        this.#requestCount += 1;
        this.#connections.used(connection, true);
        return commands.run(name, args, context).finally(() => this.#connections.released(connection));
      },
      onClose: () => this.#connections.remove(connection),
    });
    if (!this.#connections.admit(connection)) {
      log.limited('connections').warn(`control connection refused: ${connectionsMax} commands are running`);
      connection.destroy();
    }
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
    const state = await stateOf(path, clock);
    if (state === 'stale') {
      unlinkSync(path);
      return;
    }
    throw new UnixctlError(
      'UNIXCTL_IN_USE',
      state === 'forbidden'
        ? `The control socket ${path} is that of another user, and you may not connect to it. Remove it if no daemon runs, or choose another path with --unixctl.`
        : `Another process listens at the control socket ${path}. Stop it, or choose another path with --unixctl.`,
    );
  }

  /** Removes sockets with the default name in the folder that killed daemons have left. */
  async #clearOthers(): Promise<void> {
    const { path, clock, log } = this.#options;
    const folder = dirname(path);
    try {
      const others = controlSockets(existsSync(folder) ? readdirSync(folder) : [], folder);
      for (const other of others) {
        if ((await stateOf(other.path, clock)) === 'stale') {
          unlinkSync(other.path);
          log.info(`the control socket of a killed daemon is removed: ${other.path}`);
        }
      }
    } catch (error) {
      // The folder may not be read, or another start has removed the socket.
      log.info(`control sockets of killed daemons are left: ${reasonOf(error)}`);
    }
  }
}

/** Returns whether a process listens at a socket. One that does not accept in time is in use. */
async function stateOf(path: string, clock: Clock): Promise<'stale' | 'in use' | 'forbidden'> {
  try {
    const stream = await dial({ kind: 'unix', path }, { clock, timeoutMs: PROBE_TIMEOUT_MS });
    stream.destroy();
    return 'in use';
  } catch (error) {
    if (isForbidden(error)) {
      return 'forbidden';
    }
    return rootCodeOf(error) === 'ECONNREFUSED' ? 'stale' : 'in use';
  }
}

/** Returns why the server cannot listen. Node.js reports a missing folder as denied access. */
function cannotListen(path: string, cause: Error): string {
  const folder = dirname(path);
  return existsSync(folder)
    ? `Cannot listen at the control socket ${path}: ${reasonOf(cause)}. Choose another path with --unixctl.`
    : `Cannot listen at the control socket ${path}: the folder ${folder} does not exist. Start Open vSwitch, which creates it, or create it, or choose another path with --unixctl.`;
}
