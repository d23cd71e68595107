// Looks after the groups of one bridge for bridge-session.ts: asks on the main connection whether any needs rewriting, and
// rewrites over a short connection of its own that speaks OpenFlow 1.5, the only version that keeps all of a group.

import type { Problem } from '../config/problem.ts';
import { OpenFlowConnection, OpenFlowConnectionError, type OpenFlowVersion } from '../node-openflow/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { dial, type Endpoint, type TlsFiles } from '../runtime/endpoint.ts';
import { clause } from '../runtime/sentence.ts';
import { type GroupTranslation, hasStaleGroups, translateGroups } from './group-translator.ts';
import type { TranslationOptions } from './translation.ts';
import { unresolvedProblem } from './unresolved-samples.ts';

export interface GroupSessionOptions {
  readonly endpoint: Endpoint;
  readonly tls: TlsFiles | undefined;
  readonly clock: Clock;
  readonly bridge: string;
}

/** Refused groups that are named as problems. */
const REFUSALS_MAX = 20;
/** OpenFlow 1.5. */
const GROUP_VERSION: OpenFlowVersion = 6;

export class GroupSession {
  readonly #options: GroupSessionOptions;
  /** Whether groups may have changed since they were last looked at. */
  isStale = true;
  #groupsBySet: ReadonlyMap<number, number> = new Map();
  #rewrites = 0;
  #refusals: ReadonlyMap<number, string> = new Map();
  #unresolved: ReadonlyMap<number, readonly string[]> = new Map();

  constructor(options: GroupSessionOptions) {
    this.#options = options;
  }

  /** Groups that have our action behind a `sample` of the set, by collector set id. */
  get groupsBySet(): ReadonlyMap<number, number> {
    return this.#groupsBySet;
  }

  get rewrites(): number {
    return this.#rewrites;
  }

  problems(): readonly Problem[] {
    const { bridge } = this.#options;
    const refused = [...this.#refusals].slice(0, REFUSALS_MAX).map(
      ([groupId, message]): Problem => ({
        code: 'translation-refused',
        severity: 'error',
        where: `Bridge ${bridge}, group ${groupId}`,
        message: `Its "sample" action could not be made to reach us: ${clause(message)}.`,
        remedy: `See what it does with "ovs-ofctl -O OpenFlow15 dump-groups ${bridge}"; it is tried again when groups change.`,
      }),
    );
    const unresolved = [...this.#unresolved].slice(0, REFUSALS_MAX);
    return [
      ...refused,
      ...unresolved.map(([groupId, ids]) => unresolvedProblem(`Bridge ${bridge}, group ${groupId}`, ids)),
    ];
  }

  /** Makes all groups as the options want them. `main` is the bridge's connection in whatever version it has. */
  async run(main: OpenFlowConnection, options: TranslationOptions): Promise<void> {
    this.isStale = false;
    try {
      const isOneStale = await hasStaleGroups(main, options);
      this.#take(await (isOneStale ? this.#translate(main, options) : translateGroups(main, options)));
    } catch (error) {
      this.isStale = true;
      throw error;
    }
  }

  async #translate(main: OpenFlowConnection, options: TranslationOptions): Promise<GroupTranslation> {
    const { endpoint, tls, clock } = this.#options;
    const stream = await dial(endpoint, { clock, ...(tls === undefined ? {} : { tls }) });
    const connection = new OpenFlowConnection(stream, { versions: [GROUP_VERSION] });
    try {
      await connection.ready;
      return await translateGroups(connection, options);
    } catch (error) {
      // A bridge without OpenFlow 1.5 has no group with anything that an older version does not show.
      if (error instanceof OpenFlowConnectionError && error.code === 'OPENFLOW_VERSION') {
        return await translateGroups(main, options);
      }
      throw error;
    } finally {
      connection.close();
    }
  }

  #take(translation: GroupTranslation): void {
    this.#groupsBySet = translation.groupsBySet;
    this.#rewrites += translation.rewrites;
    this.#refusals = translation.refusals;
    this.#unresolved = translation.unresolved;
  }
}
