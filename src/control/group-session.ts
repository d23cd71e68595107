// Keeps the groups of one bridge free of companion actions, for translation-reconciler.ts. OVS executes a bucket as an action set, in
// which it ignores `sample` and `controller`, so that a companion action has no use there, and writing one might undo a change that
// a user makes at the same time. Earlier versions have added some: they are looked for on the main connection, and removed in OpenFlow
// 1.5 only, the only version that shows groups whole (selection method, bucket ids); without it they are reported.

import type { Condition } from '../config/condition.ts';
import type { OpenFlowVersion } from '../node-openflow/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { dial as dialEndpoint, type Endpoint, type TlsFiles } from '../runtime/endpoint.ts';
import type { KeeperOptions, KeptSession } from '../runtime/keeper.ts';
import { clause } from '../runtime/sentence.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import {
  type GroupTranslation,
  NOTHING_MANAGED,
  refuseGroups,
  staleGroups,
  translateGroups,
} from './group-translator.ts';
import { LeadingConnection } from './leading-connection.ts';

export interface GroupSessionOptions {
  readonly endpoint: Endpoint;
  readonly tls: TlsFiles | undefined;
  readonly clock: Clock;
  readonly bridge: string;
  /** See `Leadership.isLeading`. */
  readonly isLeading: () => boolean;
  /** Makes a stream to the bridge; tests pass a scripted switch. */
  readonly dial?: KeeperOptions<KeptSession>['dial'];
}

/** Most refused groups that are reported by name. */
const REFUSALS_MAX = 20;
/** OpenFlow 1.5. */
const GROUP_VERSION: OpenFlowVersion = 6;

export class GroupSession {
  readonly #options: GroupSessionOptions;
  /** Whether groups may have changed since they were last read. */
  isStale = true;
  #groupsBySet: ReadonlyMap<number, number> = new Map();
  #rewrites = 0;
  #refusals: ReadonlyMap<number, string> = new Map();

  constructor(options: GroupSessionOptions) {
    this.#options = options;
  }

  /** Number of groups with the daemon's action after a `sample` of the set, by collector set id. */
  get groupsBySet(): ReadonlyMap<number, number> {
    return this.#groupsBySet;
  }

  get rewrites(): number {
    return this.#rewrites;
  }

  conditions(): readonly Condition[] {
    const { bridge } = this.#options;
    return [...this.#refusals].slice(0, REFUSALS_MAX).map(
      ([groupId, message]): Condition => ({
        code: 'translation-refused',
        severity: 'error',
        where: `Bridge ${bridge}, group ${groupId}`,
        message: `The daemon's action could not be added after its "sample" action, or removed: ${clause(message)}.`,
        action: `See what it does with "ovs-ofctl -O OpenFlow15 dump-groups ${bridge}"; it is retried when groups change.`,
      }),
    );
  }

  /** Removes companion actions from all groups. `main` is the bridge's main connection, in any version. */
  async run(main: BridgeConnection): Promise<void> {
    this.isStale = false;
    try {
      this.#take(await this.#translate(main));
    } catch (error) {
      this.isStale = true;
      throw error;
    }
  }

  async #translate(main: BridgeConnection): Promise<GroupTranslation> {
    const stale = await staleGroups(main.openflow, NOTHING_MANAGED);
    if (stale.length === 0 || main.openflow.status().version === GROUP_VERSION) {
      return translateGroups(main.openflow, NOTHING_MANAGED);
    }
    return main.allows(GROUP_VERSION)
      ? this.#translateIn15()
      : refuseGroups(main.openflow, stale, NOTHING_MANAGED);
  }

  async #translateIn15(): Promise<GroupTranslation> {
    const { endpoint, tls, clock, isLeading, dial } = this.#options;
    const stream = await (dial === undefined
      ? dialEndpoint(endpoint, { clock, ...(tls === undefined ? {} : { tls }) })
      : dial(endpoint, new AbortController().signal));
    const connection = new LeadingConnection(stream, isLeading, { versions: [GROUP_VERSION] });
    try {
      await connection.ready;
      return await translateGroups(connection, NOTHING_MANAGED);
    } finally {
      connection.close();
    }
  }

  #take(translation: GroupTranslation): void {
    this.#groupsBySet = translation.groupsBySet;
    this.#rewrites += translation.rewrites;
    this.#refusals = translation.refusals;
  }
}
