// What the replay benchmark derives from the runs: which options a build has, its account, and the rows of a scenario.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EarlierVersion } from '../row.ts';
import { readAccount } from './account.ts';
import { differenceOf } from './engine-check.ts';
import { type Build, type Exporter, exporterOf, formatsOf, optionsOfHelp, senderOf } from './exporters.ts';
import { allOf, type Contestants, scenarioRows } from './figures.ts';
import type { Run } from './measured-run.ts';
import { GOALS_COMMIT, type Scenario } from './scenarios.ts';

const EARLIER: EarlierVersion = { name: '6713487', commit: GOALS_COMMIT, program: 'earlier.cjs' };
const BUILD: Build = { commit: '', program: 'now.cjs', hasFormats: true, hasEngines: true };
const EARLIER_BUILD: Build = {
  commit: EARLIER.name,
  program: EARLIER.program,
  hasFormats: false,
  hasEngines: false,
};
const SCENARIO: Scenario = {
  name: '1M act10',
  flows: 1_000_000,
  distribution: 'uniform',
  activeTimeout: 10,
  goals: { earlier: '<= 0.50', peers: { softflowd: '>= 10' } },
};

test('the help of replay says which options a build has, not a mention of one', () => {
  const help = '  --to <x>\n  --record-format <format>  format of records\n';
  assert.deepEqual(optionsOfHelp(help), { hasFormats: true, hasEngines: false });
  assert.deepEqual(optionsOfHelp('  --to <x>  see --engine\n  --engines <x>\n'), {
    hasFormats: false,
    hasEngines: false,
  });
  assert.deepEqual(optionsOfHelp('      --engine <engine>\n'), { hasFormats: false, hasEngines: true });
});

test('a build without record formats is compared in the original one, by the command that it has', () => {
  assert.deepEqual(formatsOf(BUILD), ['extended', 'original']);
  assert.deepEqual(formatsOf(EARLIER_BUILD), ['original']);
  const earlier = exporterOf(EARLIER_BUILD, 'original');
  assert.equal(earlier.name, '6713487, original');
  const [, ...command] = earlier.command('a.pcap', 4739, SCENARIO);
  assert.equal(
    command.join(' '),
    'earlier.cjs replay a.pcap --to 127.0.0.1:4739 --format json --cache-active-timeout 10 --cache-max-flows 2000000',
  );
  const typescript = exporterOf(BUILD, 'extended', 'typescript');
  assert.equal(typescript.name, 'ovs-ipfix, extended, typescript');
  assert.match(
    typescript.command('a.pcap', 4739, SCENARIO).join(' '),
    / --record-format extended --engine typescript$/u,
  );
});

const summaryText = (packetsInFlows: number, shortfalls: readonly string[], collectorCount = 1) =>
  JSON.stringify({
    packetsInFlows,
    shortfalls,
    collectors: Array.from({ length: collectorCount }, () => ({
      messagesSent: 3,
      recordsSent: 20,
      octetsSent: 4000,
    })),
  });

test('an account with a packet in no record, or with more than one collector, is an error', () => {
  assert.deepEqual(readAccount(summaryText(5, []), 5, 'x'), { records: 20, messages: 3, octets: 4000 });
  assert.throws(() => readAccount(summaryText(4, []), 5, 'x'), /x: of 5 packets 4 are in records/u);
  assert.throws(() => readAccount(summaryText(5, ['2 lost.']), 5, 'x'), /2 lost/u);
  assert.throws(() => readAccount(summaryText(5, [], 2), 5, 'x'), /2 collectors/u);
});

test('engines that have sent something else, or whose octets did not arrive, differ', () => {
  const sent = { records: 20, messages: 3, octets: 4000, receivedOctets: 4000, digest: 'aa' };
  assert.equal(differenceOf(sent, { ...sent }), undefined);
  assert.equal(
    differenceOf(sent, { ...sent, records: 21 }),
    'records are 20 with wasm, and 21 with typescript',
  );
  assert.equal(
    differenceOf(sent, { ...sent, digest: 'ab' }),
    'digest are aa with wasm, and ab with typescript',
  );
  const short = { ...sent, receivedOctets: 3000 };
  assert.equal(differenceOf(short, short), 'of 4000 octets that were sent 3000 were received');
});

const extended = exporterOf(BUILD, 'extended');
const original = exporterOf(BUILD, 'original');
const earlier = exporterOf(EARLIER_BUILD, 'original');
const engines = {
  wasm: exporterOf(BUILD, 'extended', 'wasm'),
  typescript: exporterOf(BUILD, 'extended', 'typescript'),
};
const softflowd: Exporter = { name: 'softflowd', hasAccount: false, command: () => [] };
const sender = senderOf(original, () => ({ messages: 3, octets: 4000 }));
const CONTESTANTS: Contestants = {
  ours: new Map([
    ['extended', extended],
    ['original', original],
  ]),
  earlier: new Map([
    ['extended', earlier],
    ['original', earlier],
  ]),
  engines,
  peers: [softflowd],
  senders: new Map([['original', sender]]),
  isGoalsCommit: true,
};

/** Runs of so many seconds each, with a memory of a hundred times as many megabytes. */
function runsOf(seconds: ReadonlyMap<Exporter, readonly number[]>): ReadonlyMap<Exporter, readonly Run[]> {
  return new Map(
    [...seconds].map(([exporter, rounds]) => [
      exporter,
      rounds.map((cpuSeconds) => ({
        cpuSeconds,
        memoryMegabytes: cpuSeconds * 100,
        counts: { messages: 7, octets: 500 },
        account: exporter.hasAccount
          ? { records: 20, messages: 9, octets: exporter === original ? 1000 : 1440 }
          : undefined,
      })),
    ]),
  );
}

const RUNS = runsOf(
  new Map([
    [extended, [1, 2, 3]],
    [original, [1, 1, 2]],
    [earlier, [4, 4, 4]],
    [engines.wasm, [1, 1, 1]],
    [engines.typescript, [2, 2, 2]],
    [softflowd, [10, 10, 12]],
    [sender, [0.5, 0.5, 0.6]],
  ]),
);

test('each exporter has a turn, also one that is compared in two formats', () => {
  assert.deepEqual(allOf(CONTESTANTS), [
    extended,
    original,
    earlier,
    engines.wasm,
    engines.typescript,
    softflowd,
    sender,
  ]);
  assert.deepEqual(
    allOf({ ...CONTESTANTS, earlier: new Map(), engines: undefined, peers: [], senders: new Map() }),
    [extended, original],
  );
});

test('the rows of a scenario compare both formats with the earlier build and with each exporter', () => {
  const rows = scenarioRows(CONTESTANTS, SCENARIO, 1e9, RUNS);
  assert.ok(rows.every(({ part, column }) => part === 'replay' && column === '1M act10'));
  const of = (what: string) => {
    const row = rows.find((each) => each.what === what);
    return [row?.value, row?.unit, row?.goal];
  };
  assert.deepEqual(of('ovs-ipfix, extended'), [2, 'ns/packet', undefined]);
  const time = 'processor time';
  assert.deepEqual(of(`ovs-ipfix, extended / 6713487, original, ${time}`), [0.5, 'ratio', '<= 0.50']);
  assert.deepEqual(of(`ovs-ipfix, original / 6713487, original, ${time}`), [0.25, 'ratio', '<= 0.50']);
  assert.deepEqual(of(`softflowd / ovs-ipfix, extended, ${time}`), [5, 'ratio', '>= 10']);
  assert.deepEqual(of(`softflowd / ovs-ipfix, original, ${time}`), [10, 'ratio', '>= 10']);
  assert.deepEqual(of(`wasm / typescript, ${time}`), [0.5, 'ratio', undefined]);
  assert.deepEqual(of('extended / original, octets'), [1.44, 'ratio', '<= 1.5']);
  assert.deepEqual(of('peak memory of 6713487, original'), [400, 'MB', undefined]);
  const memory = 'ovs-ipfix, extended / 6713487, original, peak memory';
  assert.deepEqual(of(memory), [0.5, 'ratio', '<= 1.0']);
  // What a sink loses is in the account.
  assert.deepEqual(of('messages of ovs-ipfix, original'), [9, 'count', undefined]);
  assert.deepEqual(of('messages of softflowd'), [7, 'count', undefined]);
  assert.deepEqual(of(sender.name), [0.5, 'ns/packet', undefined]);
  assert.deepEqual(of(`${sender.name} / 6713487, original, ${time}`), [0.125, 'ratio', undefined]);
  assert.ok(!rows.some(({ what }) => /(?:memory|messages) of sending/u.test(what)));
});

test('messages are sent alone in the number and of the average size that the exporter had', () => {
  assert.deepEqual(sender.command('a.pcap', 4739, SCENARIO).slice(2), ['4739', '3', '1333']);
});

test('the goals of processor time are not for another commit, and without one nothing is compared', () => {
  const other = scenarioRows({ ...CONTESTANTS, isGoalsCommit: false }, SCENARIO, 1e9, RUNS);
  const toEarlier = other.filter(({ what }) => what.includes(' / 6713487, original, '));
  assert.deepEqual(
    toEarlier.map(({ goal }) => goal),
    [undefined, undefined, undefined, '<= 1.0', '<= 1.0'],
  );
  const alone = { ...CONTESTANTS, earlier: new Map(), engines: undefined };
  const rows = scenarioRows(alone, SCENARIO, 1e9, RUNS);
  assert.ok(!rows.some(({ what }) => /6713487|typescript/u.test(what)));
});
