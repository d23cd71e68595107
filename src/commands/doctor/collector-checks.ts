// Whether collectors can be reached, as far as that can be known: a name has an address, and nothing says that nobody
// listens. What is sent is an IPFIX message without any set (RFC 7011, section 3.1), which no collector counts.

import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import { parseTarget } from '../../config/target.ts';
import { faultText } from '../../export/fault-text.ts';
import { IPFIX_VERSION, MESSAGE_HEADER_SIZE } from '../../ipfix/protocol.ts';
import type { Clock } from '../../runtime/clock.ts';
import { reasonOf } from '../../runtime/sentence.ts';
import { within } from '../../runtime/within.ts';
import { type Finding, finding } from './finding.ts';

/** A refusal comes within a round trip. */
const REFUSAL_MS_MAX = 500;
const LOOKUP_MS_MAX = 3000;

/** Findings about one target; none for one that is no target, which the rows' conditions name. */
export async function checkCollector(text: string, clock: Clock): Promise<Finding[]> {
  const parsed = parseTarget(text);
  if (!('target' in parsed)) {
    return [];
  }
  const { host, port } = parsed.target;
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
  const refusal = await sendEmptyMessage(address, port, clock);
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

/** What the system says of it, if anything. */
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
