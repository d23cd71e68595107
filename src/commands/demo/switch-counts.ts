// The switch's own counts: the demo adds one flow with the action NORMAL for each kind of traffic, so that their counters count
// the traffic independently of ovs-ipfix.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addCount, type Counts, KINDS, totalOf } from './kinds.ts';
import type { PrivateOvs } from './private-ovs.ts';

/** Cookie of the flow of the first kind; the others follow. Nothing else in the bridge has such cookies. */
const COOKIE_BASE = 0xde_0000;
const PRIORITY_BASE = 1000;

/** See the head of the file. */
export class SwitchCounts {
  readonly #ovs: PrivateOvs;
  readonly #bridge: string;

  constructor(ovs: PrivateOvs, bridge: string) {
    this.#ovs = ovs;
    this.#bridge = bridge;
  }

  /** Adds the flows to the bridge; returns the command. */
  async install(): Promise<readonly string[]> {
    const file = join(this.#ovs.folder, 'counting-flows');
    const flows = KINDS.map(({ match }, index) => {
      const head = `cookie=0x${(COOKIE_BASE + index).toString(16)},priority=${PRIORITY_BASE - index}`;
      return `${[head, match].filter((part) => part !== '').join(',')},actions=NORMAL\n`;
    });
    await writeFile(file, flows.join(''));
    const command = ['ovs-ofctl', 'add-flows', this.#bridge, file] as const;
    await this.#ovs.run(command);
    return command;
  }

  /** Returns packets and octets of each kind; flows lag behind ports by up to half a second. */
  async byKind(): Promise<Counts> {
    const counts: Counts = new Map();
    const text = await this.#ovs.run(['ovs-ofctl', 'dump-flows', this.#bridge]);
    const flows = text.matchAll(
      /cookie=0x(?<cookie>[0-9a-f]+),.* n_packets=(?<packets>\d+), n_bytes=(?<octets>\d+)/g,
    );
    for (const { groups } of flows) {
      const kind = KINDS[Number.parseInt(groups?.['cookie'] ?? '', 16) - COOKIE_BASE];
      const packets = Number(groups?.['packets']);
      if (kind !== undefined && packets > 0) {
        addCount(counts, kind.name, packets, Number(groups?.['octets']));
      }
    }
    return counts;
  }

  /** Returns the packets received on all ports. */
  async received(): Promise<number> {
    const text = await this.#ovs.run(['ovs-ofctl', 'dump-ports', this.#bridge]);
    return [...text.matchAll(/rx pkts=(\d+)/g)].reduce((sum, [, packets]) => sum + Number(packets), 0);
  }

  /** Returns the counts when those of flows and ports agree; otherwise undefined. */
  async settled(): Promise<Counts | undefined> {
    const counts = await this.byKind();
    // Read after the flows: equal sums mean that the flows have counted all packets.
    return totalOf(counts).packets === (await this.received()) ? counts : undefined;
  }
}
