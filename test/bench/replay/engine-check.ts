// Checks that both flow engines send the same: a run of each that is not timed, over TCP, where nothing is lost and the order is
// that of sending.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { EngineName } from '../../../src/flow/flow-engine.ts';
import { type Account, readAccount } from './account.ts';
import { type Build, type RecordFormat, replayCommand } from './exporters.ts';
import { runMeasured } from './measured-run.ts';
import type { Scenario } from './scenarios.ts';

/** What a collector got, and what the exporter says it has sent. */
export interface Sent extends Account {
  readonly receivedOctets: number;
  /** SHA-256 of all octets in their order. */
  readonly digest: string;
}

/** Replays a capture with both engines, and returns the number of records; throws when they have not sent the same. */
export async function checkEngines(
  build: Build,
  format: RecordFormat,
  file: string,
  scenario: Scenario,
  packets: number,
): Promise<number> {
  const wasm = await replayOverTcp(build, format, 'wasm', file, scenario, packets);
  const typescript = await replayOverTcp(build, format, 'typescript', file, scenario, packets);
  const difference = differenceOf(wasm, typescript);
  if (difference !== undefined) {
    throw new Error(`${scenario.name}, ${format}: the engines have not sent the same: ${difference}.`);
  }
  return wasm.records;
}

/** Returns how the engines differ, as a clause; undefined when they have sent the same. */
export function differenceOf(wasm: Sent, typescript: Sent): string | undefined {
  for (const what of ['records', 'messages', 'octets', 'receivedOctets', 'digest'] as const) {
    if (wasm[what] !== typescript[what]) {
      return `${what} are ${wasm[what]} with wasm, and ${typescript[what]} with typescript`;
    }
  }
  return wasm.receivedOctets === wasm.octets
    ? undefined
    : `of ${wasm.octets} octets that were sent ${wasm.receivedOctets} were received`;
}

async function replayOverTcp(
  build: Build,
  format: RecordFormat,
  engine: EngineName,
  file: string,
  { activeTimeout }: Scenario,
  packets: number,
): Promise<Sent> {
  const hash = createHash('sha256');
  let receivedOctets = 0;
  const server = createServer();
  const connected = once(server, 'connection') as Promise<[Socket]>;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ended = connected.then(([socket]) => {
    socket.on('data', (bytes: Buffer) => {
      receivedOctets += bytes.length;
      hash.update(bytes);
    });
    return once(socket, 'close');
  });
  try {
    const command = replayCommand(build, file, `tcp:127.0.0.1:${port}`, { format, engine, activeTimeout });
    const [{ stdout }] = await Promise.all([runMeasured(command), ended]);
    return { ...readAccount(stdout, packets, engine), receivedOctets, digest: hash.digest('hex') };
  } finally {
    server.close();
  }
}
