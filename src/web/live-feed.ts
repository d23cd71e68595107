// The WebSocket: a whole update each second to everybody who looks. Nothing is done while nobody does. The update is made
// once for all, and one who takes too long misses some, and in the end the connection.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Report } from '../report/report.ts';
import { plainJson, type WebStatus } from '../report/status-document.ts';
import type { TopFlows } from '../report/top-flows.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';
import type { LiveMessage } from './live-message.ts';

/** Browsers at a time; one more is refused. */
export const WEB_CLIENTS_MAX = 64;
/** Bytes that may wait for one browser; while more do, it gets no update. */
export const WEB_BACKLOG_BYTES_MAX = 1024 * 1024;
/** Updates in a row that a browser may miss; then its connection is ended. */
export const WEB_SKIPS_MAX = 30;
/** The page sends nothing. */
const CLIENT_MESSAGE_BYTES_MAX = 1024;

const UPDATE_MS = 1000;
/** Looking through all caches is the expensive part. */
const FLOWS_EVERY_UPDATES = 5;
/** A browser that is gone without a word is found out by its silence. */
const PING_EVERY_UPDATES = 15;
const FLOWS_SHOWN = 20;
const RECORDS_SHOWN = 20;

interface Client {
  readonly socket: WebSocket;
  skips: number;
  isAlive: boolean;
}

/** See the head of the file. */
export class LiveFeed {
  readonly #report: Report;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: CLIENT_MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
  });
  readonly #clients = new Set<Client>();
  #timer: Timer | undefined;
  #flows: TopFlows | undefined;
  #isLooking = false;
  #refused = 0;
  #updates = 0;
  #skipped = 0;
  #ended = 0;

  constructor(report: Report, clock: Clock, log: Logger) {
    this.#report = report;
    this.#clock = clock;
    this.#log = log;
  }

  /** Takes over a request that was let in; false when there are too many. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    if (this.#clients.size >= WEB_CLIENTS_MAX) {
      this.#refused += 1;
      this.#log.limited('clients').warn(`${WEB_CLIENTS_MAX} browsers look already; another one was refused`);
      return false;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#add(webSocket));
    return true;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const { socket } of this.#clients) {
      socket.terminate();
    }
    this.#server.close();
  }

  status(): WebStatus {
    return {
      clients: this.#clients.size,
      refused: this.#refused,
      updates: this.#updates,
      skipped: this.#skipped,
      ended: this.#ended,
    };
  }

  #add(socket: WebSocket): void {
    const client: Client = { socket, skips: 0, isAlive: true };
    this.#clients.add(client);
    socket.on('pong', () => {
      client.isAlive = true;
    });
    socket.on('message', () => socket.close(1003, 'This page is read-only.'));
    // 'close' follows.
    socket.on('error', (error) => this.#log.debug(`a browser: ${error.message}`));
    socket.once('close', () => this.#clients.delete(client));
    if (this.#timer === undefined) {
      this.#update();
    } else {
      socket.send(this.#message());
    }
  }

  /** Makes an update and plans the next one, as long as somebody looks. */
  #update(): void {
    this.#timer = undefined;
    if (this.#clients.size === 0) {
      this.#flows = undefined;
      return;
    }
    this.#timer = this.#clock.setTimer(() => this.#update(), UPDATE_MS);
    const count = this.#updates;
    this.#updates += 1;
    if (count % FLOWS_EVERY_UPDATES === 0 || this.#flows === undefined) {
      this.#lookForFlows();
    }
    const message = this.#message();
    for (const client of this.#clients) {
      this.#send(client, message);
    }
    if (count % PING_EVERY_UPDATES === PING_EVERY_UPDATES - 1) {
      this.#pingAll();
    }
  }

  #message(): string {
    const message: LiveMessage = {
      status: this.#report.status(),
      records: this.#report.lastRecords(RECORDS_SHOWN),
      ...(this.#flows === undefined ? {} : { flows: this.#flows }),
    };
    return plainJson(message);
  }

  #send(client: Client, message: string): void {
    if (client.socket.bufferedAmount <= WEB_BACKLOG_BYTES_MAX) {
      client.skips = 0;
      client.socket.send(message);
      return;
    }
    this.#skipped += 1;
    client.skips += 1;
    if (client.skips > WEB_SKIPS_MAX) {
      this.#end(client);
    }
  }

  #pingAll(): void {
    for (const client of this.#clients) {
      if (!client.isAlive) {
        this.#end(client);
        continue;
      }
      client.isAlive = false;
      client.socket.ping();
    }
  }

  #end(client: Client): void {
    this.#ended += 1;
    client.socket.terminate();
  }

  #lookForFlows(): void {
    if (this.#isLooking) {
      return;
    }
    this.#isLooking = true;
    this.#report
      .topFlows({ count: FLOWS_SHOWN })
      .then((flows) => {
        this.#flows = flows;
      })
      .catch((error: unknown) => this.#log.warn(`the largest flows could not be found: ${reasonOf(error)}`))
      .finally(() => {
        this.#isLooking = false;
      });
  }
}
