// Whether collectors can be reached: the name has an address, and the host accepts a connection or, as far as UDP shows it, does not
// refuse a datagram. That is an IPFIX message without sets (RFC 7011, section 3.1), which no collector counts. Where the doctor has the
// TLS files, a TLS session is opened and closed.

import { createSocket } from 'node:dgram';
import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { CollectorTarget } from '../../export/collector-session.ts';
import { faultText } from '../../export/fault-text.ts';
import { bindSocket, sourceFault, sourceFor, sourceOfName } from '../../export/source-binding.ts';
import { connectTls, explainedTls, whenAccepted } from '../../export/tls-connection.ts';
import { IPFIX_VERSION, MESSAGE_HEADER_SIZE } from '../../ipfix/protocol.ts';
import type { Clock } from '../../runtime/clock.ts';
import { codeOf } from '../../runtime/error-code.ts';
import { reasonOf } from '../../runtime/sentence.ts';
import { isTlsFault, partsOfFault } from '../../runtime/tls-fault.ts';
import type { TlsClientFiles } from '../../runtime/tls-files.ts';
import { within } from '../../runtime/within.ts';
import { type Finding, finding } from './finding.ts';

/** Milliseconds to wait for a refusal, which takes a round trip. */
const REFUSAL_MS_MAX = 500;
const LOOKUP_MS_MAX = 3000;
/** Milliseconds to wait for a connection. */
const CONNECT_MS_MAX = 2000;

/**
 * Returns the findings about one target; what a running daemon knows better is also a condition. `files` are the TLS files of the target;
 * without them only a connection is opened.
 */
export async function checkCollector(
  target: CollectorTarget,
  files: TlsClientFiles | undefined,
  clock: Clock,
): Promise<Finding[]> {
  const { host, text, transport = 'udp' } = target;
  if (transport === 'file') {
    // Only the daemon knows its folder.
    return [];
  }
  const where = `Collector ${text}`;
  const family = familyOf(target);
  let resolved: LookupAddress;
  try {
    const answer = lookup(host, { family });
    resolved = await within(clock, LOOKUP_MS_MAX, 'the name servers do not answer', answer);
  } catch (error) {
    return [
      finding(
        'error',
        'collector-unknown',
        where,
        `Its name has no ${family === 0 ? '' : `IPv${family} `}address: ${reasonOf(error)}.`,
        `Correct the name in the row's targets, or see what "getent hosts ${host}" says.`,
      ),
    ];
  }
  // Without a source address of the family nothing can be opened.
  const open =
    transport === 'udp'
      ? sendEmptyMessage(target, resolved, clock)
      : transport === 'tls' && files !== undefined
        ? openTlsSession(target, files, clock)
        : openConnection(target, clock);
  const refusal = await open.catch(refusalOf);
  if (refusal === undefined) {
    return [];
  }
  if (typeof refusal !== 'string') {
    const { wrong, action } = partsOfFault(refusal.tlsFault);
    return [finding('error', 'collector-tls-refused', where, `No TLS session with it: ${wrong}.`, action)];
  }
  return [
    finding(
      'error',
      'collector-refuses',
      where,
      `Nothing can be sent to it: ${refusal}.`,
      "Start the collector, or correct address and port in the row's targets.",
    ),
  ];
}

/** What keeps a collector from being reached: a clause, or a fault of TLS. */
type Refusal = string | { readonly tlsFault: string };

function refusalOf(error: unknown): Refusal {
  return isTlsFault(codeOf(error) ?? '') ? { tlsFault: reasonOf(error) } : faultText(error);
}

/** Returns the only family that a name may have an address of; 0: it may be any. */
function familyOf({ source }: CollectorTarget): 0 | 4 | 6 {
  if (source === undefined || (source.ipv4 !== undefined && source.ipv6 !== undefined)) {
    return 0;
  }
  return source.ipv4 === undefined ? 6 : 4;
}

/** Connects and closes; resolves with what prevents it, or undefined. */
async function openConnection(target: CollectorTarget, clock: Clock): Promise<string | undefined> {
  const { host, port } = target;
  const source = sourceOfName(target);
  return new Promise((resolve) => {
    const socket = connect({ host, port, ...source });
    const timer = clock.setTimer(() => end('the host does not answer'), CONNECT_MS_MAX);
    const end = (refusal: string | undefined) => {
      timer.cancel();
      socket.destroy();
      resolve(refusal);
    };
    socket.on('error', (error) => end(faultText(sourceFault(error, source.localAddress))));
    socket.once('connect', () => end(undefined));
  });
}

/** Opens a TLS session and closes it; resolves with what prevents it, or undefined. */
async function openTlsSession(
  target: CollectorTarget,
  files: TlsClientFiles,
  clock: Clock,
): Promise<Refusal | undefined> {
  const { localAddress } = sourceOfName(target);
  return new Promise((resolve, reject) => {
    const use = (socket: TLSSocket) => {
      const timer = clock.setTimer(() => end('it does not answer'), CONNECT_MS_MAX);
      const end = (refusal: Refusal | undefined) => {
        timer.cancel();
        socket.destroy();
        resolve(refusal);
      };
      socket.on('error', (error) =>
        end(refusalOf(explainedTls(error, files) ?? sourceFault(error, localAddress))),
      );
      whenAccepted(socket, clock, () => end(undefined));
    };
    connectTls(target, files, use).catch(reject);
  });
}

/** Sends the message; resolves with the system's error, or undefined. */
async function sendEmptyMessage(
  target: CollectorTarget,
  resolved: LookupAddress,
  clock: Clock,
): Promise<string | undefined> {
  const source = sourceFor(target, resolved);
  const message = Buffer.alloc(MESSAGE_HEADER_SIZE);
  message.writeUInt16BE(IPFIX_VERSION, 0);
  message.writeUInt16BE(MESSAGE_HEADER_SIZE, 2);
  message.writeUInt32BE(Math.floor(clock.wallMicros() / 1_000_000) >>> 0, 4);
  return new Promise((resolve) => {
    const socket = createSocket(resolved.family === 6 ? 'udp6' : 'udp4');
    const timer = clock.setTimer(() => end(undefined), REFUSAL_MS_MAX);
    const end = (refusal: string | undefined) => {
      timer.cancel();
      socket.close();
      resolve(refusal);
    };
    socket.once('error', (error) => end(faultText(error)));
    const connect = () => socket.connect(target.port, resolved.address, () => socket.send(message));
    bindSocket(socket, source).then(connect, (error: unknown) => end(faultText(error)));
  });
}
