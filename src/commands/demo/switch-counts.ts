// What the switch itself has counted: the demo gives its bridge one flow for each kind of traffic, all of which do what a
// bridge without flows does (NORMAL), so that their counters are an account of the traffic that owes nothing to us.

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

  /** Puts the flows into the bridge; gives the command that did it. */
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

  /** Packets and octets of each kind so far; flows lag behind ports by up to half a second. */
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

  /** Packets that have come in on all ports so far. */
  async received(): Promise<number> {
    const text = await this.#ovs.run(['ovs-ofctl', 'dump-ports', this.#bridge]);
    return [...text.matchAll(/rx pkts=(\d+)/g)].reduce((sum, [, packets]) => sum + Number(packets), 0);
  }

  /** The counts, when the flows have caught up with the ports; else undefined. */
  async settled(): Promise<Counts | undefined> {
    const counts = await this.byKind();
    // Asked after the flows: equal sums then mean that the flows had counted everything.
    return totalOf(counts).packets === (await this.received()) ? counts : undefined;
  }
}
