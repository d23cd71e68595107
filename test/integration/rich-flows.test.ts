// Users' flows are the same to the byte before, during and after a run of the daemon, over every version that can show them:
// random rich flows of every action and instruction that ovs-ofctl can parse, on bridges with different versions.
// RICH_FLOWS_SEED repeats a run.
//
// Open vSwitch keeps for each action the version over which it was written, and shows it differently if it was written over
// another: what a user wrote as `set_tunnel64` over 1.0 is a `load` there once it has been rewritten over 1.4, unchanged.
// So a flow with samples may be shown as before, or as on a reference bridge whose flows were read and rewritten over one
// version without a daemon. A flow without samples must not change at all, nor may the meaning of any flow, as ovs-vswitchd
// stores it: over 1.0, `mod_vlan_vid` adds a tag only to packets without one; later versions show it as a push, which becomes
// a push when it is rewritten, without a difference in any version.

import assert from 'node:assert/strict';
import * as runner from 'node:test';
import { type TestContext, test } from 'node:test';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { createCollectorSet, createIpfixRow, daemonStatus } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import {
  type ActionKind,
  GROUP_COUNT,
  INSTRUCTION_KINDS,
  MANAGED_SET,
  Random,
} from '../support/rich-actions.ts';
import {
  addReferences,
  addRichFlows,
  parsableKinds,
  type RichFlow,
  richFlow,
} from '../support/rich-flows.ts';
import {
  ambiguousFlows,
  meaningOf,
  type Shown,
  type Stripped,
  sampledFlows,
  show,
  translationState,
  writeBack,
} from '../support/shown-bridge.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { differs } from '../versions/differences.ts';

const seed = Number(process.env['RICH_FLOWS_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const FLOWS_PER_BRIDGE = 200;
/** Least part of the flows that the switch must accept, so that the test is about valid flows. */
const TAKEN_MIN = 0.9;
const TRANSLATION_MS_MAX = 10_000;

interface RichBridge {
  readonly name: string;
  readonly protocols: readonly string[];
  /** Versions over which flows are added. */
  readonly writers: readonly string[];
  /** Whether a version shows flows whole, without which the daemon must not rewrite flows. Such a version has meters, too. */
  readonly isTranslated: boolean;
}

const BRIDGES: readonly RichBridge[] = [
  {
    name: 'all',
    protocols: ['OpenFlow10', 'OpenFlow11', 'OpenFlow12', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'],
    writers: ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'],
    isTranslated: true,
  },
  ...[
    { name: 'antrea', protocols: ['OpenFlow10', 'OpenFlow15'], isTranslated: true },
    { name: 'only13', protocols: ['OpenFlow13'], isTranslated: true },
    { name: 'only14', protocols: ['OpenFlow14'], isTranslated: true },
    { name: 'only10', protocols: ['OpenFlow10'], isTranslated: false },
  ].map((bridge) => ({ ...bridge, writers: bridge.protocols })),
];

const needs = tier('ovs', 'daemon');
let ovs: Ovs;
let sink: FlowRecordSink;
interface BeforeDaemon {
  readonly shown: ReadonlyMap<string, Shown>;
  /** What the bridge would show if all flows had been read and rewritten over one of its versions but 1.0. */
  readonly references: readonly ReadonlyMap<string, Shown>[];
  /** What flows do, by key. */
  readonly meaning: ReadonlyMap<string, string>;
  /** Keys of the flows that sample for the managed set. */
  readonly sampled: ReadonlySet<string>;
  /** Keys of flows that need not be translated: the switch refuses them when rewritten, or their meaning is ambiguous. */
  readonly exempt: ReadonlySet<string>;
}
const before = new Map<RichBridge, BeforeDaemon>();

runner.before(async () => {
  if (needs.skip !== false) {
    return;
  }
  ovs = await startOvs({
    allowedWarnings: [
      // Flows that the switch refuses, groups requested in a version that lacks them, and the daemon's versions.
      /\|(ofp_\w+|ofproto|nx_match|meta_flow|vconn|rconn|bundles|learn)\|WARN\|/u,
    ],
  });
  sink = await FlowRecordSink.open();
});
runner.after(async () => {
  if (needs.skip !== false) {
    return;
  }
  await sink.close();
  await ovs.stop();
});

/** Returns what a bridge shows in each of its versions that the daemon reads. */
async function showBridge(
  name: string,
  writers: readonly string[],
  stripped: Stripped,
): Promise<Map<string, Shown>> {
  const shown = await Promise.all(
    writers.map(async (version) => [version, await show(ovs, name, version, stripped)] as const),
  );
  return new Map(shown);
}

/** Returns the form of one flow in all versions of a bridge. */
function formOf(shown: ReadonlyMap<string, Shown>, key: string): string {
  return [...shown].map(([version, { flows }]) => `${version} ${flows.get(key) ?? 'absent'}`).join('\n');
}

/** Describes the difference of a flow: ovs-ofctl's lines if they differ, else the bytes. */
function describeFlow(
  key: string,
  shown: ReadonlyMap<string, Shown>,
  expected: ReadonlyMap<string, Shown>,
): string {
  const lines = [...shown].flatMap(([version, { flows }]) => {
    const [[bytes, text], [wantedBytes, wantedText]] = [flows, expected.get(version)?.flows].map((all) =>
      (all?.get(key) ?? 'absent').split('\n'),
    ) as [string[], string[]];
    if (bytes === wantedBytes && text === wantedText) {
      return [];
    }
    return text === wantedText
      ? [`${version} is  ${bytes}`, `${version} was ${wantedBytes}`]
      : [`${version} is  ${text ?? bytes}`, `${version} was ${wantedText ?? wantedBytes}`];
  });
  return [`flow ${key}:`, ...lines].join('\n');
}

/** Fails if flows or groups of a bridge are shown in a form that is not allowed; returns how many flows have changed their form. */
async function assertUnchanged(bridge: RichBridge, when: string, strips = false): Promise<number> {
  const stripped = !strips ? 'nothing' : bridge.isTranslated ? 'the hook and actions' : 'the hook';
  const expected = before.get(bridge);
  assert.ok(expected !== undefined, 'flows have been added');
  const shown = await showBridge(bridge.name, bridge.writers, stripped);
  const keys = new Set(
    [...shown.values(), ...expected.shown.values()].flatMap(({ flows }) => [...flows.keys()]),
  );
  const differences: string[] = [];
  let rewritten = 0;
  for (const key of keys) {
    const form = formOf(shown, key);
    const wanted = formOf(expected.shown, key);
    if (form === wanted) {
      continue;
    }
    rewritten += 1;
    const isRewritten =
      expected.sampled.has(key) && expected.references.some((reference) => formOf(reference, key) === form);
    if (!isRewritten) {
      differences.push(describeFlow(key, shown, expected.shown));
    }
  }
  for (const [version, { groups }] of shown) {
    const wanted = expected.shown.get(version)?.groups ?? [];
    if (groups.join('\n') !== wanted.join('\n')) {
      differences.push(`groups over ${version} are:\n${groups.join('\n')}\nand were:\n${wanted.join('\n')}`);
    }
  }
  const first = differences.slice(0, 3).join('\n');
  assert.equal(differences.length, 0, `${when}, ${differences.length} differences (seed ${seed}):\n${first}`);
  return rewritten;
}

/** Fails if the meaning of a flow has changed. */
async function assertSameMeaning(bridge: RichBridge, when: string): Promise<void> {
  const meaning = await meaningOf(ovs, bridge.name);
  const differences = [...(before.get(bridge)?.meaning ?? [])].flatMap(([key, wanted]) => {
    const actual = meaning.get(key);
    return actual === wanted ? [] : [`flow ${key} does:\n${actual}\nand did:\n${wanted}`];
  });
  const first = differences.slice(0, 3).join('\n');
  assert.equal(differences.length, 0, `${when}, ${differences.length} differences (seed ${seed}):\n${first}`);
}

/** Waits until the daemon has translated the flows and installed the hook. */
async function waitForTranslation(bridge: RichBridge, isUnmetered: boolean): Promise<void> {
  const { name, writers, isTranslated } = bridge;
  const exempt = before.get(bridge)?.exempt;
  await waitFor(
    async () => {
      const { pending, companionCount, hasHook } = await translationState(ovs, name, writers.at(-1) ?? '');
      const left = isTranslated ? pending.filter((key) => exempt?.has(key) !== true) : [];
      const isRight = isTranslated ? left.length === 0 : companionCount === 0;
      if (hasHook === (isTranslated || isUnmetered) && isRight) {
        return true;
      }
      const hook = `the hook is ${hasHook ? '' : 'not '}there`;
      throw new Error(
        `${companionCount} actions are there, missing in: ${left.slice(0, 9).join(', ')}; ${hook}`,
      );
    },
    { what: `flows of bridge ${name} are translated`, timeoutMs: TRANSLATION_MS_MAX, intervalMs: 100 },
  );
}

/** A daemon, and the errors of bridges whose translation did not complete. */
interface Translating {
  readonly daemon: Daemon;
  readonly failures: ReadonlyMap<RichBridge, unknown>;
}

/** Starts the daemon and waits until each bridge is translated, or its time is over. */
async function startTranslating(isUnmetered: boolean): Promise<Translating> {
  const args = isUnmetered ? ['--unmetered=allow'] : [];
  const daemon = await startDaemon(ovs, { waitForReady: false, arguments: args });
  const failures = new Map<RichBridge, unknown>();
  await Promise.all(
    BRIDGES.map((bridge) =>
      waitForTranslation(bridge, isUnmetered).catch((error: unknown) => failures.set(bridge, error)),
    ),
  );
  return { daemon, failures };
}

/** Makes a bridge with references and random flows; the same numbers make the same flows. */
async function makeBridge(
  name: string,
  { protocols, writers }: RichBridge,
  kinds: readonly ActionKind[],
  bridgeSeed: number,
): Promise<readonly RichFlow[]> {
  const random = new Random(bridgeSeed);
  await ovs.addBridge(name, { protocols, failMode: 'secure' });
  await ovs.addDummyPort(name, `${name}-p1`, 1);
  await ovs.addDummyPort(name, `${name}-p2`, 2);
  await addReferences(ovs, name, writers.at(-1) ?? '', random);
  return addFlows(name, writers, kinds, random);
}

test('the switch accepts random flows of every kind', needs, async (t) => {
  t.diagnostic(`seed ${seed}`);
  const all = await parsableKinds(ovs, new Random(seed));
  const counts = new Map<string, number>();
  let taken = 0;
  for (const [index, bridge] of BRIDGES.entries()) {
    const { name, protocols, writers, isTranslated } = bridge;
    const flows = await makeBridge(name, bridge, all, seed + index);
    taken += flows.length;
    for (const kind of flows.flatMap(({ kinds }) => kinds)) {
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    assert.ok(flows.length >= TAKEN_MIN * FLOWS_PER_BRIDGE, `${name}: ${flows.length} flows were taken`);
    const references: ReadonlyMap<string, Shown>[] = [];
    const exempt = new Set(
      protocols.includes('OpenFlow10') && isTranslated
        ? await ambiguousFlows(ovs, name, writers.at(-1) ?? '')
        : [],
    );
    for (const group of groupKeys()) {
      exempt.add(group);
    }
    for (const version of writers.length === 1 ? [] : writers.filter((each) => each !== 'OpenFlow10')) {
      const reference = `${name}-${version.slice(-2)}`;
      await makeBridge(reference, bridge, all, seed + index);
      for (const key of await writeBack(ovs, reference, version)) {
        exempt.add(key);
      }
      references.push(await showBridge(reference, writers, 'nothing'));
    }
    const shown = await showBridge(name, writers, 'nothing');
    const sampled = await sampledFlows(ovs, name, writers.at(-1) ?? '');
    before.set(bridge, { shown, references, meaning: await meaningOf(ovs, name), sampled, exempt });
    t.diagnostic(
      `bridge ${name}: ${flows.length} of ${FLOWS_PER_BRIDGE} flows were taken, ${sampled.size} sample, ${exempt.size} are exempt`,
    );
    assert.equal(await assertUnchanged(bridge, 'read twice without a daemon'), 0);
  }
  const kinds = [...all, ...INSTRUCTION_KINDS].map(({ name }) => name);
  const missing = kinds.filter((kind) => !counts.has(kind));
  t.diagnostic(`${taken} flows of ${counts.size} kinds; not taken: ${missing.join(', ') || 'none'}`);
  assert.ok(taken >= 500);
  const kindsMin = differs(t, 'kinds') ? 105 : 110;
  assert.ok(kinds.length >= kindsMin, `only ${kinds.length} kinds can be parsed`);
  assert.deepEqual(missing, []);
  const only10 = [...before].find(([{ name }]) => name === 'only10')?.[1].shown;
  assert.ok(only10?.get('OpenFlow10')?.flowText !== undefined);
});

/** Returns the groups, which are not rewritten. */
function groupKeys(): string[] {
  return Array.from({ length: GROUP_COUNT }, (_, index) => `group ${index + 1}`);
}

async function addFlows(
  bridge: string,
  writers: readonly string[],
  kinds: readonly ActionKind[],
  random: Random,
): Promise<readonly RichFlow[]> {
  const byVersion = new Map<string, RichFlow[]>(writers.map((version) => [version, []]));
  for (let number = 0; number < FLOWS_PER_BRIDGE; number += 1) {
    const version = random.pick(writers);
    byVersion.get(version)?.push(richFlow(random, number, kinds, version));
  }
  const taken: RichFlow[] = [];
  for (const [version, flows] of byVersion) {
    taken.push(...(await addRichFlows(ovs, bridge, version, flows)));
  }
  return taken;
}

/** Runs two tests for each bridge. */
async function checkAll(
  t: TestContext,
  when: string,
  strips: boolean,
  failures?: ReadonlyMap<RichBridge, unknown>,
): Promise<void> {
  for (const bridge of BRIDGES) {
    await t.test(`bridge ${bridge.name}, ${when}`, async (t) => {
      assert.equal(failures?.get(bridge), undefined);
      const rewritten = await assertUnchanged(bridge, when, strips);
      if (rewritten > 0) {
        t.diagnostic(`${rewritten} flows are shown as if written over another version`);
      }
    });
    await t.test(`bridge ${bridge.name}, what flows do, ${when}`, () => assertSameMeaning(bridge, when));
  }
}

test(
  'flows are the same while the daemon runs, except its actions after samples, and after it has stopped',
  needs,
  async (t) => {
    for (const { name } of BRIDGES) {
      await createIpfixRow(ovs, name, [sink.target], { sampling: 1 });
      await createCollectorSet(ovs, name, MANAGED_SET, sink.target);
      // Otherwise the set of a bridge without meters is redirected, and its flows are not rewritten.
      await ovs.vsctl('set', 'Bridge', name, 'external_ids:ovs-ipfix-sampler=packet-in');
    }
    const { daemon, failures } = await startTranslating(false);
    try {
      await checkAll(t, 'while the daemon runs', true, failures);
      const { conditions } = await daemonStatus(daemon);
      const reported = conditions.map(({ where }) => where).join('; ');
      assert.match(reported, /only10/u, 'the bridge whose samples do not reach the daemon is reported');
      await daemon.stop();
    } finally {
      await daemon.kill();
    }
    await checkAll(t, 'after the daemon was stopped', false);
  },
);

test(
  'flows are the same without meters while the daemon runs, after it was killed, and after a release',
  needs,
  async (t) => {
    const { daemon, failures } = await startTranslating(true);
    try {
      await checkAll(t, 'while the daemon runs unmetered', true, failures);
    } finally {
      await daemon.kill();
    }
    await checkAll(t, 'after the daemon was killed', true);
    await ovs.run(process.execPath, DAEMON_FILE, 'release', ovs.dbEndpoint);
    await checkAll(t, 'after the release', false);
  },
);
