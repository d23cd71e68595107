// Interface numbers and names of a real Open vSwitch, as they are when ports come, go, are renumbered and get names, and when
// its servers restart; what `ovs-appctl interfaces` shows is what the packet path looks numbers up in.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { DatabaseSession } from '../../src/control/database-session.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { DatabaseServer, OLD_SCHEMA_FILE, type SchemaJson } from '../support/database-server.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { exportingBridge } from '../support/exporting-bridge.ts';
import { bridgeStatus, createIpfixRow, daemonStatus, waitForHook } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import type { ProgramError } from '../support/process.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { withDaemon } from '../support/with-daemon.ts';

/** Interfaces of a bridge by name: port, number, and what is attached where that is not the name. */
type Shown = Readonly<Record<string, readonly [port: number, number: number, attached: string]>>;

const fallback = (ofport: number) => 0x0100_0000 + ofport;

async function shown(daemon: Daemon, bridge: string): Promise<Shown> {
  const [, ...lines] = (await daemon.appctl('interfaces', bridge)).trim().split('\n');
  return Object.fromEntries(
    lines.map((line) => {
      const [, port, number, , name = '', attached = ''] = line.split(/ +/u);
      return [name, [Number(port), Number(number), attached]];
    }),
  );
}

/** Waits until the interfaces of a bridge but its local port are these. */
async function waitForInterfaces(daemon: Daemon, bridge: string, expected: Shown): Promise<void> {
  let seen: Shown = {};
  const isSo = async () => {
    const { [bridge]: _, ...others } = await shown(daemon, bridge);
    seen = others;
    return isDeepStrictEqual(seen, expected);
  };
  await waitFor(isSo, { what: 'the interfaces are as expected' }).catch(() =>
    assert.deepEqual(seen, expected),
  );
}

describe('in the dummy datapath', tier('ovs', 'daemon'), () => {
  let ovs: Ovs;
  let daemon: Daemon;

  withDaemon((running) => {
    ({ ovs, daemon } = running);
  });

  test('ports are followed as they come, go and are renumbered', async (t) => {
    const br = await exportingBridge(t, ovs, daemon);
    const other = await exportingBridge(t, ovs, daemon);
    await waitForInterfaces(daemon, br.name, { [br.port]: [1, fallback(1), ''] });

    await ovs.vsctl(
      'add-port',
      br.name,
      'a',
      '--',
      'set',
      'Interface',
      'a',
      'type=dummy',
      'options:ifindex=77',
    );
    await ovs.vsctl(
      'add-port',
      br.name,
      'b',
      '--',
      'set',
      'Interface',
      'b',
      'type=dummy',
      'ofport_request=9',
    );
    const first: Shown = { [br.port]: [1, fallback(1), ''], a: [2, 77, ''], b: [9, fallback(9), ''] };
    await waitForInterfaces(daemon, br.name, first);

    await ovs.vsctl('set', 'Interface', 'b', 'ofport_request=12');
    await waitForInterfaces(daemon, br.name, { ...first, b: [12, fallback(12), ''] });
    await ovs.vsctl('set', 'Interface', 'a', 'options:ifindex=78');
    await waitForInterfaces(daemon, br.name, { ...first, a: [2, 78, ''], b: [12, fallback(12), ''] });

    // The port of another interface: Open vSwitch gives that one a new number.
    await ovs.vsctl('set', 'Interface', 'b', 'ofport_request=2');
    const moved = Number(await ovs.vsctl('get', 'Interface', 'a', 'ofport'));
    assert.notEqual(moved, 2);
    await waitForInterfaces(daemon, br.name, { ...first, a: [moved, 78, ''], b: [2, fallback(2), ''] });

    await ovs.vsctl('del-port', br.name, 'a');
    await ovs.vsctl(
      'add-bond',
      br.name,
      'bond',
      'c',
      'd',
      'bond_mode=active-backup',
      '--',
      'set',
      'Interface',
      'c',
      'type=dummy',
      'ofport_request=20',
      '--',
      'set',
      'Interface',
      'd',
      'type=dummy',
      'ofport_request=21',
      'options:ifindex=79',
    );
    await waitForInterfaces(daemon, br.name, {
      [br.port]: [1, fallback(1), ''],
      b: [2, fallback(2), ''],
      c: [20, fallback(20), ''],
      d: [21, 79, ''],
    });
    assert.deepEqual((await bridgeStatus(daemon, br.name))?.interfaces, {
      count: 5,
      unknownLookups: 0,
      skipped: 0,
    });
    await waitForInterfaces(daemon, other.name, { [other.port]: [1, fallback(1), ''] });
  });

  test('names of what is attached are followed, and no row is reconciled for it', async (t) => {
    const br = await exportingBridge(t, ovs, daemon);
    const attached = async (name: string) =>
      waitForInterfaces(daemon, br.name, { [br.port]: [1, fallback(1), name] });
    await attached('');
    // The reconciliation that has adopted the row may be followed by another one, for what that has changed.
    await daemon.waitForReady();
    const { reconcileCount } = (await daemonStatus(daemon)).rows;
    const set = (...pairs: readonly string[]) =>
      ovs.vsctl('set', 'Interface', br.port, ...pairs.map((pair) => `external_ids:${pair}`));
    await set('attached-mac="02:00:00:00:00:01"');
    await attached('02:00:00:00:00:01');
    await set('iface-id=0f1e');
    await attached('0f1e');
    await set('vm-name=web');
    await attached('web');
    // Another port is added and removed too.
    await ovs.vsctl('add-port', br.name, 'x', '--', 'set', 'Interface', 'x', 'type=dummy');
    await waitForInterfaces(daemon, br.name, {
      [br.port]: [1, fallback(1), 'web'],
      x: [2, fallback(2), ''],
    });
    await ovs.vsctl('del-port', br.name, 'x');
    await ovs.vsctl(
      'remove',
      'Interface',
      br.port,
      'external_ids',
      'vm-name',
      '--',
      'remove',
      'Interface',
      br.port,
      'external_ids',
      'iface-id',
    );
    await attached('02:00:00:00:00:01');
    assert.equal((await daemonStatus(daemon)).rows.reconcileCount, reconcileCount);
  });

  test('a bridge that is deleted and made again has its new ports', async (t) => {
    const br = await exportingBridge(t, ovs, daemon);
    await ovs.vsctl(
      '--',
      'del-br',
      br.name,
      '--',
      'add-br',
      br.name,
      '--',
      'set',
      'Bridge',
      br.name,
      'datapath_type=dummy',
      `ipfix=${br.row}`,
      '--',
      'add-port',
      br.name,
      'again',
      '--',
      'set',
      'Interface',
      'again',
      'type=dummy',
      'ofport_request=5',
    );
    await waitForInterfaces(daemon, br.name, { again: [5, fallback(5), ''] });
  });

  test('an interface that Open vSwitch cannot add has no number', async (t) => {
    const br = await exportingBridge(t, ovs, daemon);
    ovs.allowWarnings(/\|WARN\|could not (?:create netdev|open network device) no-such-device/u);
    await ovs.vsctl(
      '--no-wait',
      'add-port',
      br.name,
      'no-such-device',
      '--',
      'set',
      'Interface',
      'no-such-device',
      'type=no-such-type',
      '--',
      'set',
      'Interface',
      br.port,
      'external_ids:vm-name=web',
    );
    await waitForInterfaces(daemon, br.name, { [br.port]: [1, fallback(1), 'web'] });
    await ovs.vsctl('del-port', br.name, 'no-such-device');
  });

  test('a bridge that is not exported is refused with the names of those that are', async (t) => {
    const br = await exportingBridge(t, ovs, daemon);
    await assert.rejects(daemon.appctl('interfaces', 'br-none'), (error: ProgramError) => {
      assert.match(
        error.stderr,
        new RegExp(`Nothing is exported for bridge br-none; exported are: .*\\b${br.name}\\b`, 'u'),
      );
      return true;
    });
    const all = await daemon.appctl('interfaces');
    assert.match(all, /^BRIDGE +PORT +NUMBER +TYPE +INTERFACE +ATTACHED$/mu);
    assert.match(all, new RegExp(`^${br.name} +65534 +\\d+ +internal +${br.name}$`, 'mu'));
  });
});

test(
  'numbers are kept over restarts of the database server and the switch',
  tier('ovs', 'daemon'),
  async (t) => {
    const ovs = await startOvs();
    const daemon = await startDaemon(ovs);
    t.after(() =>
      endInOrder(
        () => daemon.kill(),
        () => ovs.abandon(),
      ),
    );
    const br = await exportingBridge(t, ovs, daemon);
    const options = 'options:ifindex=77';
    await ovs.vsctl('add-port', br.name, 'a', '--', 'set', 'Interface', 'a', 'type=dummy', options);
    const expected: Shown = { [br.port]: [1, fallback(1), ''], a: [2, 77, ''] };
    await waitForInterfaces(daemon, br.name, expected);

    const before = (await daemonStatus(daemon)).database.upCount;
    process.kill(ovs.vswitchdPid, 'SIGSTOP');
    try {
      await ovs.restartOvsdbServer();
      await waitFor(
        async () => {
          const { database } = await daemonStatus(daemon);
          return database.isSynced && database.upCount > before;
        },
        { what: 'the daemon has read the database anew', timeoutMs: 15_000 },
      );
      const [row] = (await ovs.transact({
        op: 'select',
        table: 'Interface',
        where: [['name', '==', 'a']],
        columns: ['ofport', 'ifindex'],
      })) as { rows: unknown[] }[];
      // The column is ephemeral, and ovs-vswitchd cannot have written it.
      assert.deepEqual(row?.rows, [{ ofport: 2, ifindex: ['set', []] }]);
      await waitForInterfaces(daemon, br.name, expected);
    } finally {
      process.kill(ovs.vswitchdPid, 'SIGCONT');
    }
    await ovs.restartVswitchd('SIGKILL');
    await ovs.vsctl('set', 'Interface', 'a', 'options:ifindex=80');
    await waitForInterfaces(daemon, br.name, { ...expected, a: [2, 80, ''] });
  },
);

test(
  "numbers are the kernel's for real devices, and tunnels in user space have numbers of their own",
  tier('ovs', 'daemon', 'namespaces'),
  async (t) => {
    const ovs = await startOvs({ mode: 'netdev' });
    const daemon = await startDaemon(ovs);
    t.after(() =>
      endInOrder(
        () => daemon.stop(),
        () => ovs.stop(),
      ),
    );
    await ovs.inNamespace('ip', 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth1');
    await ovs.inNamespace('ip', 'tuntap', 'add', 'tap0', 'mode', 'tap');
    for (const name of ['veth0', 'veth1', 'tap0']) {
      await ovs.inNamespace('ip', 'link', 'set', name, 'up');
    }
    await ovs.addBridge('br0');
    const tunnel = (name: string, key: number) => [
      '--',
      'add-port',
      'br0',
      name,
      '--',
      'set',
      'Interface',
      name,
      'type=vxlan',
      'options:remote_ip=192.0.2.1',
      `options:key=${key}`,
    ];
    await ovs.vsctl(
      'add-port',
      'br0',
      'veth0',
      '--',
      'add-port',
      'br0',
      'tap0',
      '--',
      'add-port',
      'br0',
      'int0',
      '--',
      'set',
      'Interface',
      'int0',
      'type=internal',
      ...tunnel('vx1', 1),
      ...tunnel('vx2', 2),
    );
    await createIpfixRow(ovs, 'br0', ['127.0.0.1:9'], { sampling: 1 });
    await waitForHook(daemon, 'br0');
    const seen = await waitFor(
      async () => {
        const now = await shown(daemon, 'br0');
        return Object.keys(now).length === 6 && now;
      },
      { what: 'all interfaces are there' },
    );
    for (const name of ['veth0', 'tap0', 'int0', 'br0']) {
      const link = JSON.parse(await ovs.inNamespace('ip', '-json', 'link', 'show', name)) as {
        ifindex: number;
      }[];
      assert.equal(seen[name]?.[1], link[0]?.ifindex, name);
    }
    for (const name of ['vx1', 'vx2']) {
      const [port, number] = seen[name] ?? [];
      assert.equal(number, fallback(port ?? 0), name);
    }
    assert.equal(seen['br0']?.[0], 65_534);
    await ovs.vsctl('del-port', 'br0', 'veth0', '--', 'del-port', 'br0', 'tap0');
  },
);

/** A session of a database of the old schema, changed; the rows of br0 with a port p1 are in it. */
async function readFrom(
  t: { after: (fn: () => Promise<void>) => void },
  change: (columns: Record<string, Record<string, unknown>>) => void,
): Promise<readonly unknown[]> {
  const folder = await mkdtemp(join(tmpdir(), 'schema-'));
  const schema = JSON.parse(readFileSync(OLD_SCHEMA_FILE, 'utf8')) as SchemaJson & { cksum?: string };
  delete schema.cksum;
  change(Object.fromEntries(Object.entries(schema.tables).map(([table, { columns }]) => [table, columns])));
  const schemaFile = join(folder, 'schema');
  await writeFile(schemaFile, JSON.stringify(schema));
  const server = await DatabaseServer.create({ schemaFile });
  let onInterfaces = () => {};
  const session = new DatabaseSession({
    clock: systemClock,
    log: silentLogger,
    endpoints: [{ kind: 'unix', path: server.socketPath }],
    tls: undefined,
    lock: 'queue',
    onChange: () => {},
    onInterfaces: () => onInterfaces(),
  });
  t.after(() =>
    endInOrder(
      () => session.stop(),
      () => server.remove(),
      () => rm(folder, { recursive: true }),
    ),
  );
  const named = (id: string) => ['named-uuid', id];
  const insert = (table: string, name: string, row: object) => ({
    op: 'insert',
    table,
    'uuid-name': name,
    row,
  });
  const ifindex = 'ifindex' in (schema.tables['Interface']?.columns ?? {}) ? { ifindex: 7 } : {};
  await server.transact(
    insert('Interface', 'i', { name: 'p1', ofport: 3, ...ifindex }),
    insert('Port', 'p', { name: 'p1', interfaces: named('i') }),
    insert('Bridge', 'b', { name: 'br0', ports: named('p') }),
    insert('Open_vSwitch', 'o', { bridges: named('b') }),
  );
  const notified = new Promise<void>((resolve) => {
    onInterfaces = resolve;
  });
  session.start();
  await notified;
  return session.interfacesOf('br0').interfaces.map(({ name, ofport, number }) => [name, ofport, number]);
}

test('a database whose Interface table lacks columns is read as far as it goes', tier('ovs'), async (t) => {
  const local = ['br0', 65_534, fallback(65_534)];
  assert.deepEqual(await readFrom(t, () => {}), [['p1', 3, 7], local]);
  const withoutIfindex = await readFrom(t, ({ Interface }) => delete Interface?.['ifindex']);
  assert.deepEqual(withoutIfindex, [['p1', 3, fallback(3)], local]);
  const withoutIds = await readFrom(t, ({ Interface }) => delete Interface?.['external_ids']);
  assert.deepEqual(withoutIds, [['p1', 3, 7], local]);
});
