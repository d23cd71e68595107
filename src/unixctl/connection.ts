// One connection to the control socket: answers requests in their order. Used by UnixctlServer.

import type { Socket } from 'node:net';
import { JsonFramer, type JsonObject, OvsdbError } from '../ovsdb-client/index.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { safeLines } from '../runtime/safe-text.ts';
import type { CommandContext } from './commands.ts';
import { UnixctlError } from './errors.ts';

/** Options of `ControlConnection`. */
export interface ControlConnectionOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly idleTimeoutMs: number;
  readonly requestBytesMax: number;
  readonly run: (name: string, args: readonly string[], context: CommandContext) => Promise<unknown>;
  readonly onClose: () => void;
}

/** Nesting of a request: an object with an array of strings. */
const REQUEST_DEPTH_MAX = 4;
/** Largest number of queued requests on one connection; one more closes it. */
export const WAITING_REQUESTS_MAX = 64;

/** See the head of the file. */
export class ControlConnection {
  readonly #socket: Socket;
  readonly #options: ControlConnectionOptions;
  readonly #framer: JsonFramer;
  readonly #waiting: JsonObject[] = [];
  readonly #context: CommandContext = { format: 'text' };
  #state: 'open' | 'answering' | 'finishing' | 'closed' = 'open';
  #idleTimer: Timer | undefined;

  constructor(socket: Socket, options: ControlConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#framer = new JsonFramer({
      messageBytesMax: options.requestBytesMax,
      depthMax: REQUEST_DEPTH_MAX,
    });
    socket.on('data', (chunk) => this.#receive(chunk));
    // A client that hangs up early is not an error; 'close' follows.
    socket.on('error', (error) => options.log.debug(`control connection: ${error.message}`));
    socket.once('close', () => {
      this.#state = 'closed';
      this.#idleTimer?.cancel();
      options.onClose();
    });
    this.#restartIdleTimer();
  }

  /** Reads no more requests, and closes when the current answer is sent. */
  finish(): void {
    this.#waiting.length = 0;
    if (this.#state === 'answering') {
      this.#state = 'finishing';
    } else {
      this.#socket.end();
    }
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#restartIdleTimer();
    try {
      this.#framer.push(chunk, (request) => this.#waiting.push(request));
    } catch (error) {
      if (!(error instanceof OvsdbError)) {
        throw error;
      }
      this.#refuse(error.code);
      return;
    }
    if (this.#waiting.length > WAITING_REQUESTS_MAX) {
      this.#refuse(`more than ${WAITING_REQUESTS_MAX} requests are queued`);
      return;
    }
    if (this.#state === 'open') {
      void this.#answerAll();
    }
  }

  async #answerAll(): Promise<void> {
    this.#state = 'answering';
    for (let request = this.#waiting.shift(); request !== undefined; request = this.#waiting.shift()) {
      const reply = await this.#answer(request);
      if (this.#socket.destroyed) {
        return;
      }
      if (reply === undefined) {
        this.#refuse('a request without id, method or string parameters');
        return;
      }
      if (!this.#socket.write(JSON.stringify(reply))) {
        await this.#drained();
      }
    }
    if (this.#ending()) {
      this.#socket.end();
    } else if (!this.#socket.destroyed) {
      this.#state = 'open';
    }
  }

  /** A call, because the compiler assumes that the state has not changed since before the awaits. */
  #ending(): boolean {
    return this.#state === 'finishing';
  }

  async #answer(request: JsonObject): Promise<object | undefined> {
    const { id, method, params } = request;
    if (id === undefined || id === null || typeof method !== 'string') {
      return undefined;
    }
    if (!isStrings(params)) {
      return undefined;
    }
    try {
      return { id, result: asLine(await this.#options.run(method, params, this.#context)), error: null };
    } catch (error) {
      if (error instanceof UnixctlError && error.code === 'UNIXCTL_REFUSED') {
        return { id, result: null, error: asLine(error.message) };
      }
      // A bug in a command: the operator gets a sentence, and the log the stack.
      const fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#options.log.error(`command ${method} failed: ${fault}`);
      return {
        id,
        result: null,
        error: asLine(`The command ${method} failed because of a bug; the log has the stack.`),
      };
    }
  }

  /** Resolves when the written bytes are sent, or the connection is closed. */
  async #drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }

  #refuse(why: string): void {
    this.#options.log.limited('requests').warn(`control connection closed: ${why}`);
    this.#socket.destroy();
  }

  #restartIdleTimer(): void {
    this.#idleTimer?.cancel();
    this.#idleTimer = this.#options.clock.setTimer(() => this.#socket.destroy(), this.#options.idleTimeoutMs);
  }
}

function isStrings(json: unknown): json is string[] {
  return Array.isArray(json) && json.every((item) => typeof item === 'string');
}

/** Makes a text safe to show and ends it with a newline, because OVS's tools print it unchanged. */
function asLine(answer: unknown): unknown {
  if (typeof answer !== 'string' || answer === '') {
    return answer;
  }
  const safe = safeLines(answer);
  return safe.endsWith('\n') ? safe : `${safe}\n`;
}
