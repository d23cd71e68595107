import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MeterLedger } from '../../src/intake/meter-ledger.ts';
import { Sampler } from '../../src/intake/sampler.ts';

const FRAME = 100;

function arrive(ledger: MeterLedger, count: number, frameLength = FRAME): void {
  for (let packet = 0; packet < count; packet += 1) {
    ledger.arrive(frameLength);
  }
}

/** Notes a reading of a meter whose packets all have one size. */
function observe(ledger: MeterLedger, packets: number, dropped = 0, frameLength = FRAME): void {
  ledger.observe({
    packets: BigInt(packets),
    octets: BigInt(packets * frameLength),
    dropped: BigInt(dropped),
    droppedOctets: BigInt(dropped * frameLength),
  });
}

/** Checks the balance of a ledger that has just been read. */
function assertBalanced(ledger: MeterLedger): void {
  const { observedPackets, received, unobservedPackets, droppedByMeter, lost, inTransit, surplusPackets } =
    ledger.status();
  assert.equal(
    received - unobservedPackets + droppedByMeter + lost + inTransit - surplusPackets,
    observedPackets,
  );
}

test('counts what passed the meter and never arrived as lost, once it is absent at three readings', () => {
  const ledger = new MeterLedger();
  observe(ledger, 0);
  arrive(ledger, 700);
  observe(ledger, 1000, 250);
  const status = ledger.status();
  assert.deepEqual(status, {
    observedPackets: 1000,
    observedOctets: 100_000,
    droppedByMeter: 250,
    received: 700,
    receivedOctets: 70_000,
    unobservedPackets: 0,
    lost: 0,
    inTransit: 50,
    surplusPackets: 0,
    shareDropped: 0.25,
    // Only what the meter dropped is known to be lost yet.
    compensationFactor: 950 / 700,
    octetCompensationFactor: 95_000 / 70_000,
    pendingLossPackets: 250,
    pendingLossOctets: 25_000,
    writtenOffPackets: 0,
    writtenOffOctets: 0,
    restarts: { meterAdded: 0, rateChanged: 0, meterModified: 0, connectionLost: 0, countersDecreased: 0 },
  });
  assertBalanced(ledger);
  // Packets that arrived since the meter was read are not subtracted from what it had counted.
  arrive(ledger, 30);
  assert.equal(ledger.status().inTransit, 50);
  observe(ledger, 1030, 250);
  assert.deepEqual([ledger.status().lost, ledger.status().inTransit], [0, 50]);
  observe(ledger, 1030, 250);
  assert.deepEqual([ledger.status().lost, ledger.status().inTransit], [50, 0]);
  assert.equal(ledger.status().shareDropped, 0);
  assertBalanced(ledger);
});

test('starts at the first reading of a meter that was there before', () => {
  const ledger = new MeterLedger();
  arrive(ledger, 5);
  assert.equal(ledger.status().unobservedPackets, 5);
  observe(ledger, 1_000_000, 999_000);
  arrive(ledger, 80);
  observe(ledger, 1_000_100, 999_010);
  const { observedPackets, observedOctets, droppedByMeter, inTransit, received, unobservedPackets } =
    ledger.status();
  assert.deepEqual(
    [observedPackets, observedOctets, droppedByMeter, inTransit, received, unobservedPackets],
    [100, 10_000, 10, 10, 85, 5],
  );
  assertBalanced(ledger);
});

test('compensates octets by the octets of the meter, not by the sizes of the packets that arrive', () => {
  const ledger = new MeterLedger();
  observe(ledger, 0);
  // 100 small packets arrive, and the meter drops 100 large ones.
  arrive(ledger, 100, 60);
  ledger.observe({ packets: 200n, octets: 156_000n, dropped: 100n, droppedOctets: 150_000n });
  const sampler = new Sampler(1, ledger.factorCell, ledger.octetFactorCell);
  let packets = 0;
  let octets = 0;
  for (let packet = 0; packet < 100; packet += 1) {
    ledger.arrive(60);
    assert.ok(sampler.keep());
    const weight = sampler.weight();
    packets += weight;
    octets += sampler.octets(60);
  }
  assert.deepEqual([packets, octets], [200, 156_000]);
  // All is compensated: the next packet represents itself.
  ledger.arrive(60);
  assert.ok(sampler.keep());
  assert.deepEqual([sampler.weight(), sampler.octets(60)], [1, 60]);
});

for (const event of ['meterAdded', 'rateChanged', 'meterModified', 'connectionLost'] as const) {
  test(`hides no later loss after the event ${event}, whatever arrived since the last reading`, () => {
    const ledger = new MeterLedger();
    observe(ledger, 0);
    arrive(ledger, 1000);
    observe(ledger, 1000);
    arrive(ledger, 2681);
    ledger.restart(event);
    arrive(ledger, 10);
    observe(ledger, 10);
    assert.equal(ledger.status().unobservedPackets, 2691);
    arrive(ledger, 1000);
    observe(ledger, 3691);
    observe(ledger, 3691);
    observe(ledger, 3691);
    const { lost, observedPackets, restarts } = ledger.status();
    assert.deepEqual([lost, observedPackets, restarts[event]], [2681, 4681, 1]);
    assertBalanced(ledger);
  });
}

test('ends an account once: an event before the next reading ends nothing more', () => {
  const ledger = new MeterLedger();
  ledger.restart('connectionLost');
  observe(ledger, 0);
  ledger.restart('connectionLost');
  ledger.restart('meterAdded');
  const { restarts } = ledger.status();
  assert.deepEqual([restarts.connectionLost, restarts.meterAdded], [1, 0]);
});

test('restarts at counters that decrease without an event, and takes no meter to have started at zero', () => {
  for (const counter of ['packets', 'octets', 'dropped', 'droppedOctets'] as const) {
    const ledger = new MeterLedger();
    const before = { packets: 100n, octets: 6000n, dropped: 10n, droppedOctets: 600n };
    ledger.observe({ packets: 0n, octets: 0n, dropped: 0n, droppedOctets: 0n });
    arrive(ledger, 90, 60);
    ledger.observe(before);
    ledger.observe({ packets: 200n, octets: 20_000n, dropped: 20n, droppedOctets: 2000n, [counter]: 5n });
    const { observedPackets, observedOctets, droppedByMeter, restarts, pendingLossPackets } = ledger.status();
    assert.deepEqual([observedPackets, observedOctets, droppedByMeter], [100, 6000, 10]);
    assert.deepEqual([restarts.countersDecreased, pendingLossPackets], [1, 10]);
    assertBalanced(ledger);
  }
});

/** Adds up the weights of packets at 1 in 1 that arrive now. */
function exported(ledger: MeterLedger, sampler: Sampler, count: number): number {
  let sum = 0;
  for (let packet = 0; packet < count; packet += 1) {
    ledger.arrive(FRAME);
    sum += sampler.keep() ? sampler.weight() : 0;
  }
  return sum;
}

for (const event of ['connectionLost', 'rateChanged'] as const) {
  test(`exports all packets after one loss and the event ${event}`, () => {
    const ledger = new MeterLedger();
    const sampler = new Sampler(1, ledger.factorCell, ledger.octetFactorCell);
    observe(ledger, 0);
    let sum = exported(ledger, sampler, 1000);
    // One loss, which is compensated.
    observe(ledger, 1500, 500);
    sum += exported(ledger, sampler, 1000);
    observe(ledger, 2500, 500);
    ledger.restart(event);
    observe(ledger, 0);
    for (let second = 1; second <= 10; second += 1) {
      sum += exported(ledger, sampler, 1054);
      observe(ledger, 1054 * second);
    }
    assert.equal(sum, 2500 + 10_540);
    const { pendingLossPackets, writtenOffPackets } = ledger.status();
    assert.deepEqual([pendingLossPackets, writtenOffPackets], [0, 0]);
  });
}

test('exports all packets that are in transit at two readings', () => {
  const ledger = new MeterLedger();
  const sampler = new Sampler(1, ledger.factorCell, ledger.octetFactorCell);
  observe(ledger, 0);
  let sum = 0;
  for (let second = 1; second <= 60; second += 1) {
    const isLate = second % 3 !== 0;
    // 100 packets are late at two of three readings.
    sum += exported(ledger, sampler, second % 3 === 1 ? 900 : isLate ? 1000 : 1100);
    observe(ledger, 1000 * second);
  }
  assert.equal(sum, 60_000);
  assert.equal(ledger.status().lost, 0);
});

test('sees a surplus of packets, and that it has ended', () => {
  const ledger = new MeterLedger();
  observe(ledger, 0);
  let passed = 0;
  const second = (passing: number, arriving: number) => {
    arrive(ledger, arriving);
    passed += passing;
    observe(ledger, passed);
  };
  second(1000, 1005);
  assert.equal(ledger.hasSurplus, false);
  second(1000, 45_000);
  assert.equal(ledger.hasSurplus, false, 'at two readings');
  second(1000, 1010);
  assert.equal(ledger.hasSurplus, true);
  assert.equal(ledger.status().surplusPackets, 44_015);
  assert.equal(ledger.status().compensationFactor, 1);
  for (let quiet = 0; quiet < 10; quiet += 1) {
    second(1000, 1000);
  }
  assert.equal(ledger.hasSurplus, false);
  assertBalanced(ledger);
});
