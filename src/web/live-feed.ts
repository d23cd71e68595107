// The WebSocket of the live page: sends a complete update to all browsers at the end of each second of the history, and makes none
// while no browser is connected. A browser that reads too slowly misses updates, and in the end loses its connection.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Report } from '../report/report.ts';
import { plainJson, type WebStatus } from '../report/status-document.ts';
import type { Logger } from '../runtime/log.ts';
import type { LiveMessage } from './live-message.ts';

/** Largest number of browsers; one more is refused. */
export const WEB_CLIENTS_MAX = 64;
/** Largest send queue of one browser, in bytes; above it the browser gets no update. */
export const WEB_BACKLOG_BYTES_MAX = 1024 * 1024;
/** Consecutive updates that a browser may miss; then its connection is closed. */
export const WEB_SKIPS_MAX = 30;
/** Largest message of a browser, in bytes; the page sends none. */
const CLIENT_MESSAGE_BYTES_MAX = 1024;

/** Updates between two pings, which detect dead connections. */
const PING_EVERY_UPDATES = 15;

interface Client {
  readonly socket: WebSocket;
  skips: number;
  isAlive: boolean;
}

/** See the head of the file. */
export class LiveFeed {
  readonly #report: Report;
  readonly #log: Logger;
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: CLIENT_MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
  });
  readonly #clients = new Set<Client>();
  #refused = 0;
  #updates = 0;
  #skipped = 0;
  #ended = 0;

  constructor(report: Report, log: Logger) {
    this.#report = report;
    this.#log = log;
  }

  /** Upgrades a request that has access; false when there are too many browsers. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    if (this.#clients.size >= WEB_CLIENTS_MAX) {
      this.#refused += 1;
      this.#log.limited('clients').warn(`browser refused: ${WEB_CLIENTS_MAX} are connected`);
      return false;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#add(webSocket));
    return true;
  }

  stop(): void {
    this.#report.onSecond(undefined);
    for (const { socket } of this.#clients) {
      socket.terminate();
    }
    this.#server.close();
  }

  status(): Omit<WebStatus, 'connections' | 'evicted'> {
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
    socket.on('error', (error) => this.#log.debug(`browser: ${error.message}`));
    socket.once('close', () => this.#clients.delete(client));
    this.#report.onSecond(() => this.#update());
    socket.send(this.#message());
  }

  #update(): void {
    if (this.#clients.size === 0) {
      this.#report.onSecond(undefined);
      return;
    }
    const count = this.#updates;
    this.#updates += 1;
    const message = this.#message();
    for (const client of this.#clients) {
      this.#send(client, message);
    }
    if (count % PING_EVERY_UPDATES === PING_EVERY_UPDATES - 1) {
      this.#pingAll();
    }
  }

  #message(): string {
    const message: LiveMessage = { overview: this.#report.overview() };
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
}
