import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MeterLedger } from '../../src/intake/meter-ledger.ts';

function arrive(ledger: MeterLedger, count: number): void {
  for (let packet = 0; packet < count; packet += 1) {
    ledger.arrive();
  }
}

test('counts what passed the meter and never arrived as lost', () => {
  const ledger = new MeterLedger();
  ledger.observe({ packets: 0n, octets: 0n, dropped: 0n });
  arrive(ledger, 700);
  ledger.observe({ packets: 1000n, octets: 60_000n, dropped: 250n });
  assert.deepEqual(ledger.status(), {
    observedPackets: 1000,
    observedOctets: 60_000,
    droppedByMeter: 250,
    received: 700,
    lost: 50,
    shareDropped: 0.25,
    // Those 50 may be in transit: only what the meter dropped is compensated yet.
    compensationFactor: 950 / 700,
    pendingLossPackets: 250,
    writtenOffPackets: 0,
  });
  // Packets that arrived since the meter was read are not subtracted from what it had counted.
  arrive(ledger, 30);
  assert.equal(ledger.status().lost, 50);
  ledger.observe({ packets: 1030n, octets: 61_800n, dropped: 250n });
  assert.equal(ledger.status().lost, 50);
  assert.equal(ledger.status().shareDropped, 0);
  ledger.observe({ packets: 1030n, octets: 61_800n, dropped: 250n });
  assert.equal(ledger.status().shareDropped, 0);
});

test('reports no loss below 0 when packets overtake the reading of the meter', () => {
  const ledger = new MeterLedger();
  ledger.observe({ packets: 0n, octets: 0n, dropped: 0n });
  arrive(ledger, 12);
  ledger.observe({ packets: 10n, octets: 600n, dropped: 0n });
  assert.equal(ledger.status().lost, 0);
  ledger.observe({ packets: 12n, octets: 720n, dropped: 0n });
  assert.equal(ledger.status().lost, 0);
});

test('starts at the first observation of a meter that was there before', () => {
  const ledger = new MeterLedger();
  arrive(ledger, 5);
  ledger.observe({ packets: 1_000_000n, octets: 60_000_000n, dropped: 999_000n });
  arrive(ledger, 80);
  ledger.observe({ packets: 1_000_100n, octets: 60_006_000n, dropped: 999_010n });
  const { observedPackets, observedOctets, droppedByMeter, lost, received } = ledger.status();
  assert.deepEqual(
    [observedPackets, observedOctets, droppedByMeter, lost, received],
    [100, 6000, 10, 10, 85],
  );
});

test('keeps counting when the meter is added again, however often', () => {
  const ledger = new MeterLedger();
  const truth = { packets: 0, octets: 0, dropped: 0, lost: 0 };
  let meter = { packets: 0n, octets: 0n, dropped: 0n };
  ledger.observe(meter);
  for (let round = 1; round <= 200; round += 1) {
    const isRemade = round % 7 === 0;
    if (isRemade) {
      meter = { packets: 0n, octets: 0n, dropped: 0n };
    }
    // Counters that exceed their old values when they are read again do not show that the meter is a new one: the
    // daemon observes zeros when it has added a meter.
    const offered = isRemade && round % 2 === 0 ? 100_000 : 10 + (round % 5);
    const dropped = round % 4;
    const lost = round % 3;
    meter = {
      packets: meter.packets + BigInt(offered),
      octets: meter.octets + BigInt(offered * 100),
      dropped: meter.dropped + BigInt(dropped),
    };
    arrive(ledger, offered - dropped - lost);
    truth.packets += offered;
    truth.octets += offered * 100;
    truth.dropped += dropped;
    truth.lost += lost;
    if (isRemade) {
      ledger.observe({ packets: 0n, octets: 0n, dropped: 0n });
    }
    ledger.observe(meter);
    const {
      observedPackets: packets,
      observedOctets: octets,
      droppedByMeter,
      lost: seenLost,
    } = ledger.status();
    assert.deepEqual({ packets, octets, dropped: droppedByMeter, lost: seenLost }, truth);
  }
});

for (const counter of ['packets', 'octets', 'dropped'] as const) {
  test(`takes a meter with a decreased counter for a new one: ${counter}`, () => {
    const ledger = new MeterLedger();
    const before = { packets: 100n, octets: 6000n, dropped: 10n };
    const after = { packets: 200n, octets: 20_000n, dropped: 20n, [counter]: 5n };
    ledger.observe({ packets: 0n, octets: 0n, dropped: 0n });
    ledger.observe(before);
    ledger.observe(after);
    const { observedPackets, observedOctets, droppedByMeter, shareDropped } = ledger.status();
    assert.equal(observedPackets, Number(before.packets + after.packets));
    assert.equal(observedOctets, Number(before.octets + after.octets));
    assert.equal(droppedByMeter, Number(before.dropped + after.dropped));
    assert.equal(shareDropped, Number(after.dropped) / Number(after.packets));
  });
}
