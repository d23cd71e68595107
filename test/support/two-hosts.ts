// A bridge with a userspace datapath, two real hosts that do not send yet, and a collector that gets all of their packets.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type Daemon, startDaemon } from './daemon.ts';
import { lastFirst } from './end-in-order.ts';
import { FlowRecordSink } from './flow-records.ts';
import { createIpfixRow } from './ipfix-rows.ts';
import { NamespaceHost } from './namespace-host.ts';
import { type Ovs, type OvsOptions, startOvs } from './ovs.ts';

export const HOSTS = [
  { port: 'port1', mac: '02:00:00:00:09:01', ipv4: '10.9.0.1/24', ipv6: 'fd09::1/64' },
  { port: 'port2', mac: '02:00:00:00:09:02', ipv4: '10.9.0.2/24', ipv6: 'fd09::2/64' },
] as const;

/** The bridge br0 with its hosts; see the head of the file. */
export interface TwoHosts {
  readonly ovs: Ovs;
  readonly sink: FlowRecordSink;
  /** UUID of the IPFIX row. */
  readonly row: string;
  readonly hosts: readonly [NamespaceHost, NamespaceHost];
  /** Registers an end for the end of the test; the last one registered runs first. */
  readonly atEnd: (end: () => Promise<unknown>) => void;
  /** Starts a daemon that ends with the test. */
  startDaemon(): Promise<Daemon>;
}

/** Starts an Open vSwitch with the bridge; all of it ends with the test. */
export async function startTwoHosts(
  t: TestContext,
  options: OvsOptions & { readonly failMode?: 'standalone' | 'secure' } = {},
): Promise<TwoHosts> {
  const { failMode, ...ovsOptions } = options;
  const ovs = await startOvs({ ...ovsOptions, mode: 'netdev' });
  const atEnd = lastFirst(t);
  atEnd(() => ovs.stop());
  const sink = await FlowRecordSink.open();
  atEnd(() => sink.close());
  await ovs.addBridge('br0', failMode === undefined ? {} : { failMode });
  const row = await createIpfixRow(ovs, 'br0', [sink.target], {
    sampling: 1,
    cache_active_timeout: 600,
    cache_max_flows: 100_000,
  });
  const first = await NamespaceHost.create(ovs, 'br0', HOSTS[0]);
  atEnd(() => first.stop());
  const second = await NamespaceHost.create(ovs, 'br0', HOSTS[1]);
  atEnd(() => second.stop());
  const startOwnDaemon = async () => {
    const daemon = await startDaemon(ovs);
    atEnd(() => daemon.kill('SIGTERM'));
    return daemon;
  };
  return { ovs, sink, row, hosts: [first, second], atEnd, startDaemon: startOwnDaemon };
}

/** Sends 50 pings; fails unless all are answered. */
export async function ping(host: NamespaceHost, address: string): Promise<void> {
  const text = await host.run('ping', '-n', '-i', '0.02', '-c', '50', '-w', '10', address);
  assert.match(text, /50 packets transmitted, 50 received, 0% packet loss/);
}
