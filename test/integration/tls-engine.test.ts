// Engines of others over TLS: a server of OpenSSL, which demands a certificate, and behind it libfixbuf's ipfixDump, which reads the
// stream of messages and prints each record.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pcapFile } from '../support/captures.ts';
import { certificateArguments, createTlsBench } from '../support/collector-tls.ts';
import { freeUdpPort, listening } from '../support/collectors.ts';
import { udpFrame } from '../support/frames.ts';
import { BackgroundProgram, runProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';

const FLOWS = 5000;
/** The server needs a standard input that does not end: a pipe that this shell has open. It ends after one connection. */
const PIPELINE = `set -o pipefail; mkfifo "$1"; exec 3<>"$1"; shift
openssl s_server -quiet -naccept 1 -Verify 1 -verify_return_error "$@" <&3 | ipfixDump`;

test('each record of a burst over TLS is printed once and in order', tier('daemon', 'fixbuf'), async (t) => {
  const bench = await createTlsBench();
  const folder = await mkdtemp(join(tmpdir(), 'tls-engine-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const port = await freeUdpPort();
  const { server, ca } = bench;
  const files = ['-cert', server.cert, '-key', server.key, '-CAfile', ca.cert];
  const args = ['-c', PIPELINE, 'bash', join(folder, 'input'), '-accept', `127.0.0.1:${port}`, ...files];
  const engine = await BackgroundProgram.start('bash', args);
  t.after(() => engine.stop());
  await listening(port, engine, 'tcp');
  const capture = join(folder, 'flows.pcap');
  const ports = Array.from({ length: FLOWS }, (_, index) => 1 + index);
  const frames = ports.map((sourcePort) => udpFrame({ sourcePort }));
  await writeFile(capture, pcapFile(frames.map((frame) => ({ micros: 1_700_000_000_000_000, frame }))));
  const to = ['--format', 'json', '--to', `tls:localhost:${port}`, ...certificateArguments(bench)];
  const summary = JSON.parse(
    await runProgram(process.execPath, [DAEMON_FILE, 'replay', capture, ...to], { timeoutMs: 30_000 }),
  ) as { readonly collectors: readonly { readonly recordsSent: number; readonly recordsLost: number }[] };
  assert.deepEqual(
    summary.collectors.map(({ recordsSent, recordsLost }) => [recordsSent, recordsLost]),
    [[FLOWS, 0]],
  );
  assert.deepEqual(await engine.exited, { exitCode: 0, signal: null });
  const printed = engine.stdout.matchAll(/sourceTransportPort : (\d+)/gu);
  assert.deepEqual(
    Array.from(printed, ([, number]) => Number(number)),
    ports,
  );
});
