// One of several collectors gets a record, with a real Open vSwitch and real collectors that end and start again: what arrives, what is
// counted as lost or as unknown, and that no collector gets a record before its templates.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { lastFirst } from '../support/end-in-order.ts';
import { udpFrame } from '../support/frames.ts';
import { bridgeStatus, createIpfixRow, waitForBridge } from '../support/ipfix-rows.ts';
import { startOvs } from '../support/ovs.ts';
import { BackgroundProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';

const HOLD_SECONDS = 2;
/** Templates each 10 s, 5 s without an error, and the hold time; and time for a busy machine. */
const BACK_TIMEOUT_MS = 40_000;

/** Starts an Open vSwitch with bridge br0, whose row has the collectors, and the daemon. */
async function start(t: TestContext, collectors: string, targets: readonly string[]) {
  const atEnd = lastFirst(t);
  const ovs = await startOvs({ allowedWarnings: [/collector/u] });
  atEnd(() => ovs.stop());
  await ovs.addBridge('br0');
  await ovs.addDummyPort('br0', 'p1');
  await createIpfixRow(ovs, 'br0', targets, {
    sampling: 1,
    'external_ids:ovs-ipfix-collectors': `"${collectors}"`,
    'external_ids:ovs-ipfix-failback-seconds': HOLD_SECONDS,
  });
  const daemon = await startDaemon(ovs);
  atEnd(() => daemon.stop());
  let sent = 0;
  /** Sends packets of new flows, each of which becomes a record. */
  const send = async (count: number) => {
    const frames = Array.from({ length: count }, (_, index) => udpFrame({ sourcePort: 1 + sent + index }));
    sent += count;
    await ovs.inject('p1', ...frames);
    await waitForBridge(daemon, 'br0', 'all is sampled', ({ sampler }) => sampler.received === sent);
  };
  return { atEnd, daemon, send, sent: () => sent };
}

/** The collectors by target, as status has them. */
async function collectorsOf(daemon: Daemon) {
  const status = await bridgeStatus(daemon, 'br0');
  return new Map(status?.exporter.collectors.map((each) => [each.target, each]));
}

const waitForUse = (daemon: Daemon, target: string, timeoutMs?: number) =>
  waitFor(async () => (await collectorsOf(daemon)).get(target)?.isInUse === true, {
    what: `records go to ${target}`,
    ...(timeoutMs !== undefined && { timeoutMs }),
  });

/** `ovs-ipfix collect` at a port that stays the same. */
class Collector {
  readonly port: number;
  #program: BackgroundProgram | undefined;
  #records = 0;
  readonly problems: string[] = [];

  constructor(port: number) {
    this.port = port;
  }

  get target(): string {
    return `127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const listen = ['--listen', this.target, '--format', 'json'];
    const program = await BackgroundProgram.start(process.execPath, [DAEMON_FILE, 'collect', ...listen]);
    await waitFor(() => program.stderr.includes('listening'), { what: 'the collector listens' });
    this.#program = program;
  }

  /** Ends it, and counts what it has received. */
  async stop(): Promise<void> {
    await this.#program?.stop('SIGINT');
    const said = this.#program?.stderr ?? '';
    this.#records += Number(/([\d,]+) records? in/u.exec(said)?.[1]?.replaceAll(',', '') ?? 0);
    this.problems.push(...said.split('\n').filter((line) => /gap|template|short/u.test(line)));
    this.#program = undefined;
  }

  get records(): number {
    return this.#records;
  }
}

/** Returns a port that is free now. */
async function freePort(): Promise<number> {
  const sink = await UdpSink.open();
  const { port } = sink;
  await sink.close();
  return port;
}

test(
  'failover: the second collector gets what the first cannot, and the first again after the hold time',
  tier('ovs', 'daemon'),
  async (t) => {
    const [first, second] = [new Collector(await freePort()), new Collector(await freePort())];
    await Promise.all([first.start(), second.start()]);
    // Preferred by name: the set of OVSDB would have them in the order of their texts.
    const { atEnd, daemon, send, sent } = await start(t, `failover ${first.target}`, [
      second.target,
      first.target,
    ]);
    atEnd(() => first.stop());
    atEnd(() => second.stop());
    await send(50);
    await waitForUse(daemon, first.target);
    await first.stop();
    assert.equal(first.records, 50);
    await waitFor(
      async () => {
        await send(1);
        return (await collectorsOf(daemon)).get(second.target)?.isInUse;
      },
      { what: 'the second collector is used' },
    );
    await send(100);
    await first.start();
    await waitForUse(daemon, first.target, BACK_TIMEOUT_MS);
    await send(30);
    const collectors = await collectorsOf(daemon);
    await Promise.all([first.stop(), second.stop()]);
    const missing = sent() - first.records - second.records;
    const [lost, unknown] = (['recordsLost', 'recordsDeliveryUnknown'] as const).map((key) =>
      [...collectors.values()].reduce((sum, collector) => sum + (collector[key] ?? 0), 0),
    );
    assert.ok(missing >= 1, 'the first refused record is lost');
    assert.ok(
      missing <= (lost ?? 0) + (unknown ?? 0),
      `${missing} are missing, ${lost} lost, ${unknown} unknown`,
    );
    assert.ok(first.records >= 80 && second.records >= 100);
    assert.deepEqual(second.problems, [], 'templates first, no gap');
    t.diagnostic(
      `${sent()} records: ${first.records} and ${second.records} arrived, ${missing} missing, ${lost} lost, ${unknown} unknown; ` +
        `at the first: ${first.problems.join('; ')}`,
    );
  },
);

test(
  'balance: each record goes to one collector, those of one that ends to the others',
  tier('ovs', 'daemon'),
  async (t) => {
    const sinks = await Promise.all([UdpSink.open(), UdpSink.open(), UdpSink.open()]);
    const { atEnd, daemon, send } = await start(
      t,
      'balance',
      sinks.map(({ target }) => target),
    );
    for (const sink of sinks) {
      atEnd(() => sink.close());
    }
    const count = () =>
      sinks.map(({ datagrams }) => {
        const reader = new MessageReader();
        return datagrams.reduce((sum, bytes) => {
          const { records, problems } = reader.read('daemon', bytes);
          assert.deepEqual(problems, []);
          return sum + records.length;
        }, 0);
      });
    const total = () => count().reduce((sum, each) => sum + each);
    await send(90);
    await waitFor(() => total() === 90, { what: 'all records have arrived' });
    assert.ok(
      count().every((records) => records > 10),
      count().join(' '),
    );
    const [ended] = sinks;
    assert.ok(ended);
    const endedTarget = ended.target;
    await ended.close();
    await waitFor(
      async () => {
        await send(1);
        return (await collectorsOf(daemon)).get(endedTarget)?.isInUse === false;
      },
      { what: 'the collector that has ended is not used' },
    );
    const before = count();
    await send(90);
    await waitFor(() => total() === before.reduce((sum, each) => sum + each) + 90, {
      what: 'the others get all records',
    });
    t.diagnostic(`records by collector: ${before.join(' ')} and then ${count().join(' ')}`);
  },
);
