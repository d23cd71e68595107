// `npm run test:fleet`: a hundred exporters of ours, each a process with an address and an observation domain of its own, export bursts
// of records to nfacctd, which writes rows into PostgreSQL, and to nfcapd. Each record must be one row of the right exporter.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pcapFile } from '../support/captures.ts';
import { drained, startNfacctd, startNfcapd } from '../support/collectors.ts';
import { udpFrame } from '../support/frames.ts';
import { POSTGRES_DATABASE, POSTGRES_USER, Postgres } from '../support/postgres.ts';
import { runProgram } from '../support/process.ts';
import { DAEMON_FILE } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

const { values } = parseArgs({
  options: {
    exporters: { type: 'string', default: '100' },
    records: { type: 'string', default: '1000' },
    /** Exporters that send at the same time. */
    jobs: { type: 'string', default: '8' },
    postgres: { type: 'string', default: '/usr/lib/postgresql/15/bin' },
  },
});
const EXPORTERS = Number(values.exporters);
const RECORDS = Number(values.records);
/** Bytes of a receive buffer in the kernel: a burst of all jobs fits. */
const RECEIVE_BYTES = 4_194_304;
const FIRST_PORT = 1000;
const BEGIN = 1_700_000_000_000_000;

const TABLE = `create table acct (peer_ip_src inet, ip_src inet, ip_dst inet, port_src int, port_dst int,
  ip_proto smallint, packets bigint, bytes bigint, flows bigint)`;
const PER_EXPORTER = `select host(peer_ip_src), count(*), count(distinct port_src), min(port_src), max(port_src), sum(packets)
  from acct group by 1`;

/** Returns the address of an exporter: all of 127.0.0.0/8 are addresses of loopback. */
const addressOf = (exporter: number) => `127.1.${exporter >> 8}.${exporter & 255}`;

async function runExporter(file: string, exporter: number, targets: readonly string[]): Promise<number> {
  const to = targets.flatMap((target) => ['--to', target]);
  const identity = ['--source-address', addressOf(exporter), '--observation-domain-id', String(exporter)];
  const args = [DAEMON_FILE, 'replay', file, '--format', 'json', ...to, ...identity];
  const summary = JSON.parse(await runProgram(process.execPath, args, { timeoutMs: 60_000 })) as {
    readonly seconds: number;
    readonly collectors: readonly { readonly recordsSent: number; readonly recordsLost: number }[];
  };
  for (const { recordsSent, recordsLost } of summary.collectors) {
    assert.deepEqual([recordsSent, recordsLost], [RECORDS, 0], `exporter ${exporter}`);
  }
  return summary.seconds;
}

/** Runs all exporters, some at a time; returns the seconds that it took. */
async function runFleet(file: string, targets: readonly string[]): Promise<number> {
  const waiting = Array.from({ length: EXPORTERS }, (_, index) => 1 + index);
  const begin = performance.now();
  const work = async () => {
    for (let exporter = waiting.shift(); exporter !== undefined; exporter = waiting.shift()) {
      await runExporter(file, exporter, targets);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  return (performance.now() - begin) / 1000;
}

/** Each exporter has each of its records as one row. */
function checkRows(rows: readonly string[]): void {
  const last = FIRST_PORT + RECORDS - 1;
  const expected = Array.from(
    { length: EXPORTERS },
    (_, index) => `${addressOf(1 + index)}|${RECORDS}|${RECORDS}|${FIRST_PORT}|${last}|${RECORDS}`,
  );
  assert.deepEqual(rows.toSorted(), expected.toSorted());
}

/** Each exporter has each of its records in the files of nfcapd, by the address that they came from. */
function checkLines(text: string): void {
  const ports = new Map<string, Set<string>>();
  for (const [address = '', port = ''] of text.split('\n').map((line) => line.trim().split(/\s+/u))) {
    if (address !== '') {
      ports.set(address, (ports.get(address) ?? new Set()).add(port));
    }
  }
  const counts = Array.from({ length: EXPORTERS }, (_, index) => ports.get(addressOf(1 + index))?.size ?? 0);
  assert.deepEqual(
    counts,
    Array.from({ length: EXPORTERS }, () => RECORDS),
  );
}

/** Waits for so many rows, or until their number has not changed for some polls of half a second. */
async function waitForRows(total: string, isEnough: (unchangedCount: number) => boolean): Promise<void> {
  let before: string | undefined;
  let unchangedCount = 0;
  await waitFor(
    async () => {
      const [rows] = await postgres.query('select count(*) from acct');
      unchangedCount = rows === before ? unchangedCount + 1 : 0;
      before = rows;
      return rows === total || isEnough(unchangedCount);
    },
    { what: `${total} rows`, timeoutMs: 30_000, intervalMs: 500 },
  );
}

const folder = await mkdtemp(join(tmpdir(), 'fleet-'));
const postgres = await Postgres.start(values.postgres);
await postgres.query(TABLE);
const nfacctd = await startNfacctd('peer_src_ip,src_host,dst_host,src_port,dst_port,proto', {
  plugins: 'pgsql',
  nfacctd_pipe_size: String(RECEIVE_BYTES),
  plugin_pipe_size: '67108864',
  plugin_buffer_size: '65536',
  sql_host: postgres.folder,
  sql_user: POSTGRES_USER,
  sql_db: POSTGRES_DATABASE,
  sql_table: 'acct',
  sql_optimize_clauses: 'true',
  sql_dont_try_update: 'true',
  sql_num_protos: 'true',
  sql_refresh_time: '2',
  sql_cache_entries: '262139',
});
const nfcapd = await startNfcapd(['-o', 'fmt:%ra %sp'], ['-B', String(RECEIVE_BYTES)]);
let ends: Promise<readonly string[]> | undefined;
/** Ends both collectors, once: nfacctd writes the rest of a buffer then, and nfcapd's files are complete. */
const stopCollectors = () => {
  ends ??= Promise.all([nfacctd.stop(), nfcapd.stop()]);
  return ends;
};
try {
  const frames = Array.from({ length: RECORDS }, (_, index) => udpFrame({ sourcePort: FIRST_PORT + index }));
  const file = join(folder, 'flows.pcap');
  await writeFile(file, pcapFile(frames.map((frame) => ({ micros: BEGIN, frame }))));
  const seconds = await runFleet(file, [nfacctd.target, nfcapd.target]);
  const dropped = (await drained(nfacctd.port)) + (await drained(nfcapd.port));
  assert.equal(dropped, 0, 'messages that found a receive buffer full');
  const total = String(EXPORTERS * RECORDS);
  await waitForRows(total, (unchanged) => unchanged === 10);
  const [, captured = ''] = await stopCollectors();
  await waitForRows(total, () => false);
  checkRows(await postgres.query(PER_EXPORTER));
  checkLines(captured);
  process.stdout.write(
    `${EXPORTERS} exporters sent ${total} records to each of 2 collectors in ${seconds.toFixed(1)} s, ${values.jobs} at a time; ` +
      `${total} rows in PostgreSQL, ${total} records in nfcapd, none missing\n`,
  );
} finally {
  await stopCollectors();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
