// A migration that is interrupted at any moment leaves the whole old or new database, which a server opens. The moments are
// random with a seed; the outcome of each depends on the machine, and both are correct.

import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { convertDatabase } from '../../src/schema/live-migration.ts';
import { MigrationError } from '../../src/schema/migration-error.ts';
import { DatabaseServer } from '../support/database-server.ts';
import { BackgroundProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

const SEED = 4739;
const KILLS = 20;
const QUEUES = 3000;

/** Returns a random generator with a seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Makes an old database with so many rows that its conversion takes a while. */
async function bigDatabase(t: TestContext): Promise<DatabaseServer> {
  const server = await DatabaseServer.create();
  t.after(() => server.remove());
  const client = await server.connect();
  await client.transact(
    'Open_vSwitch',
    Array.from({ length: QUEUES }, (_, index) => ({
      op: 'insert' as const,
      table: 'Queue',
      row: { external_ids: new Map([['index', `${index}`]]) },
    })),
  );
  client.close();
  t.diagnostic(`seed ${SEED}`);
  return server;
}

/** Returns which of the two schemas the database has; fails if it has neither, or if a row has changed. */
async function outcome(
  server: DatabaseServer,
  schemas: Readonly<Record<'old' | 'new', unknown>>,
  content: unknown,
): Promise<'old' | 'new'> {
  const schema = await server.schema();
  const isNew = 'cache_max_flows' in (schema.tables['IPFIX']?.columns ?? {});
  assert.deepEqual(schema, isNew ? schemas.new : schemas.old);
  // Table IPFIX has no row, so rows are equal in both schemas.
  assert.deepEqual(await server.content(), content);
  return isNew ? 'new' : 'old';
}

/** Returns both schemas as the server writes them, and leaves the server with the old one. */
async function bothSchemas(server: DatabaseServer) {
  const old = await server.schema();
  assert.equal((await server.migrate()).exitCode, 0);
  const both = { old, new: await server.schema() };
  await convertBack(server, old);
  return both;
}

async function convertBack(server: DatabaseServer, schema: object): Promise<void> {
  const client = await server.connect();
  await client.setDbChangeAware(true);
  await client.convert('Open_vSwitch', schema);
  client.close();
}

test(
  'leaves the old or the new schema when the migrating client is killed',
  tier('ovs', 'daemon'),
  async (t) => {
    const server = await bigDatabase(t);
    const schemas = await bothSchemas(server);
    const content = await server.content();
    const draw = random(SEED);
    const startedMs = performance.now();
    assert.equal((await server.migrate()).exitCode, 0);
    const durationMs = performance.now() - startedMs;
    const seen = { old: 0, new: 0 };
    for (let kill = 0; kill < KILLS; kill += 1) {
      await convertBack(server, schemas.old);
      const client = await BackgroundProgram.start(process.execPath, [DAEMON_FILE, 'migrate'], {
        environment: server.environment,
      });
      if (kill % 2 === 0) {
        // At a moment during the conversion by the server, which is the smaller part of the time.
        await waitFor(() => client.stdout.includes('Converting'), { what: 'it converts', intervalMs: 1 });
        await delay(draw() * 20);
      } else {
        await delay(draw() * durationMs);
      }
      await client.stop('SIGKILL');
      // The server may still be executing a request sent before the kill: the next request waits for that.
      seen[await outcome(server, schemas, content)] += 1;
    }
    t.diagnostic(`${seen.old} times the old schema, ${seen.new} times the new one`);
    assert.equal(seen.old + seen.new, KILLS);
    assert.equal((await server.migrate()).exitCode, 0);
  },
);

test(
  'leaves a database that opens, old or new, when ovsdb-server is killed',
  tier('ovs', 'daemon'),
  async (t) => {
    const server = await bigDatabase(t);
    const schemas = await bothSchemas(server);
    const content = await server.content();
    await server.end();
    const pristine = `${server.file}.old`;
    await copyFile(server.file, pristine);
    const draw = random(SEED);
    const seen = { old: 0, new: 0 };
    let durationMs = 0;
    // The first round is not interrupted: it measures how long a conversion takes.
    for (let kill = 0; kill <= KILLS; kill += 1) {
      await copyFile(pristine, server.file);
      await server.start();
      const client = await server.connect();
      const startedMs = performance.now();
      const done = convertDatabase({
        client,
        method: server.method,
        signal: AbortSignal.timeout(10_000),
      }).then(
        () => 'done' as const,
        (error: unknown) => error as Error,
      );
      if (kill === 0) {
        assert.equal(await done, 'done');
        durationMs = performance.now() - startedMs;
        client.close();
        await server.end();
        continue;
      }
      await delay(draw() * durationMs);
      await server.end('SIGKILL');
      const result = await done;
      await server.run('ovsdb-tool', 'compact', server.file, `${server.file}.compact`);
      await server.run('rm', '-f', `${server.file}.compact`);
      await server.start();
      const found = await outcome(server, schemas, content);
      seen[found] += 1;
      // A client with a reply must find the new schema; one without a reply must not report success.
      if (result === 'done') {
        assert.equal(found, 'new');
      } else if (found === 'new') {
        assert.ok(!(result instanceof MigrationError) || result.code === 'CONVERSION_UNKNOWN');
      }
      await server.end();
    }
    t.diagnostic(
      `${seen.old} times the old schema, ${seen.new} times the new one, in ${durationMs.toFixed(0)} ms`,
    );
    assert.equal(seen.old + seen.new, KILLS);
  },
);
