// The sampling by the datapath with a clock of its own: its end, at which what was sent last is waited for and reported if it does not
// arrive; and its work while packet-ins alone sample.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
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

function newSampling(clock: ManualClock, destination: (line: string) => void): DatapathSampling {
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
    onSample: () => {},
    onChange: () => {},
    onPort: () => {},
    onPath: () => {},
  });
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
  await waitFor(() => sampling.port, { what: 'the socket is open' });
  const sender = createSocket('udp4');
  atEnd(() => new Promise<void>((resolve) => sender.close(() => resolve())));
  sender.connect(sampling.port ?? 0, '127.0.0.1');
  await once(sender, 'connect');
  const exporter = new SwitchExporter();
  const next = () => {
    sentCount += 1;
    return exporter.message({ domain: DOMAIN_TOKEN, point: 0 });
  };
  sender.send(next());
  await waitFor(
    async () => {
      await clock.advanceMs(BURST_MS);
      return sampling.hook().sample;
    },
    { what: 'the datapath samples' },
  );
  next();
  next();
  const drained = sampling.drain();
  await clock.advanceMs(1000);
  await drained;
  assert.match(
    lines.at(-1) ?? '',
    /bridge br0: 2 samples of the datapath that were sent last have not arrived/u,
  );
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
