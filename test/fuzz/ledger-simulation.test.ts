// The ledger, the compensation and the sampler together, over bursts, restarts of the switch and changes of the rate: the sums of
// the weights against what the meters have counted.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SimulatedFlow, SimulatedMeter, type SimulationOptions } from '../intake/simulated-meter.ts';

const STANDARD_ERRORS_MAX = 6;
const SECOND = 1000;
/** Seconds of slow traffic at the end, in which pending loss is compensated, and of none, in which all that is in transit arrives. */
const TAIL_SECONDS = 8;
const QUIET_SECONDS = 4;

/**
 * Eight mice of 200 packets/s in all, and an elephant in bursts of `on` of every `period` milliseconds up to `end`, after which it
 * slows down and ends.
 */
function flowsOf(on: number, period: number, end: number): readonly SimulatedFlow[] {
  const mice = Array.from({ length: 8 }, (_, index) => ({
    name: `mouse ${index}`,
    frameLength: 64 + 10 * index,
    packetsAt: (millisecond: number) => (millisecond < end + TAIL_SECONDS * SECOND ? 0.025 : 0),
  }));
  const elephant = {
    name: 'elephant',
    frameLength: 1514,
    packetsAt: (millisecond: number) => {
      const burst = millisecond % period < on ? 6 : 0;
      const tail = millisecond < end + TAIL_SECONDS * SECOND ? 0.5 : 0;
      return millisecond < end ? burst : tail;
    },
  };
  return [elephant, ...mice];
}

/** Runs for `seconds` and a tail, with an event at some of the seconds. */
function simulate(
  options: Omit<SimulationOptions, 'flows'>,
  [on, period]: readonly [number, number],
  seconds: number,
  eventAt: (meter: SimulatedMeter, second: number) => void = () => {},
): SimulatedMeter {
  const meter = new SimulatedMeter({ ...options, flows: flowsOf(on, period, seconds * SECOND) });
  for (let second = 0; second < seconds; second += 1) {
    // Readings are at whole seconds, events between them.
    meter.run(SECOND - 263);
    eventAt(meter, second);
    meter.run(263);
  }
  meter.run((TAIL_SECONDS + QUIET_SECONDS) * SECOND + 1);
  return meter;
}

/** Checks what holds at each reading: what was counted is what arrived, what is known to be lost, and what an event hides. */
function assertBalanced(meter: SimulatedMeter): void {
  const status = meter.ledger.status();
  const { observedPackets, received, unobservedPackets, droppedByMeter, lost, inTransit, surplusPackets } =
    status;
  const accounted = received - unobservedPackets + droppedByMeter + lost + inTransit - surplusPackets;
  assert.equal(accounted, observedPackets);
  assert.equal(observedPackets + meter.unknown.packets, meter.observed.packets);
  assert.equal(unobservedPackets, meter.arrivedUnknown.packets);
  const off = Math.abs(lost + inTransit - surplusPackets - meter.lost.packets);
  assert.ok(off <= meter.crossing.packets, `${lost} lost, in truth ${meter.lost.packets}: off by ${off}`);
}

/** Checks the sums of packets and of octets; what was counted around events and did not arrive is not known. */
function assertSums(meter: SimulatedMeter, interval: number): void {
  const { pendingLossPackets, pendingLossOctets, writtenOffPackets, writtenOffOctets } =
    meter.ledger.status();
  const sums = [
    ['packets', pendingLossPackets + writtenOffPackets, 1],
    ['octets', pendingLossOctets + writtenOffOctets, 1514],
  ] as const;
  for (const [what, open, unit] of sums) {
    const truth = meter.observed[what] - (meter.unknown[what] - meter.arrivedUnknown[what]);
    const chance = interval === 1 ? 0 : STANDARD_ERRORS_MAX * Math.sqrt(meter.squares[what]);
    const off = Math.abs(meter.estimate[what] + open - truth);
    const allowed = chance + meter.crossing[what] + unit;
    assert.ok(off <= allowed, `${what}: ${meter.estimate[what]} of ${truth}, off by ${off} of ${allowed}`);
    assert.ok(open <= truth / 100, `${what}: ${open} of ${truth} were not compensated`);
  }
}

const BURSTS = {
  'steady traffic': [1, 1],
  'bursts of 0.3 in 3 s': [300, 3000],
  'bursts of 10 in 90 ms': [10, 90],
  'bursts of 1 in 2 s': [1000, 2000],
} as const;

for (const [name, burst] of Object.entries(BURSTS)) {
  for (const interval of [1, 4, 64, 400]) {
    test(`sums of packets and octets are right behind a saturated meter: ${name}, 1 in ${interval}`, () => {
      const options = { seed: 7 + interval, interval, meterRate: 1000, lossShare: 0.05, delayMax: 12 };
      const meter = simulate(options, burst, 60);
      assertBalanced(meter);
      assertSums(meter, interval);
    });
  }
}

test('sums are right over restarts of the switch, changes of the rate and meters that are added again', () => {
  for (const interval of [1, 16]) {
    for (const seed of [1, 2, 3]) {
      const options = { seed, interval, meterRate: 1000, lossShare: 0.1, delayMax: 12 };
      const meter = simulate(options, [1, 1], 120, (running, second) => {
        if (second % 15 === 4) {
          running.restartSwitch(2300);
        } else if (second % 15 === 9) {
          running.event('rateChanged', 600 + 100 * (second % 7));
        } else if (second % 15 === 14) {
          running.event('meterAdded');
        }
      });
      const { restarts } = meter.ledger.status();
      assert.deepEqual([restarts.connectionLost, restarts.rateChanged, restarts.meterAdded], [8, 8, 8]);
      assert.equal(restarts.countersDecreased, 0);
      assertBalanced(meter);
      assertSums(meter, interval);
    }
  }
});

test('exports all packets below the cap, however many are in transit at each reading', () => {
  for (const delayMax of [0, 5, 40]) {
    const meter = simulate({ seed: 3, interval: 1, meterRate: 50_000, delayMax }, [1, 1], 60);
    assertBalanced(meter);
    const { lost, surplusPackets, writtenOffPackets, pendingLossPackets } = meter.ledger.status();
    assert.deepEqual([lost, writtenOffPackets], [0, 0]);
    // What is in transit at the first reading arrives in addition to what is counted from then on.
    assert.ok(surplusPackets <= meter.crossing.packets, `${surplusPackets}`);
    const off = Math.abs(meter.estimate.packets + pendingLossPackets - meter.observed.packets);
    // Packets of a steady stream are in transit at all readings: some count as lost until the stream ends, and which samples
    // are left out for them is by chance.
    const allowed = delayMax === 0 ? 0 : meter.observed.packets / 10_000;
    assert.ok(off <= allowed, `${delayMax} ms: ${meter.estimate.packets} of ${meter.observed.packets}`);
  }
});

test('sums of octets are right when lost packets are larger than those that arrive', () => {
  // Large packets are lost in bursts, and the small ones that arrive afterwards represent them.
  const meter = simulate({ seed: 5, interval: 1, meterRate: 1000 }, [300, 3000], 60);
  assertBalanced(meter);
  assertSums(meter, 1);
  assert.ok(
    Math.abs(meter.octetsByPackets / meter.observed.octets - 1) > 0.1,
    `the weights of packets alone would have given ${meter.octetsByPackets} of ${meter.observed.octets} octets`,
  );
});
