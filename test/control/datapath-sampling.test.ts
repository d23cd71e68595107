// The sampling by the datapath with a clock of its own: its end, at which what was sent last is waited for and reported if it does not
// arrive; and its work while packet-ins alone sample.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import type { BridgeConfig, BridgeSampling } from '../../src/config/configuration.ts';
import type { BridgeConnection } from '../../src/control/bridge-connection.ts';
import { DatapathSampling } from '../../src/control/datapath-sampling.ts';
import { BURST_MS } from '../../src/control/probability-control.ts';
import { SampleGate } from '../../src/control/sample-gate.ts';
import { IngressInterfaces } from '../../src/intake/ingress-interfaces.ts';
import { Log } from '../../src/runtime/log.ts';
import { SwitchExporter } from '../intake/switch-messages.ts';
import { lastFirst } from '../support/end-in-order.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { waitFor } from '../support/wait.ts';

const DOMAIN_TOKEN = 77;
const OWN_SET = { collectorSetId: 5, collectorSetRow: 'set', ipfixRow: 'row' };
const CONFIG = {
  name: 'br0',
  maxSampleRate: 1000,
  samplerPolicy: 'datapath',
  hasKernelDatapath: true,
} as BridgeConfig;
const SAMPLING = { interval: 1, observationDomainId: 1, observationPointId: 2 } as BridgeSampling;

function newSampling(
  clock: ManualClock,
  destination: (line: string) => void,
  prove: (micros: number) => void = () => {},
): DatapathSampling {
  return new DatapathSampling({
    bridge: 'br0',
    clock,
    log: new Log({ clock, destination }).logger('bridge'),
    randomSeed: () => DOMAIN_TOKEN,
    interfaces: new IngressInterfaces(),
    ownSet: () => OWN_SET,
    ownRowsRefusal: () => undefined,
    unmetered: 'refuse',
    gate: new SampleGate(() => 'active'),
    isSwitchUser: (userId) => userId === process.getuid?.(),
    gaps: { seen: () => {}, prove },
    onChange: () => {},
    onPort: () => {},
    onPath: () => {},
  });
}

/** Has the datapath sample: a first message arrives. */
async function sample(
  clock: ManualClock,
  sampling: DatapathSampling,
  message: Buffer,
  atEnd: ReturnType<typeof lastFirst>,
): Promise<void> {
  await waitFor(() => sampling.port, { what: 'the socket is open' });
  const sender = createSocket('udp4');
  atEnd(() => new Promise<void>((resolve) => sender.close(() => resolve())));
  sender.connect(sampling.port ?? 0, '127.0.0.1');
  await once(sender, 'connect');
  sender.send(message);
  await waitFor(
    async () => {
      await clock.advanceMs(BURST_MS);
      return sampling.hook().sample;
    },
    { what: 'the datapath samples' },
  );
}

test('reports samples that ovs-vswitchd sent last and that do not arrive', async (t) => {
  const atEnd = lastFirst(t);
  const clock = new ManualClock();
  const lines: string[] = [];
  const sampling = newSampling(clock, (line) => lines.push(line));
  atEnd(() => sampling.stop());
  let sentCount = 0;
  const connection = {
    meters: { hook: undefined, sample: undefined },
    readHookPackets: async () => undefined,
    readSampledCount: async () => BigInt(sentCount),
    apply: async () => {},
  };
  sampling.configure(CONFIG, SAMPLING, false);
  sampling.connected(connection as unknown as BridgeConnection);
  const exporter = new SwitchExporter();
  const next = () => {
    sentCount += 1;
    return exporter.message({ domain: DOMAIN_TOKEN, point: 0 });
  };
  await sample(clock, sampling, next(), atEnd);
  next();
  next();
  const drained = sampling.drain();
  await clock.advanceMs(1000);
  await drained;
  assert.match(lines.at(-1) ?? '', /bridge br0: 2 samples of the datapath sent last and not arrived/u);
});

/** A bridge that its datapath samples, with a switch that answers at once. */
async function sampledBridge(t: TestContext) {
  const atEnd = lastFirst(t);
  const clock = new ManualClock();
  const proofs: number[] = [];
  const sampling = newSampling(
    clock,
    () => {},
    (micros) => proofs.push(micros),
  );
  atEnd(() => sampling.stop());
  let probes = 0;
  const connection = {
    meters: { hook: undefined, sample: undefined },
    reportsChanges: true,
    probe: async () => {
      probes += 1;
    },
    readHookPackets: async () => 0n as bigint | undefined,
    readSampledCount: async () => 0n,
    apply: async () => {},
  };
  sampling.configure(CONFIG, { ...SAMPLING, isOurs: true }, false);
  sampling.connected(connection as unknown as BridgeConnection);
  await sample(clock, sampling, new SwitchExporter().message({ domain: DOMAIN_TOKEN, point: 0 }), atEnd);
  /** Returns the echo requests of the next milliseconds, and the times of proofs by them and by readings. */
  const during = async (ms: number) => {
    [probes, proofs.length] = [0, 0];
    await clock.advanceMs(ms);
    return { probes, proofs };
  };
  return { clock, connection, during };
}

const SECOND_PROBES = 1000 / BURST_MS;

test('proves ten times a second that the hook is installed while P rises after the start, and once a second afterwards', async (t) => {
  const { clock, during } = await sampledBridge(t);
  const { probes, proofs } = await during(2000);
  assert.equal(probes, 2 * SECOND_PROBES);
  const pauses = proofs.slice(1).map((micros, index) => micros - (proofs[index] ?? 0));
  assert.ok(Math.max(...pauses) <= BURST_MS * 1000, pauses.join(' '));
  await clock.advanceMs(10_000);
  const later = await during(2000);
  assert.deepEqual([later.probes, later.proofs.length], [0, 2]);
});

test('asks for no proof where the switch does not report changes, and where there is no hook', async (t) => {
  const { clock, connection, during } = await sampledBridge(t);
  connection.reportsChanges = false;
  assert.deepEqual(await during(1000), { probes: 0, proofs: [] });
  connection.reportsChanges = true;
  connection.readHookPackets = async () => undefined;
  await clock.advanceMs(1000);
  assert.equal((await during(1000)).probes, 0);
});

test('reads the counters of the hook once a second, and does nothing else, while packet-ins alone sample', async (t) => {
  const clock = new ManualClock();
  let timers = 0;
  const setTimer = clock.setTimer.bind(clock);
  clock.setTimer = (callback, delayMs) => {
    timers += 1;
    return setTimer(callback, delayMs);
  };
  const sampling = newSampling(clock, () => {});
  t.after(() => sampling.stop());
  let readings = 0;
  const connection = {
    meters: { hook: 65_000, sample: 65_001 },
    readHookPackets: async () => {
      readings += 1;
      return 0n;
    },
  };
  sampling.configure(
    { ...CONFIG, samplerPolicy: 'auto', hasKernelDatapath: false },
    { ...SAMPLING, isOurs: true },
    false,
  );
  sampling.connected(connection as unknown as BridgeConnection);
  await clock.advanceMs(10_000);
  assert.equal(sampling.port, undefined);
  assert.equal(readings, 10);
  assert.equal(timers, 11);
});
