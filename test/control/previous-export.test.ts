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
  const database = {
    holderAliveMicros: clock.monotonicMicros(),
    changedMicros: clock.monotonicMicros(),
    previousEnd: undefined as number | undefined,
    takePreviousEnd() {
      const micros = this.previousEnd;
      this.previousEnd = undefined;
      return micros;
    },
  };
  const previous = new PreviousExport({ clock, log, database });
  /** Rows change. */
  const change = () => {
    database.changedMicros = clock.monotonicMicros();
  };
  const follow = (configuration: Configuration) => {
    change();
    previous.follow(configuration, false);
  };
  const alive = () => {
    database.holderAliveMicros = clock.monotonicMicros();
  };
  const takeOver = (configuration: Configuration) => {
    database.previousEnd = database.holderAliveMicros;
    previous.follow(configuration, true);
  };
  follow(ADOPTED);
  return { previous, lines, alive, change, follow, takeOver, pass: (ms: number) => clock.advance(ms * 1000) };
}

test('a row that is replaced after the last sign of life of its daemon is in a gap until then', () => {
  const { previous, lines, alive, follow, takeOver, pass } = standby();
  pass(500);
  alive();
  pass(700);
  follow(REPLACED);
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
  const { lines, change, takeOver, pass } = standby();
  pass(300);
  change();
  takeOver(configurationOf({}));
  assert.match(lines.join('\n'), /bridge br0: not sampled for 300 ms/u);
});

test('what the active daemon has replaced itself, and a row that is still adopted, are in no such gap', () => {
  const { previous, lines, alive, follow, takeOver, pass } = standby();
  pass(100);
  follow(REPLACED);
  pass(100);
  alive();
  follow(ADOPTED);
  pass(100);
  takeOver(ADOPTED);
  assert.deepEqual(lines, []);
  assert.notEqual(previous.endMicros, undefined);
});

test('rows that were handed back before the last sign of life are in no such gap, also if both are seen with the failover', () => {
  const { lines, alive, change, takeOver, pass } = standby();
  pass(500);
  change();
  pass(2);
  alive();
  pass(1);
  takeOver(REPLACED);
  assert.deepEqual(lines, []);
});

test('a daemon that was never a standby logs nothing', () => {
  const { lines, takeOver } = standby();
  takeOver(ADOPTED);
  takeOver(REPLACED);
  assert.deepEqual(lines, []);
});
