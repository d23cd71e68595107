// Bridges whose packets the datapath samples, and numbered frames, by which nothing can be lost or doubled unnoticed: the number
// of a frame is its UDP source port less 1.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type Daemon, type DaemonOptions, startDaemon } from './daemon.ts';
import { endInOrder } from './end-in-order.ts';
import { type ExportingBridge, exportingBridge } from './exporting-bridge.ts';
import { udpFrame } from './frames.ts';
import { waitForBridge } from './ipfix-rows.ts';
import { type Ovs, type OvsOptions, startOvs } from './ovs.ts';
import { waitFor } from './wait.ts';

/** Columns of a row that caches all flows of a test. */
export const CACHED = { cache_active_timeout: 60, cache_max_flows: 60_000 };
/** A rate that no test reaches. */
const RATE_MAX = 1_000_000;
/** Milliseconds after which P is what the row asks for: two changes with 5 s between them. */
const RISE_MS_MAX = 15_000;

export interface Started {
  readonly ovs: Ovs;
  readonly daemon: Daemon;
}

/** Starts both for one test. */
export async function startBoth(
  t: TestContext,
  options: OvsOptions = {},
  ofDaemon: DaemonOptions = {},
): Promise<Started> {
  const ovs = await startOvs(options);
  const endings: (() => Promise<unknown>)[] = [() => ovs.stop()];
  t.after(() => endInOrder(...endings));
  const daemon = await startDaemon(ovs, ofDaemon);
  endings.unshift(() => daemon.kill());
  return { ovs, daemon };
}

/** Sets the sampler of a bridge, with a rate that is never reached. */
export async function setSampler(ovs: Ovs, bridge: string, sampler: string): Promise<void> {
  const keys = [`ovs-ipfix-sampler=${sampler}`, `ovs-ipfix-max-rate=${RATE_MAX}`];
  await ovs.vsctl('set', 'Bridge', bridge, ...keys.map((key) => `external_ids:${key}`));
}

/** Makes a bridge whose packets are all sampled by the datapath. */
export async function datapathBridge(t: TestContext, { ovs, daemon }: Started): Promise<ExportingBridge> {
  const br = await exportingBridge(t, ovs, daemon, CACHED);
  await setSampler(ovs, br.name, 'datapath');
  await sampledWhole(daemon, br.name);
  return br;
}

/** Waits until the datapath samples every packet. */
export function sampledWhole(daemon: Daemon, bridge: string) {
  return sampledWith(daemon, bridge, 65_535);
}

/** Waits until the datapath samples with a probability. */
export function sampledWith(daemon: Daemon, bridge: string, probability: number) {
  return waitForBridge(
    daemon,
    bridge,
    `the datapath samples ${probability} of 65535 packets`,
    ({ samplerChoice, session }) =>
      samplerChoice?.sampler === 'datapath' &&
      samplerChoice.probability === probability &&
      session.hook === 'installed' &&
      session.hookReconciler.state === 'idle',
    RISE_MS_MAX,
  );
}

/** Returns the actions of the hook. */
export async function hookActions(ovs: Ovs, bridge: string): Promise<string> {
  const flows = await ovs.ofctl('-O', 'OpenFlow14', 'dump-flows', bridge, 'table=0');
  return /reg11=0\/0x80000000 actions=(.*)/u.exec(flows)?.[1] ?? 'no hook';
}

/** Returns the tables of own rows: "IPFIX" and "Flow_Sample_Collector_Set", each as often as there are. */
export async function ownRows(ovs: Ovs): Promise<readonly string[]> {
  const rows: string[] = [];
  for (const table of ['IPFIX', 'Flow_Sample_Collector_Set']) {
    const select = { op: 'select', table, where: [], columns: ['external_ids'] };
    const [{ rows: found } = { rows: [] }] = (await ovs.transact(select)) as { rows: readonly object[] }[];
    rows.push(...found.filter((row) => JSON.stringify(row).includes('ovs-ipfix-owner')).map(() => table));
  }
  return rows;
}

/** Numbered frames. */
export class Numbered {
  count = 0;
  octets = 0;
  readonly #br: ExportingBridge;
  readonly #ovs: Ovs;

  constructor(br: ExportingBridge, ovs: Ovs) {
    this.#br = br;
    this.#ovs = ovs;
  }

  /** Injects as many frames, each of a flow of its own. */
  async inject(count: number): Promise<void> {
    const frames = Array.from({ length: count }, (_, index) => {
      const number = this.count + index;
      return udpFrame({ sourcePort: 1 + number, dataBytes: 18 + (number % 20) * 60 });
    });
    this.count += count;
    this.octets += frames.reduce((sum, { length }) => sum + length, 0);
    await this.#ovs.injectMany(this.#br.name, this.#br.port, frames);
  }
}

/** Waits until all numbered frames are sampled, and has all flows exported; fails unless each number is one packet. */
export async function assertExact(br: ExportingBridge, numbered: Numbered): Promise<void> {
  await br.waitForStatus(`${numbered.count} samples`, ({ exporter }) => exporter.samples >= numbered.count);
  const { exporter } = await br.waitForStatus(
    'flows are cached',
    ({ exporter: { cache } }) => cache.flows > 0,
  );
  await br.set({ cache_active_timeout: 0 });
  await waitFor(() => br.sink.records.length >= exporter.cache.flows, { what: 'records of all flows' });
  const packets = new Map<number, number>();
  let octets = 0;
  for (const { fields } of br.sink.records) {
    const number = Number(fields['sourceTransportPort']) - 1;
    assert.ok(number >= 0 && number < numbered.count, `not injected: ${JSON.stringify(fields)}`);
    packets.set(number, (packets.get(number) ?? 0) + Number(fields['packetDeltaCount']));
    octets += Number(fields['layer2OctetDeltaCount']);
  }
  const wrong = Array.from({ length: numbered.count }, (_, number) => [number, packets.get(number) ?? 0]);
  assert.deepEqual(
    wrong.filter(([, count]) => count !== 1),
    [],
    'numbers and their packets',
  );
  assert.equal(octets, numbered.octets);
}
