// The sentences, losses, collectors and events of the page, from statuses that a test writes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandIn } from '../../src/report/command-in-text.ts';
import type { StatusDocument } from '../../src/report/status-document.ts';
import { TABLE_WIDTH } from '../../src/report/text-table.ts';
import { overviewOf } from '../../src/report/traffic/overview.ts';
import { topText } from '../../src/report/traffic/top-screen.ts';
import { trafficTotals } from '../../src/report/traffic/traffic-table.ts';
import { udpFrame } from '../support/frames.ts';
import { TrafficSource } from './traffic-source.ts';

const TARGET = '192.0.2.1:4739';

/** Counters that only grow, and states, as the status of one bridge has them. */
interface Facts {
  observedPackets: number;
  droppedByMeter: number;
  lost: number;
  writtenOffPackets: number;
  datapathLost: number;
  recordsSent: number;
  recordsLost: number;
  recordsDeliveryUnknown: number;
  backlogCount: number;
  state: string;
  lastError: string | undefined;
  sampler: string;
}

/** A daemon with one bridge and one collector. */
function start() {
  const source = new TrafficSource();
  const exporter = source.addExporter('br0', ['web-1']);
  const facts: Facts = {
    observedPackets: 0,
    droppedByMeter: 0,
    lost: 0,
    writtenOffPackets: 0,
    datapathLost: 0,
    recordsSent: 0,
    recordsLost: 0,
    recordsDeliveryUnknown: 0,
    backlogCount: 0,
    state: 'open',
    lastError: undefined,
    sampler: 'packet-in',
  };
  const idle = { observedPackets: 0, droppedByMeter: 0, lost: 0, writtenOffPackets: 0 };
  const bridges = () => {
    const { sampler, datapathLost, observedPackets, droppedByMeter, lost, writtenOffPackets, ...collector } =
      facts;
    return [
      {
        bridge: 'br0',
        session: { hook: 'installed' },
        samplerChoice: { sampler, reason: 'the meter dropped packets' },
        sampling: {
          sampler: { observedPackets, droppedByMeter, lost, writtenOffPackets },
          datapath: {
            packets: { exported: 0, received: 0, lost: datapathLost },
            packetCompensation: { writtenOff: 0 },
          },
          exporter: {
            records: { activeTimeout: facts.recordsSent, lackOfResources: 0, forcedEnd: 0 },
            cache: { flows: 12 },
            collectors: [{ target: TARGET, transport: 'udp', backlogBytes: 0, ...collector }],
          },
        },
        flowSampling: [],
        sampleActionMeter: idle,
      },
    ];
  };
  /** Lets a second pass in which the facts change. */
  const second = (changes: Partial<Facts> = {}, count = 1) => {
    Object.assign(facts, changes);
    source.bridges = bridges();
    source.run(count, () => source.sample(exporter, udpFrame({}), 100));
  };
  const status = (parts: object = {}) =>
    ({
      time: '2024-01-01T00:00:00.000Z',
      program: { version: '0.2.0', pid: 1, startTime: '', upSeconds: 100 },
      missing: [],
      conditions: [],
      conditionsOmitted: 0,
      bridges: bridges(),
      ...parts,
    }) as unknown as StatusDocument;
  const overview = (parts: object = {}) => overviewOf(status(parts), source.history, 'host-1');
  return { source, facts, second, overview };
}

test('shows rates of the last ten seconds, flows and records', () => {
  const { second, overview, facts } = start();
  for (let count = 0; count < 20; count += 1) {
    second({ recordsSent: facts.recordsSent + 7 });
  }
  const { bits, packets, records, flows, host, historySeconds, lost } = overview();
  assert.deepEqual(
    { bits, packets, records, flows, host, historySeconds, lost },
    {
      bits: udpFrame({}).length * 800,
      packets: 100,
      records: 7,
      flows: 12,
      host: 'host-1',
      historySeconds: 20,
      lost: [],
    },
  );
});

test('says in one sentence what was lost in the last minute, and adds no unlike kinds', () => {
  const { second, overview } = start();
  second({}, 5);
  assert.equal(overview().losses.text, 'Nothing was lost in the last minute.');
  second({ observedPackets: 10_000, droppedByMeter: 40 });
  assert.deepEqual(overview().losses, {
    mood: 'warning',
    text: 'In the last minute: 0.4% of packets were not seen because the meter of br0 was full; totals are compensated.',
  });
  second({ observedPackets: 20_000, lost: 200 });
  assert.match(
    overview().losses.text,
    /0\.2% of packets were not seen .*; 1\.0% of packets were lost between br0 and the daemon; totals/u,
  );
  second({ writtenOffPackets: 1, recordsLost: 5, recordsDeliveryUnknown: 2 });
  const { losses, lost } = overview();
  assert.equal(losses.mood, 'bad');
  assert.match(
    losses.text,
    /; 1 packet of br0 is missing in records; 5 records could not be sent to 192\.0\.2\.1:4739; 2 records may not/u,
  );
  assert.deepEqual(
    lost.map(({ kind, count }) => [kind, count]),
    [
      ['meter', 40],
      ['way', 200],
      ['writtenOff', 1],
      ['records', 5],
      ['unknown', 2],
    ],
  );
  second({}, 60);
  assert.equal(overview().losses.text, 'Nothing was lost in the last minute.');
  assert.equal(overview().lost.length, 5, 'they are losses of the last five minutes still');
  second({}, 240);
  assert.deepEqual(overview().lost, []);
});

test('a packet that arrives late is not a loss again', () => {
  const { second, overview } = start();
  second({ observedPackets: 100, lost: 5 });
  second({ observedPackets: 200, lost: 3 });
  second({ observedPackets: 300, lost: 5 });
  assert.deepEqual(
    overview().lost.map(({ kind, count }) => [kind, count]),
    [['way', 5]],
  );
  // A new meter counts from 0.
  second({ observedPackets: 10, lost: 2 });
  assert.equal(overview().lost[0]?.count, 7);
});

test('shows since when a collector cannot be reached, why, what waits, and what to do; and the events', () => {
  const { source, second, overview, facts } = start();
  second({ recordsSent: 100 }, 10);
  const [up] = overview().collectors;
  assert.deepEqual(
    [up?.state, up?.downSince, up?.action, up?.recordsSent],
    ['open', undefined, undefined, 100],
  );
  second({ state: 'failing', lastError: 'ECONNREFUSED 192.0.2.1:4739', backlogCount: 3 });
  second({ recordsLost: 20 }, 9);
  const { collectors, time, events } = overview();
  const [down] = collectors;
  assert.equal(down?.state, 'failing');
  assert.match(down?.action ?? '', /^Start the collector/u);
  assert.match(down?.reason ?? '', /^ECONNREFUSED/u);
  assert.deepEqual([down?.lost, down?.waiting, down?.exportersDown], [20, 3, 1]);
  assert.equal(down?.downSince, source.history.wallSeconds(source.clock.monotonicMicros()) - 9);
  assert.deepEqual(down?.series.waiting, [0, 0, 3, 3]);
  assert.ok(time > 0);
  second({ state: 'open', backlogCount: 0, sampler: 'datapath' });
  assert.equal(overview().collectors[0]?.downSince, undefined);
  assert.deepEqual(
    overview().events.map(({ kind, text }) => [kind, text]),
    [
      ['start', 'ovs-ipfix started'],
      ['collector', `collector ${TARGET} cannot be reached`],
      ['sampler', 'bridge br0: sampler datapath: the meter dropped packets'],
      ['collector', `collector ${TARGET} can be reached again`],
    ],
  );
  assert.equal(events.length, 2);
  assert.equal(facts.state, 'open');
});

test('says the state in one sentence, with right plurals', () => {
  const { overview, facts } = start();
  const text = (parts: object = {}) => overview(parts).state.text;
  assert.equal(text(), 'Flows of 1 bridge are exported to 1 collector.');
  const error = { code: 'bad-target', severity: 'error', where: '', message: '', action: '' };
  assert.equal(
    text({ conditions: [error] }),
    'Flows of 1 bridge are exported to 1 collector, with 1 error in the configuration.',
  );
  assert.equal(text({ bridges: [] }), 'Ready, but no bridge has a row to export for.');
  assert.equal(
    text({ missing: ['The database is away.', 'x'] }),
    'Not ready: The database is away. (and 1 more reason)',
  );
  facts.state = 'backoff';
  assert.deepEqual(overview().state, {
    mood: 'bad',
    text: `The collector ${TARGET} cannot be reached.`,
  });
});

test('errors come before warnings, also where not all conditions are shown', () => {
  const { second, overview } = start();
  second({}, 1);
  const condition = (severity: string, where: string) => ({
    code: 'x',
    severity,
    where,
    message: '',
    action: '',
  });
  const warnings = Array.from({ length: 60 }, (_, index) => condition('warning', `row ${index}`));
  const { conditions, conditionsOmitted } = overview({
    conditions: [...warnings, condition('error', 'last')],
  });
  assert.deepEqual(
    conditions.slice(0, 3).map(({ where }) => where),
    ['last', 'row 0', 'row 1'],
  );
  assert.deepEqual([conditions.length, conditionsOmitted], [50, 11]);
});

test('finds the command in an action', () => {
  assert.equal(
    commandIn('Raise it, or let the datapath sample with "ovs-vsctl set Bridge br0 a=b".'),
    'ovs-vsctl set Bridge br0 a=b',
  );
  assert.equal(commandIn('"x" is not a target.'), undefined);
  // Quotes of the shell are part of it.
  assert.equal(
    commandIn('Set it with "ovs-vsctl set IPFIX 5f93 external_ids:a=\\"b,c\\"".'),
    'ovs-vsctl set IPFIX 5f93 external_ids:a=\\"b,c\\"',
  );
});

test('a command that cannot be run as it stands is not for copying', () => {
  for (const text of [
    'Correct it with "ovs-vsctl set IPFIX 5f93 targets=..."; the others are used.',
    'Give it with "ovs-vsctl set Bridge BRIDGE ipfix=5f93", or delete it with "ovs-vsctl destroy IPFIX 5f93".',
    'Set one with "ovs-vsctl set IPFIX 5f93 targets=\\"192.0.2.1:4739\\"".',
    'Set it with "ovs-vsctl set IPFIX 5f93 obs_domain_id=ID".',
    'Try "ovs-ipfix run --mark=regN[BIT]".',
    'Set it with "ovs-vsctl set Bridge br0;reboot external_ids:a=b".',
    'Set it with "ovs-vsctl set Bridge $(reboot) external_ids:a=b".',
  ]) {
    assert.equal(commandIn(text), undefined, text);
  }
});

test('the screen of top has the figures in 80 columns', () => {
  const { source, second, overview } = start();
  second({ observedPackets: 1000, droppedByMeter: 4 }, 10);
  const long =
    'An action that is much longer than a line of the terminal, because it says what to do in all cases, one by one.';
  const conditions = [
    { code: 'bad-target', severity: 'error', where: 'IPFIX row x', message: '', action: long },
  ];
  const text = topText({ overview: overview({ conditions }), traffic: trafficTotals(source.find('top=3')) });
  assert.match(text, /^host-1: ovs-ipfix 0\.2\.0, up 1 min 40 s +00:00:00 UTC\n/u);
  assert.match(text, /^48\.0 kbit\/s, 100 packets\/s, 12 active flows/mu);
  assert.match(text, /^lost in the last 5 minutes: 4 packets dropped by the meter, compensated$/mu);
  assert.match(text, /^web-1 +48\.0 kbit\/s +100\.0% +#{20}$/mu);
  assert.match(text, /^1 of 1 conversation$/mu);
  assert.match(text, /10\.0\.0\.2 < 10\.0\.0\.1 \(web-1\)/u);
  assert.match(text, /^collector 192\.0\.2\.1:4739 open: /mu);
  assert.deepEqual(
    text.split('\n').filter((line) => line.length > TABLE_WIDTH),
    [],
  );
});
