// The short form of `npm run test:rounds`: a few rounds of faults at the same time, each with the account of every packet.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAULTS } from '../rounds/faults.ts';
import type { RoundPlan } from '../rounds/plan.ts';
import { roundText, runRound } from '../rounds/round.ts';
import { tier } from '../support/tiers.ts';

/** The rounds: the names of their faults, and the sampler. */
const ROUNDS: readonly (readonly [readonly string[], RoundPlan['sampler']])[] = [
  [['daemon stopped'], 'packet-in'],
  [['ovs-vswitchd restarted (SIGKILL)'], 'packet-in'],
  [['del-flows', 'collector stopped'], 'datapath'],
  [['ovsdb-server restarted (SIGTERM)'], 'datapath'],
];
const SECOND_AFTER_MS = 700;

test(
  'each packet of a few rounds is exported, or lost by a counter or a gap',
  tier('ovs', 'daemon'),
  async (t) => {
    const plans = ROUNDS.map(([names, sampler], index): RoundPlan => {
      const faults = names.map((name, at) => {
        const fault = FAULTS.find((each) => each.name === name);
        assert.ok(fault, name);
        return { fault, afterMs: at * SECOND_AFTER_MS };
      });
      return { index, sampler, faults, hasStandby: false, seed: index };
    });
    const results = await Promise.all(plans.map(runRound));
    for (const result of results) {
      t.diagnostic(roundText(result));
      assert.deepEqual(result.faults, [], result.log);
      assert.ok((result.account?.injected ?? 0) > 0);
    }
  },
);
