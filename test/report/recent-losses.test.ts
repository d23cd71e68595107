import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLosses } from '../../src/commands/doctor/loss-checks.ts';
import { RECENT_MINUTES, RecentLosses } from '../../src/report/recent-losses.ts';
import type { StatusDocument } from '../../src/report/status-document.ts';
import { ManualClock } from '../support/manual-clock.ts';

const TARGET = '192.0.2.1:4739';
const SECOND = 1_000_000;

/** Totals since the start, as status has them. */
interface Totals {
  droppedByMeter: number;
  lost: number;
  writtenOffPackets: number;
  recordsLost: number;
  lastError: string | undefined;
}

/** A daemon that exports one bridge, and what the doctor says of its losses. */
function start() {
  const clock = new ManualClock();
  const totals: Totals = {
    droppedByMeter: 0,
    lost: 0,
    writtenOffPackets: 0,
    recordsLost: 0,
    lastError: undefined,
  };
  const idle = { droppedByMeter: 0, lost: 0, writtenOffPackets: 0 };
  const source = () => {
    const { recordsLost, lastError, ...meter } = totals;
    const exporter = { collectors: [{ target: TARGET, recordsLost, lastError }] };
    const bridge = {
      bridge: 'br0',
      sampling: { exporter, sampler: { ...meter } },
      flowSampling: [],
      sampleActionMeter: idle,
    };
    return { bridges: [bridge] } as unknown as Pick<StatusDocument, 'bridges'>;
  };
  const losses = new RecentLosses(clock, source);
  losses.start();
  const findings = () => checkLosses({ ...source(), recentLosses: losses.status(source()) });
  const codes = () => findings().map(({ code }) => code);
  return { clock, totals, losses, findings, codes };
}

test('a loss is reported at once, and is over some minutes later', () => {
  const { clock, totals, findings, codes } = start();
  clock.advance(100 * SECOND);
  assert.deepEqual(codes(), []);
  totals.recordsLost = 7;
  totals.lastError = 'the message is too long for the network path (EMSGSIZE)';
  assert.match(
    findings()[0]?.message ?? '',
    /^7 records could not be sent in the last 2 min; last: the message is too long/u,
  );
  assert.match(findings()[0]?.action ?? '', /--message-bytes-max/u);
  clock.advance((RECENT_MINUTES * 60 + 20) * SECOND);
  assert.deepEqual(codes(), []);
  totals.recordsLost = 9;
  assert.match(findings()[0]?.message ?? '', /^2 records could not be sent in the last 5 min/u);
});

test('packets that the meter dropped are not a finding while others represent them', () => {
  const { clock, totals, findings, codes } = start();
  clock.advance(60 * SECOND);
  totals.droppedByMeter = 1_000_000;
  totals.lost = 50;
  assert.deepEqual(codes(), []);
  totals.writtenOffPackets = 12;
  assert.deepEqual(codes(), ['packets-missing']);
  assert.match(
    findings()[0]?.message ?? '',
    /^12 packets are missing .* the meter dropped 1000000, 50 were lost after it/u,
  );
  assert.match(findings()[0]?.action ?? '', /^Raise external_ids:ovs-ipfix-max-rate/u);
  clock.advance((RECENT_MINUTES * 60 + 20) * SECOND);
  assert.deepEqual(codes(), []);
  // On a host that cannot process its packet-ins, more of them make it worse.
  totals.lost += 100;
  totals.writtenOffPackets += 3;
  assert.match(findings()[0]?.action ?? '', /lower external_ids:ovs-ipfix-max-rate/u);
});

test('an exporter that began anew counts from its start, and an older daemon has no such status', () => {
  const { clock, totals, findings } = start();
  totals.recordsLost = 100;
  clock.advance(60 * SECOND);
  totals.recordsLost = 3;
  assert.match(findings()[0]?.message ?? '', /^3 records/u);
  assert.deepEqual(checkLosses({ bridges: [] }), []);
});
