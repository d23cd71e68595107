// Sampling at 1 in 100,000, which 65535/P cannot express: simulated, because a switch would need days for as many packets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RandomSource } from '../../src/flow/random.ts';
import { DatapathIntake } from '../../src/intake/datapath-intake.ts';
import { IngressInterfaces } from '../../src/intake/ingress-interfaces.ts';
import { assertWithin, deviations, Truth, weightOf } from '../support/sampling-error.ts';
import { SWITCH_DOMAIN, SwitchExporter } from './switch-messages.ts';

const INTERVAL = 100_000;
/** The least P, by which the datapath samples more than the row asks for. */
const PROBABILITY = 1;
const PACKETS = 300_000_000;
/** Octets of the packets; nine of ten are the elephant's. */
const ELEPHANT_LENGTH = 1000;
const MOUSE_LENGTH = 100;
const MICE_SHARE = 0.1;
const SEEDS = [1, 2, 3];

/** Returns a random number above 0 and at most 1. */
const uniform = (random: RandomSource) => ((random.next() >>> 0) + 1) / 2 ** 32;

test('1 in 100,000 is within six standard errors', (t) => {
  for (const seed of SEEDS) {
    const intake = new DatapathIntake({
      domainToken: SWITCH_DOMAIN,
      randomSeed: () => seed,
      interfaces: new IngressInterfaces(),
      onOtherTemplate: (id) => assert.fail(`template ${id}`),
    });
    const sums = { elephant: { packets: 0, octets: 0 }, mice: { packets: 0, octets: 0 } };
    intake.setInterval(INTERVAL);
    intake.setSink({
      hasInterfaces: false,
      hasTunnels: false,
      sample(_bytes, _start, _end, frameLength, weight, _domain, _point, _ingress, octets) {
        const flow = frameLength === ELEPHANT_LENGTH ? sums.elephant : sums.mice;
        flow.packets += weight;
        flow.octets += octets;
      },
    });
    const point = intake.pointOf(PROBABILITY, intake.setIds(5, 6));
    const exporter = new SwitchExporter();
    const random = new RandomSource(1000 + seed);
    // The number of packets up to the next that the datapath selects is geometrically distributed.
    const logMissed = Math.log1p(-PROBABILITY / 65_535);
    for (let at = 0; ; ) {
      at += 1 + Math.floor(Math.log(uniform(random)) / logMissed);
      if (at > PACKETS) {
        break;
      }
      const frameLength = uniform(random) <= MICE_SHARE ? MOUSE_LENGTH : ELEPHANT_LENGTH;
      const message = exporter.message({ point, packets: weightOf(PROBABILITY), frameLength });
      intake.receive(message, message.length);
    }
    const elephant = new Truth();
    elephant.add(PACKETS * (1 - MICE_SHARE), ELEPHANT_LENGTH);
    const mice = new Truth();
    mice.add(PACKETS * MICE_SHARE, MOUSE_LENGTH);
    const all = {
      packets: sums.elephant.packets + sums.mice.packets,
      octets: sums.elephant.octets + sums.mice.octets,
    };
    const error = { weight: INTERVAL, lengthMax: ELEPHANT_LENGTH };
    const parts = [
      ['elephant', sums.elephant, elephant],
      ['mice', sums.mice, mice],
      ['all', all, elephant.plus(mice)],
    ] as const;
    for (const [what, estimate, truth] of parts) {
      const { packets, octets } = deviations(estimate, truth, INTERVAL);
      t.diagnostic(
        `seed ${seed}, ${what}: off by ${packets.toFixed(2)} and ${octets.toFixed(2)} standard errors`,
      );
      assertWithin(what, estimate, truth, error);
    }
  }
});
