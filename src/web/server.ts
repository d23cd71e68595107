// The HTTP server of --web: the live page, its WebSocket, the status document, traffic, flows, records, findings of the doctor and
// the metrics. Read-only.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';
import sirv from 'sirv';
import { FLOW_WORDS_MAX, readFlowRequest } from '../report/flow-request.ts';
import { Metrics } from '../report/metrics.ts';
import type { Report } from '../report/report.ts';
import { plainJson, statusJson, type WebStatus } from '../report/status-document.ts';
import { shownCondition } from '../report/traffic/overview.ts';
import { isTrafficRequest, readTrafficRequest } from '../report/traffic/traffic-request.ts';
import { UnknownWord } from '../report/unknown-word.ts';
import { addressText } from '../runtime/address-text.ts';
import type { Clock } from '../runtime/clock.ts';
import { ConnectionLimit } from '../runtime/connection-limit.ts';
import { type ListenAddress } from '../runtime/listen-address.ts';
import type { Logger } from '../runtime/log.ts';
import { safeText } from '../runtime/safe-text.ts';
import { reasonOf } from '../runtime/sentence.ts';
import { Access, type Verdict } from './access.ts';
import { Examination, type Examine } from './examination.ts';
import { LiveFeed } from './live-feed.ts';
import { type DoctorDocument, flowsDocument, type RecordsDocument } from './live-message.ts';

/** Largest number of connections, including WebSockets; one more replaces the one whose last request is the oldest. */
export const WEB_CONNECTIONS_MAX = 256;
/** Largest number of searches for flows at a time; one more is refused. */
export const FLOW_SEARCHES_MAX = 4;
/** Records of each exporter in /records.json. */
const RECORDS_SHOWN = 20;
/** Largest header of a request, in bytes; a longer one is refused. */
const HEADER_BYTES_MAX = 16_384;
/** Milliseconds in which a request must be complete. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Options of `WebServer`. */
export interface WebServerOptions {
  readonly listen: ListenAddress;
  /** The token that clients need; undefined: every client has access. */
  readonly token: string | undefined;
  /** The folder with the page's files. */
  readonly folder: string;
  readonly report: Report;
  /** Examines as the doctor does. */
  readonly examine: Examine;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Headers of each response: no content of other hosts, no embedding in other pages, no guessed types. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/** See the head of the file. */
export class WebServer {
  readonly #options: WebServerOptions;
  readonly #access: Access;
  readonly #feed: LiveFeed;
  readonly #metrics: Metrics;
  readonly #examination: Examination;
  readonly #files: ReturnType<typeof sirv>;
  /** WebSockets, of which there are fewer than the limit, are never closed for others. */
  readonly #connections = new ConnectionLimit<Duplex>(WEB_CONNECTIONS_MAX, (socket) => socket.destroy());
  #server: Server | undefined;
  #searchCount = 0;
  /** Answers by path; the others are files. None rejects. */
  readonly #answers = new Map<string, (request: IncomingMessage, response: ServerResponse) => unknown>([
    ['/status.json', (_, response) => sendJson(response, statusJson(this.#options.report.status()))],
    ['/flows.json', (request, response) => this.#answerFlows(request, response)],
    ['/records.json', (_, response) => this.#answerRecords(response)],
    ['/doctor.json', (_, response) => this.#answerDoctor(response)],
    ['/metrics', (_, response) => this.#answerMetrics(response)],
  ]);

  constructor(options: WebServerOptions) {
    this.#options = options;
    this.#access = new Access(options.token, [hostname()]);
    this.#feed = new LiveFeed(options.report, options.log);
    this.#examination = new Examination(options.examine, options.clock);
    this.#metrics = new Metrics(options.report);
    // `dev`: sirv looks files up for each request. Otherwise it keeps a list, and a listed file that an upgrade removes ends the
    // daemon with the unhandled error of a stream.
    this.#files = sirv(options.folder, { etag: true, dev: true });
  }

  /** Listens and returns the address; rejects with a sentence when it cannot. */
  async start(): Promise<ListenAddress> {
    const { listen, log } = this.#options;
    const server = createServer(
      { maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: REQUEST_TIMEOUT_MS },
      (request, response) => this.#answer(request, response),
    );
    server.on('connection', (socket) => {
      this.#connections.admit(socket);
      socket.once('close', () => this.#connections.remove(socket));
    });
    server.on('request', ({ socket }) => this.#connections.used(socket, false));
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(
          new Error(
            `The page cannot listen on ${addressText(listen.host, listen.port)}: ${reasonOf(cause)}. Choose another address with --web.`,
            {
              cause,
            },
          ),
        ),
      );
      server.listen(listen.port, listen.host, resolve);
    });
    server.on('error', (error) => log.warn(`http server: ${error.message}`));
    this.#server = server;
    const address = server.address();
    return {
      host: listen.host,
      port: typeof address === 'object' && address !== null ? address.port : listen.port,
    };
  }

  /** Stops listening and closes all connections. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) {
      return;
    }
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    this.#feed.stop();
    server.closeAllConnections();
    await closed;
  }

  status(): WebStatus {
    return {
      ...this.#feed.status(),
      connections: this.#connections.size,
      evicted: this.#connections.status().evicted,
    };
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
      response.setHeader(name, value);
    }
    const verdict = this.#access.check(request);
    if (verdict.kind === 'refused') {
      say(response, verdict.status, verdict.sentence);
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      say(response, 405, 'This server is read-only.');
    } else if (verdict.kind === 'remember') {
      response.setHeader('Set-Cookie', verdict.cookie);
      response.setHeader('Location', '/');
      say(response, 303, 'The token is stored in a cookie.');
    } else {
      this.#route(request, response);
    }
  }

  #route(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '/').split('?', 1)[0];
    const answer = this.#answers.get(path ?? '');
    if (answer !== undefined) {
      void answer(request, response);
    } else if (path === '/ws') {
      say(response, 426, 'This path is a WebSocket.');
    } else {
      response.setHeader('Cache-Control', 'no-cache');
      // The files are small, and some ranges make sirv throw.
      delete request.headers.range;
      this.#files(request, response, () => say(response, 404, `There is nothing at ${path}.`));
    }
  }

  async #answerMetrics(response: ServerResponse): Promise<void> {
    try {
      send(response, this.#metrics.contentType, await this.#metrics.text());
    } catch (error) {
      this.#options.log.error(`metrics failed: ${reasonOf(error)}`);
      say(response, 500, 'The metrics could not be generated; see the log.');
    }
  }

  async #answerDoctor(response: ServerResponse): Promise<void> {
    try {
      const { micros, findings } = await this.#examination.find();
      const document: DoctorDocument = {
        ageSeconds: Math.round((this.#options.clock.monotonicMicros() - micros) / 1_000_000),
        findings: findings.map(shownCondition),
      };
      sendJson(response, plainJson(document));
    } catch (error) {
      this.#options.log.error(`examination failed: ${reasonOf(error)}`);
      say(response, 500, 'The examination failed; see the log, or run "ovs-ipfix doctor".');
    }
  }

  #answerRecords(response: ServerResponse): void {
    const records = this.#options.report.lastRecords(RECORDS_SHOWN).map(({ values }) => values);
    sendJson(response, plainJson({ records } satisfies RecordsDocument));
  }

  /** Answers with the traffic of a window. */
  #answerTraffic(words: readonly string[], response: ServerResponse): void {
    const found = this.#options.report.traffic(readTrafficRequest(words));
    if (found === undefined) {
      response.setHeader('Retry-After', '1');
      say(response, 503, 'Too many different views are asked for; try again.');
    } else {
      sendJson(response, plainJson(found));
    }
  }

  /**
   * Answers with the traffic of a window, or with the largest flows in the caches, that match the query, whose parameters are the
   * words of `flows`. Never rejects.
   */
  async #answerFlows(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const query = new URLSearchParams((request.url ?? '').split('?').slice(1).join('?'));
    const words = [...query].map(([key, value]) => `${key}=${value}`);
    if (words.length > FLOW_WORDS_MAX) {
      say(response, 400, `The query has more than ${FLOW_WORDS_MAX} parameters.`);
      return;
    }
    if (isTrafficRequest(words)) {
      refusing(response, () => this.#answerTraffic(words, response));
      return;
    }
    if (this.#searchCount >= FLOW_SEARCHES_MAX) {
      response.setHeader('Retry-After', '1');
      say(response, 503, `${FLOW_SEARCHES_MAX} searches are running; try again.`);
      return;
    }
    this.#searchCount += 1;
    try {
      const found = await this.#options.report.topFlows(readFlowRequest(words));
      sendJson(response, plainJson(flowsDocument(found)));
    } catch (error) {
      if (error instanceof UnknownWord) {
        say(response, 400, error.message);
      } else {
        this.#options.log.error(`largest flows not found: ${reasonOf(error)}`);
        say(response, 500, 'The flows could not be searched; see the log.');
      }
    } finally {
      this.#searchCount -= 1;
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Until the WebSocket handles errors, a failing connection must not end the daemon.
    socket.on('error', () => socket.destroy());
    const verdict: Verdict = this.#access.check(request);
    if (verdict.kind === 'refused') {
      refuse(socket, verdict.status);
    } else if ((request.url ?? '').split('?', 1)[0] !== '/ws') {
      refuse(socket, 404);
    } else if (this.#feed.accept(request, socket, head)) {
      this.#connections.used(socket, true);
    } else {
      refuse(socket, 503);
    }
  }
}

/** Answers; a word that is not valid is the client's fault. */
function refusing(response: ServerResponse, answer: () => void): void {
  try {
    answer();
  } catch (error) {
    if (!(error instanceof UnknownWord)) {
      throw error;
    }
    say(response, 400, error.message);
  }
}

function sendJson(response: ServerResponse, text: string): void {
  send(response, 'application/json; charset=utf-8', text);
}

function send(response: ServerResponse, contentType: string, text: string): void {
  response.writeHead(200, { 'Content-Type': contentType, 'Cache-Control': 'no-store' });
  response.end(text);
}

function say(response: ServerResponse, status: number, sentence: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' });
  // It may quote the request.
  response.end(`${safeText(sentence)}\n`);
}

function refuse(socket: Duplex, status: number): void {
  socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
