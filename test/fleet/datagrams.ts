// The fleet into collectors over UDP: nfacctd, with the files of the compose profile `fleet` and PostgreSQL, and nfcapd.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { drained, startNfacctd, startNfcapd } from '../support/collectors.ts';
import { POSTGRES_DATABASE, POSTGRES_USER, Postgres } from '../support/postgres.ts';
import { processorSecondsOf, processorSecondsOfTree } from '../support/processor-usage.ts';
import { waitFor } from '../support/wait.ts';
import { checkDashboard } from './dashboard.ts';
import { addressOf, exportersOf, FIRST_PORT, type FleetSize, runFleet } from './fleet.ts';

const FOLDER = join(import.meta.dirname, '..', '..', 'docker', 'fleet');
/** Settings of the container that are other ones here. */
const OF_THE_CONTAINER = new Set(['nfacctd_ip', 'nfacctd_port', 'nfacctd_templates_file']);
const PER_EXPORTER = `select host(peer_ip_src), count(*), count(distinct port_src), min(port_src), max(port_src), sum(packets)
  from acct group by 1`;

/** What a run has found. */
export interface FleetResult {
  readonly seconds: number;
  /** Processor time in seconds by the name of what used it. */
  readonly processorSeconds: Readonly<Record<string, number>>;
  readonly notes: readonly string[];
}

/** Reads nfacctd's settings of the compose profile. */
function composedSettings(): Readonly<Record<string, string>> {
  const lines = readFileSync(join(FOLDER, 'nfacctd.conf'), 'utf8').split('\n');
  const pairs = lines.flatMap((line) => {
    const { key = '', value = '' } = /^(?<key>\w+):\s*(?<value>.*)$/u.exec(line)?.groups ?? {};
    return key === '' || OF_THE_CONTAINER.has(key) ? [] : [[key, value] as const];
  });
  assert.ok(pairs.length > 8);
  return Object.fromEntries(pairs);
}

/** Each exporter has each of its records as one row. */
function checkRows(rows: readonly string[], size: FleetSize): void {
  const { records } = size;
  const last = FIRST_PORT + records - 1;
  const expected = exportersOf(size).map(
    (exporter) => `${addressOf(exporter)}|${records}|${records}|${FIRST_PORT}|${last}|${records}`,
  );
  assert.deepEqual(rows.toSorted(), expected.toSorted());
}

/** Each exporter has each of its records in the files of nfcapd, by the address that they came from. */
function checkLines(text: string, size: FleetSize): void {
  const ports = new Map<string, string[]>();
  for (const [address = '', port = ''] of text.split('\n').map((line) => line.trim().split(/\s+/u))) {
    const known = ports.get(address);
    if (known === undefined) {
      ports.set(address, [port]);
    } else {
      known.push(port);
    }
  }
  for (const exporter of exportersOf(size)) {
    const found = ports.get(addressOf(exporter)) ?? [];
    assert.deepEqual([found.length, new Set(found).size], [size.records, size.records]);
  }
}

/** Waits for so many rows, or until their number has not changed for some polls of half a second. */
async function waitForRows(
  postgres: Postgres,
  total: string,
  isEnough: (unchangedCount: number) => boolean,
): Promise<void> {
  let before: string | undefined;
  let unchangedCount = 0;
  await waitFor(
    async () => {
      const [rows] = await postgres.query('select count(*) from acct');
      unchangedCount = rows === before ? unchangedCount + 1 : 0;
      before = rows;
      return rows === total || isEnough(unchangedCount);
    },
    { what: `${total} rows`, timeoutMs: 60_000, intervalMs: 500 },
  );
}

/** Runs the fleet and checks each count, from the flow to the SQL row and to the panels of the dashboard. */
export async function runOverUdp(
  size: FleetSize,
  capture: string,
  postgresFolder: string,
): Promise<FleetResult> {
  const postgres = await Postgres.start(postgresFolder);
  await postgres.runFile(join(FOLDER, 'tables.sql'));
  const settings = composedSettings();
  const nfacctd = await startNfacctd(settings['aggregate'], {
    ...settings,
    sql_host: postgres.folder,
    sql_user: POSTGRES_USER,
    sql_db: POSTGRES_DATABASE,
  });
  const nfcapd = await startNfcapd(['-o', 'fmt:%ra %sp'], ['-B', settings['nfacctd_pipe_size'] ?? '']);
  let ends: Promise<readonly string[]> | undefined;
  /** Ends both collectors, once: nfacctd writes the rest of a buffer then, and nfcapd's files are complete. */
  const stopCollectors = () => {
    ends ??= Promise.all([nfacctd.stop(), nfcapd.stop()]);
    return ends;
  };
  try {
    const seconds = await runFleet(size, capture, [nfacctd.target, nfcapd.target]);
    const dropped = (await drained(nfacctd.port)) + (await drained(nfcapd.port));
    assert.equal(dropped, 0, 'messages that found a receive buffer full');
    const total = String(size.exporters * size.records);
    await waitForRows(postgres, total, (unchanged) => unchanged === 30);
    const core = await processorSecondsOf(nfacctd.pid);
    const processorSeconds = {
      nfcapd: await processorSecondsOfTree(nfcapd.pid),
      'nfacctd, its process for messages': core,
      'nfacctd, its plugin pgsql': (await processorSecondsOfTree(nfacctd.pid)) - core,
      PostgreSQL: await processorSecondsOfTree(postgres.pid),
    };
    const [, captured = ''] = await stopCollectors();
    await waitForRows(postgres, total, () => false);
    checkRows(await postgres.query(PER_EXPORTER), size);
    checkLines(captured, size);
    const panels = await checkDashboard(postgres, size, Date.now());
    assert.deepEqual(await postgres.query('select remove_old(1)'), ['0']);
    assert.deepEqual(await postgres.query('select remove_old(-1)'), [total]);
    const notes = [
      `${total} rows in PostgreSQL, ${total} records in nfcapd, none missing; ${panels} panels exact`,
    ];
    return { seconds, processorSeconds, notes };
  } finally {
    await stopCollectors();
    await postgres.stop();
  }
}
