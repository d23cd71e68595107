// A bridge with flows with `sample` actions, its collector sets, and dumps of them: for tests of flow-based sampling. The
// bridge is br0, with the ports p1 (1) and p2 (2).

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SampledBridgeStatus } from '../../src/control/sampled-bridge-status.ts';
import type { Daemon } from './daemon.ts';
import { ethernet, ipv4, udp } from './frames.ts';
import { createCollectorSet, daemonStatus } from './ipfix-rows.ts';
import type { Ovs } from './ovs.ts';
import { runProgram } from './process.ts';
import { waitFor } from './wait.ts';

export const SAMPLED_VERSIONS = ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'];

/** Thousands of flows take ovs-ofctl a while on a busy machine. */
const OFCTL_TIMEOUT_MS = 60_000;

/** Returns a `sample` action in ovs-ofctl's syntax. */
export function sampleAction(set: number, domain = 7, point = 9, probability = 65_535): string {
  return `sample(probability=${probability},collector_set_id=${set},obs_domain_id=${domain},obs_point_id=${point})`;
}

/** Returns a UDP packet to that port. */
export function udpTo(destination: number): Uint8Array {
  const header = { source: '10.0.0.1', destination: '10.0.0.2' };
  return ethernet({}, ipv4(header, udp({ source: 1000, destination })));
}

/** The bridge; see the head of the file. */
export class SampledFlows {
  readonly ovs: Ovs;

  static async make(ovs: Ovs, protocols: readonly string[] = SAMPLED_VERSIONS): Promise<SampledFlows> {
    await ovs.addBridge('br0', { protocols });
    await ovs.addDummyPort('br0', 'p1', 1);
    await ovs.addDummyPort('br0', 'p2', 2);
    return new SampledFlows(ovs);
  }

  private constructor(ovs: Ovs) {
    this.ovs = ovs;
  }

  /** Removes the bridge after its sets, because a set keeps a reference to its bridge. No daemon may run. */
  async clean(): Promise<void> {
    await this.ovs.vsctl('--all', 'destroy', 'Flow_Sample_Collector_Set');
    await this.ovs.vsctl('--if-exists', 'del-br', 'br0');
  }

  /** Adds a collector set with its own IPFIX row. */
  async addSet(id: number, target: string, ...columns: readonly string[]): Promise<void> {
    await createCollectorSet(this.ovs, 'br0', id, target, ...columns);
  }

  /** Adds flows over one connection of ovs-ofctl. */
  async add(flows: readonly string[], version = 'OpenFlow13'): Promise<void> {
    const file = join(this.ovs.rundir, 'flows');
    await writeFile(file, `${flows.join('\n')}\n`);
    await this.ofctl('-O', version, 'add-flows', 'br0', file);
  }

  async ofctl(...args: readonly string[]): Promise<string> {
    const { environment } = this.ovs;
    return runProgram('ovs-ofctl', args, { environment, timeoutMs: OFCTL_TIMEOUT_MS });
  }

  /** Returns a sorted dump, because a rewritten flow moves among those of its priority. */
  async dump(version = 'OpenFlow13', ...options: readonly string[]): Promise<string> {
    const text = await this.ofctl(
      '-O',
      version,
      ...(options.length > 0 ? options : ['--no-stats']),
      'dump-flows',
      'br0',
    );
    return text.split('\n').sort().join('\n');
  }

  /** Returns the number of the daemon's actions in flows. */
  async countDaemonActions(version = 'OpenFlow13'): Promise<number> {
    return (await this.dump(version)).split('id=18768').length - 1;
  }

  async waitForDaemonActions(count: number, timeoutMs = 20_000, version = 'OpenFlow13'): Promise<void> {
    await waitFor(async () => (await this.countDaemonActions(version)) === count, {
      what: `${count} actions are the daemon's`,
      timeoutMs,
    });
  }
}

/** Returns the status of br0, which must be the only exported bridge. */
export async function sampledBridgeOf(daemon: Daemon): Promise<SampledBridgeStatus> {
  const [bridge] = (await daemonStatus(daemon)).bridges;
  if (bridge === undefined) {
    throw new Error('The daemon exports for no bridge.');
  }
  return bridge;
}
