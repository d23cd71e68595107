// Whether collectors can be reached: the name has an address, and the host accepts a connection or, as far as UDP shows it, does not
// refuse a datagram. That is an IPFIX message without sets (RFC 7011, section 3.1), which no collector counts.

import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { connect, isIPv6 } from 'node:net';
import { parseTarget } from '../../config/target.ts';
import { faultText } from '../../export/fault-text.ts';
import { IPFIX_VERSION, MESSAGE_HEADER_SIZE } from '../../ipfix/protocol.ts';
import type { Clock } from '../../runtime/clock.ts';
import { reasonOf } from '../../runtime/sentence.ts';
import { within } from '../../runtime/within.ts';
import { type Finding, finding } from './finding.ts';

/** Milliseconds to wait for a refusal, which takes a round trip. */
const REFUSAL_MS_MAX = 500;
const LOOKUP_MS_MAX = 3000;
/** Milliseconds to wait for a connection. */
const CONNECT_MS_MAX = 2000;

/** Returns the findings about one target; none for a malformed one, which is the condition `bad-target`. */
export async function checkCollector(text: string, clock: Clock): Promise<Finding[]> {
  const parsed = parseTarget(text);
  if (!('target' in parsed)) {
    return [];
  }
  const { host, port, transport = 'udp' } = parsed.target;
  const where = `Collector ${text}`;
  let address: string;
  try {
    ({ address } = await within(clock, LOOKUP_MS_MAX, 'the name servers do not answer', lookup(host)));
  } catch (error) {
    return [
      finding(
        'error',
        'collector-unknown',
        where,
        `Its name has no address: ${reasonOf(error)}.`,
        `Correct the name in the row's targets, or see what "getent hosts ${host}" says.`,
      ),
    ];
  }
  const refusal =
    transport === 'udp'
      ? await sendEmptyMessage(address, port, clock)
      : await openConnection(address, port, clock);
  if (refusal === undefined) {
    return [];
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

/** Connects and closes; resolves with what prevents it, or undefined. */
function openConnection(address: string, port: number, clock: Clock): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const timer = clock.setTimer(() => end('the host does not answer'), CONNECT_MS_MAX);
    const end = (refusal: string | undefined) => {
      timer.cancel();
      socket.destroy();
      resolve(refusal);
    };
    socket.on('error', (error) => end(faultText(error)));
    socket.once('connect', () => end(undefined));
  });
}

/** Sends the message; resolves with the system's error, or undefined. */
function sendEmptyMessage(address: string, port: number, clock: Clock): Promise<string | undefined> {
  const message = Buffer.alloc(MESSAGE_HEADER_SIZE);
  message.writeUInt16BE(IPFIX_VERSION, 0);
  message.writeUInt16BE(MESSAGE_HEADER_SIZE, 2);
  message.writeUInt32BE(Math.floor(clock.wallMicros() / 1_000_000) >>> 0, 4);
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const timer = clock.setTimer(() => end(undefined), REFUSAL_MS_MAX);
    const end = (refusal: string | undefined) => {
      timer.cancel();
      socket.close();
      resolve(refusal);
    };
    socket.once('error', (error) => end(faultText(error)));
    socket.connect(port, address, () => socket.send(message));
  });
}
