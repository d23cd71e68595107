// The queries of the Grafana dashboard of the compose profile `fleet`, as Grafana sends them, and what each must return of the fleet.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Postgres } from '../support/postgres.ts';
import { addressOf, exportersOf, FLOW, type FleetSize } from './fleet.ts';

const FILE = join(import.meta.dirname, '..', '..', 'docker', 'fleet', 'dashboard.json');

interface Dashboard {
  readonly templating: { readonly list: readonly { readonly query: string }[] };
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { readonly rawSql: string }[];
  }[];
}

/** What the variables of Grafana are. */
interface Selection {
  /** Times as of Date.now(). */
  readonly fromMs: number;
  readonly toMs: number;
  readonly addresses: readonly string[];
}

/** Puts in what Grafana puts in for its macro and for a variable with several values. */
function withValues(sql: string, { fromMs, toMs, addresses }: Selection): string {
  const [from, to] = [fromMs, toMs].map((ms) => `'${new Date(ms).toISOString()}'`);
  const filled = sql
    .replaceAll(/\$__timeFilter\((\w+)\)/gu, `$1 BETWEEN ${from} AND ${to}`)
    .replaceAll('$exporter', addresses.map((address) => `'${address}'`).join(','));
  assert.ok(!filled.includes('$'), filled);
  return filled;
}

/** Returns the rows of each panel by its title, without columns of times. */
async function panelRows(postgres: Postgres, selection: Selection): Promise<Map<string, readonly string[]>> {
  const { panels } = JSON.parse(readFileSync(FILE, 'utf8')) as Dashboard;
  const rows = new Map<string, readonly string[]>();
  for (const { title, targets } of panels) {
    for (const { rawSql } of targets) {
      rows.set(title, await postgres.query(withValues(rawSql, selection)));
    }
  }
  return rows;
}

const isTime = (column: string) => /^\d{4}-\d\d-\d\d /u.test(column);

/** Returns the sum of the last column of the rows of each exporter, times `factor`, rounded. */
function sumsOf(rows: readonly string[], factor: number): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const row of rows) {
    const [time = '', exporter = '', value] = row.split('|');
    assert.ok(isTime(time), row);
    sums.set(exporter, (sums.get(exporter) ?? 0) + Number(value) * factor);
  }
  return new Map([...sums].map(([exporter, sum]) => [exporter, Math.round(sum)]));
}

/** Runs the query of each panel, and checks what it returns of the fleet, of one exporter and of another time. */
export async function checkDashboard(postgres: Postgres, size: FleetSize, nowMs: number): Promise<number> {
  const addresses = exportersOf(size).map(addressOf);
  const { templating } = JSON.parse(readFileSync(FILE, 'utf8')) as Dashboard;
  for (const { query } of templating.list) {
    assert.deepEqual((await postgres.query(query)).toSorted(), addresses.toSorted());
  }
  const hour = { fromMs: nowMs - 3_600_000, toMs: nowMs + 60_000 };
  const count = checkPanels(await panelRows(postgres, { ...hour, addresses }), size);
  const [one = ''] = addresses;
  checkPanels(await panelRows(postgres, { ...hour, addresses: [one] }), { ...size, exporters: 1 });
  const before = { fromMs: nowMs - 7_200_000, toMs: nowMs - 3_600_000, addresses };
  for (const [title, rows] of await panelRows(postgres, before)) {
    assert.deepEqual(rows.join('|').replace(/^0$/u, ''), '', `${title}, an hour ago`);
  }
  return count;
}

function checkPanels(panels: Map<string, readonly string[]>, size: FleetSize): number {
  const { exporters, records } = size;
  const total = exporters * records;
  const { source, destination, destinationPort, protocol, octets } = FLOW;
  const numbers = exportersOf(size);
  const each = (value: number) => new Map(numbers.map((exporter) => [addressOf(exporter), value]));
  const rowsOf = (title: string) => panels.get(title) ?? assert.fail(`there is no panel "${title}"`);
  const expected: Readonly<Record<string, readonly string[]>> = {
    Exporters: [`${exporters}`],
    Bridges: [`${exporters}`],
    Rows: [`${total}`],
    Octets: [`${total * octets}`],
    'Exporters, the longest silent first': numbers.map(
      (exporter) => `${addressOf(exporter)}|${exporter}|${records}|${records}|${records * octets}`,
    ),
    'Pairs of hosts with the most octets': [`${source}|${destination}|${total}|${total * octets}`],
    'Destination ports with the most octets': [`${protocol}|${destinationPort}|${total}|${total * octets}`],
    Protocols: [`${protocol}|${total}|${total}|${total * octets}`],
  };
  for (const [title, rows] of Object.entries(expected)) {
    const found = rowsOf(title).map((row) =>
      row
        .split('|')
        .filter((column) => !isTime(column))
        .join('|'),
    );
    assert.deepEqual(found.toSorted(), rows.toSorted(), title);
  }
  assert.deepEqual(sumsOf(rowsOf('Octets per second by exporter'), 60), each(records * octets));
  assert.deepEqual(sumsOf(rowsOf('Rows per minute by exporter'), 1), each(records));
  assert.equal(panels.size, Object.keys(expected).length + 2, 'each panel is checked');
  return panels.size;
}
