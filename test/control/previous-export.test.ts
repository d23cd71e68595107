// What a standby logs of rows that were replaced while the active daemon did not answer any more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeConfig, Configuration } from '../../src/config/configuration.ts';
import { PreviousExport } from '../../src/control/previous-export.ts';
import { Log } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** A configuration of bridges, each with one row that is adopted or native. */
function configurationOf(
  rows: Readonly<Record<string, { ipfixRow: string; isOurs: boolean }>>,
): Configuration {
  const bridges = new Map(
    Object.entries(rows).map(([name, sampling]) => [
      name,
      { name, sampling, flowSampling: new Map() } as unknown as BridgeConfig,
    ]),
  );
  return { bridges } as unknown as Configuration;
}

const ADOPTED = configurationOf({ br0: { ipfixRow: 'one', isOurs: true } });
const REPLACED = configurationOf({ br0: { ipfixRow: 'two', isOurs: false } });

/** A standby that has seen the rows of an active daemon; `pass` is time without a sign of life. */
function standby() {
  const clock = new ManualClock();
  const lines: string[] = [];
  const log = new Log({ clock, destination: (line) => lines.push(line) }).logger('control');
  const leadership = {
    holderAliveMicros: clock.monotonicMicros(),
    previousEnd: undefined as number | undefined,
    takePreviousEnd() {
      const micros = this.previousEnd;
      this.previousEnd = undefined;
      return micros;
    },
  };
  const previous = new PreviousExport({ clock, log, leadership });
  const alive = () => {
    leadership.holderAliveMicros = clock.monotonicMicros();
  };
  const takeOver = (configuration: Configuration) => {
    leadership.previousEnd = leadership.holderAliveMicros;
    previous.follow(configuration, true);
  };
  previous.follow(ADOPTED, false);
  return { previous, lines, alive, takeOver, pass: (ms: number) => clock.advance(ms * 1000) };
}

test('a row that is replaced after the last sign of life of its daemon is in a gap until then', () => {
  const { previous, lines, alive, takeOver, pass } = standby();
  pass(500);
  alive();
  pass(700);
  previous.follow(REPLACED, false);
  pass(900);
  takeOver(REPLACED);
  assert.equal(previous.gapOf('br0')?.micros, 700_000);
  assert.equal(lines.length, 1);
  assert.match(
    lines[0] ?? '',
    /WARN\|bridge br0: not sampled for 700 ms from 2024-01-01T00:00:00\.500Z: a row of it was replaced or removed/u,
  );
  previous.bridgesBegun();
  assert.deepEqual([previous.gapOf('br0'), previous.endMicros], [undefined, undefined]);
});

test('a bridge that is deleted, and one whose deletion is seen with the failover, are in a gap', () => {
  const { lines, takeOver, pass } = standby();
  pass(300);
  takeOver(configurationOf({}));
  assert.match(lines.join('\n'), /bridge br0: not sampled for 300 ms/u);
});

test('what the active daemon has replaced itself, and a row that is still adopted, are in no such gap', () => {
  const { previous, lines, alive, takeOver, pass } = standby();
  pass(100);
  previous.follow(REPLACED, false);
  pass(100);
  alive();
  previous.follow(ADOPTED, false);
  pass(100);
  takeOver(ADOPTED);
  assert.deepEqual(lines, []);
  assert.notEqual(previous.endMicros, undefined);
});

test('a daemon that was never a standby logs nothing', () => {
  const { lines, takeOver } = standby();
  takeOver(ADOPTED);
  takeOver(REPLACED);
  assert.deepEqual(lines, []);
});
