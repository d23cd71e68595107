// OVS's connection methods (ovs-vswitchd(8), "unix:FILE", "tcp:HOST:PORT", "ssl:HOST:PORT"): parses, formats and dials
// them. The protocol over the stream and reconnecting are the caller's (see keeper.ts).

import { readFile } from 'node:fs/promises';
import { connect as connectPlain, isIPv6 } from 'node:net';
import { isAbsolute, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import type { Clock } from './clock.ts';
import type { ReadMemory } from './read-memory.ts';
import { runDirectory } from './rundir.ts';
import { safeName } from './safe-text.ts';
import { reasonOf } from './sentence.ts';
import { explainTls, tlsFault } from './tls-fault.ts';

/** Where to connect to. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp' | 'ssl'; readonly host: string; readonly port: number };

/** The stable codes of {@link EndpointError}. */
export type EndpointErrorCode =
  | 'ENDPOINT_SYNTAX'
  | 'ENDPOINT_TIMEOUT'
  | 'ENDPOINT_ABORTED'
  | 'ENDPOINT_UNREACHABLE'
  | 'ENDPOINT_TLS_FILES';

/** A connection method that cannot be parsed, or an endpoint that cannot be reached. */
export class EndpointError extends Error {
  readonly code: EndpointErrorCode;

  constructor(code: EndpointErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'EndpointError';
    this.code = code;
  }
}

/** Defaults for the parts that a connection method may omit. */
export interface EndpointDefaults {
  /** 6640 for OVSDB, 6653 for OpenFlow. */
  readonly defaultPort: number;
  /** Directory of `unix:` paths that are not absolute. Default: OVS's run directory. */
  readonly directory?: string;
}

/** The longest path that fits into sockaddr_un, in bytes. */
export const UNIX_PATH_BYTES_MAX = 107;

/** Parses one connection method. Throws {@link EndpointError}. */
export function parseEndpoint(text: string, defaults: EndpointDefaults): Endpoint {
  const colon = text.indexOf(':');
  const kind = colon < 0 ? text : text.slice(0, colon);
  const rest = colon < 0 ? '' : text.slice(colon + 1);
  if (kind === 'unix') {
    return parseUnix(text, rest, defaults);
  }
  if (kind === 'tcp' || kind === 'ssl') {
    return { kind, ...parseHostPort(text, rest, defaults.defaultPort) };
  }
  throw syntax(text, 'write unix:FILE, tcp:HOST[:PORT] or ssl:HOST[:PORT]');
}

/** Parses a list of connection methods, separated by commas. Throws {@link EndpointError}. */
export function parseEndpoints(text: string, defaults: EndpointDefaults): Endpoint[] {
  // No method contains a comma: a path with one cannot be written in OVS either.
  return text.split(',').map((part) => parseEndpoint(part.trim(), defaults));
}

/** Whether a path fits into the address of a unix socket; Node.js cuts off what is beyond. */
export function isUnixPath(path: string): boolean {
  return Buffer.byteLength(path) <= UNIX_PATH_BYTES_MAX;
}

/** Returns the text of a connection method for showing, with the defaults filled in. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') {
    return `unix:${safeName(endpoint.path)}`;
  }
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `${endpoint.kind}:${host}:${endpoint.port}`;
}

function parseUnix(text: string, path: string, defaults: EndpointDefaults): Endpoint {
  if (path === '') {
    throw syntax(text, 'the path of the socket is missing after "unix:"');
  }
  const absolute = isAbsolute(path) ? path : join(defaults.directory ?? runDirectory(), path);
  requireUnixPath(text, absolute);
  return { kind: 'unix', path: absolute };
}

function parseHostPort(text: string, rest: string, defaultPort: number): { host: string; port: number } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(rest);
  const plain = /^([^:[\]]*)(?::([^:]*))?$/.exec(rest);
  const [, host, portText] = bracketed ?? plain ?? [];
  if (host === undefined) {
    throw syntax(text, 'write an IPv6 address in brackets, as in tcp:[::1]:6640');
  }
  if (bracketed !== null && !isIPv6(host)) {
    throw syntax(text, `"${host}" is not a valid IPv6 address`);
  }
  if (bracketed === null && !/^[A-Za-z0-9_.-]+$/.test(host)) {
    throw syntax(text, host === '' ? 'the host is missing' : `"${host}" is not a valid host name or address`);
  }
  if (portText === undefined) {
    return { host, port: defaultPort };
  }
  const port = Number(portText);
  if (!/^[0-9]{1,5}$/.test(portText) || port < 1 || port > 65_535) {
    throw syntax(text, `"${portText}" is not a valid port number (1 to 65535)`);
  }
  return { host, port };
}

function requireUnixPath(text: string, path: string): void {
  if (!isUnixPath(path)) {
    throw syntax(text, `the path of a unix socket has at most ${UNIX_PATH_BYTES_MAX} bytes`);
  }
}

function syntax(text: string, detail: string): EndpointError {
  return new EndpointError('ENDPOINT_SYNTAX', `"${text}" is not a valid connection method: ${detail}.`);
}

/** The files of `-p`, `-c` and `-C`, as OVS's programs name them (PEM). */
export interface TlsFiles {
  readonly privateKeyFile: string;
  readonly certificateFile: string;
  readonly caFile: string;
}

/** Options of `dial`. */
export interface DialOptions {
  readonly clock: Clock;
  /** Time limit of the attempt, TLS handshake included. Default: `DIAL_TIMEOUT_MS`. */
  readonly timeoutMs?: number;
  /** Aborts the attempt. */
  readonly signal?: AbortSignal;
  /** Required for `ssl:` endpoints. */
  readonly tls?: TlsFiles;
  /** The buffer that the socket reads into, instead of 'data' events. Not for `ssl:`: TLS allocates its own buffers. */
  readonly readMemory?: ReadMemory;
}

/** Default time limit of an attempt to connect, in milliseconds. */
export const DIAL_TIMEOUT_MS = 5000;

/** Connects and returns a writable stream. An `ssl:` peer's certificate has been verified with the CA certificate. */
export async function dial(endpoint: Endpoint, options: DialOptions): Promise<Duplex> {
  const name = formatEndpoint(endpoint);
  const secureContext = endpoint.kind === 'ssl' ? await readTlsFiles(name, options.tls) : undefined;
  if (options.signal?.aborted) {
    throw new EndpointError('ENDPOINT_ABORTED', `The connection to ${name} was aborted before it began.`);
  }
  if (endpoint.kind === 'unix') {
    requireUnixPath(name, endpoint.path);
  }
  const reading = options.readMemory === undefined ? {} : { onread: options.readMemory.onread };
  return new Promise((resolve, reject) => {
    // As in OVS, the peer's certificate is verified with the CA certificate, but its name is not compared with the host.
    const socket =
      endpoint.kind === 'unix'
        ? connectPlain({ path: endpoint.path, ...reading })
        : secureContext === undefined
          ? connectPlain({ host: endpoint.host, port: endpoint.port, noDelay: true, ...reading })
          : connectTls({
              host: endpoint.host,
              port: endpoint.port,
              secureContext,
              checkServerIdentity: () => undefined,
            });
    if (secureContext !== undefined) {
      // The first listener: all others see the explanation.
      socket.on('error', explainTls);
    }
    const onAbort = () =>
      fail(new EndpointError('ENDPOINT_ABORTED', `The connection to ${name} was aborted.`));
    const onError = (cause: Error) =>
      fail(
        new EndpointError('ENDPOINT_UNREACHABLE', `Cannot connect to ${name}: ${reasonOf(cause)}.`, cause),
      );
    const timeoutMs = options.timeoutMs ?? DIAL_TIMEOUT_MS;
    const timer = options.clock.setTimer(
      () => fail(new EndpointError('ENDPOINT_TIMEOUT', `Cannot connect to ${name} within ${timeoutMs} ms.`)),
      timeoutMs,
    );
    const settle = () => {
      timer.cancel();
      options.signal?.removeEventListener('abort', onAbort);
      socket.off('error', onError);
    };
    const fail = (error: EndpointError) => {
      settle();
      // Without a listener a late error of the discarded socket would end the process.
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    socket.on('error', onError);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    socket.once(secureContext === undefined ? 'connect' : 'secureConnect', () => {
      settle();
      resolve(socket);
    });
  });
}

async function readTlsFiles(name: string, files: TlsFiles | undefined): Promise<SecureContext> {
  if (files === undefined) {
    throw new EndpointError(
      'ENDPOINT_TLS_FILES',
      `${name} needs a private key, a certificate and the CA certificate of the peer (-p, -c, -C).`,
    );
  }
  try {
    const [key, cert, ca] = await Promise.all([
      readFile(files.privateKeyFile),
      readFile(files.certificateFile),
      readFile(files.caFile),
    ]);
    return createSecureContext({ key, cert, ca });
  } catch (cause) {
    const fault = cause instanceof Error ? tlsFault(cause) : undefined;
    throw new EndpointError(
      'ENDPOINT_TLS_FILES',
      `Cannot use the TLS files for ${name}: ${fault ?? reasonOf(cause)}.`,
      cause,
    );
  }
}
