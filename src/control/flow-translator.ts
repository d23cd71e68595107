// Keeps the users' flows of one bridge translated: follows them by the flow monitor, and rewrites those whose `sample`
// actions lack ours or have it wrongly, in batches. It holds only flows that sample. There is no compare-and-swap in
// OpenFlow: when a user changes a flow while we rewrite it, the monitor tells us of his change and the flow is rewritten
// from that, so that it ends as he wants it, with our actions in it, after at most one rewriting more for each change.

import type { Problem } from '../config/problem.ts';
import {
  appliedActions,
  type FlowMonitorEvent,
  flowMod,
  type Instruction,
  type MatchField,
  matchKey,
  type OpenFlowMessage,
  type OpenFlowRequestError,
} from '../node-openflow/index.ts';
import { clause } from '../runtime/sentence.ts';
import {
  concernsSampling,
  isSameTranslation,
  sampledSets,
  type TranslationOptions,
  translateInstructions,
} from './translation.ts';

/** Flows with `sample` actions that are followed on a bridge; further ones are not sampled, and are counted. */
export const SAMPLING_FLOWS_MAX = 200_000;
/** Flows rewritten between two barriers, so that the switch serves its other clients in between. */
export const REWRITE_BATCH = 200;
/** Refused flows that are named as problems; the others are only counted. */
const REFUSALS_MAX = 20;

/** A flow as the monitor or a dump shows it. */
export interface ObservedFlow {
  readonly tableId: number;
  readonly priority: number;
  readonly hardTimeout: number;
  readonly match: readonly MatchField[];
  readonly instructions: readonly Instruction[];
}

/** Sends messages and a barrier; the errors have the index of the message that they are about. */
export type Transact = (messages: readonly OpenFlowMessage[]) => Promise<readonly OpenFlowRequestError[]>;

export interface FlowTranslatorStatus {
  /** Flows that have our action behind a `sample` of the set, by collector set id. */
  readonly flowsBySet: ReadonlyMap<number, number>;
  /** Flows rewritten since the start, each time counted. */
  readonly rewrites: number;
  /** Flows that the switch did not let us rewrite. */
  readonly refused: number;
  /** Flows that were not followed because there were too many. */
  readonly ignored: number;
}

export class FlowTranslator {
  readonly #bridge: string;
  readonly #flows = new Map<string, ObservedFlow>();
  readonly #dirty = new Set<string>();
  readonly #refusals = new Map<string, string>();
  #options: TranslationOptions = { collectorSets: new Set(), meterId: undefined };
  #rewrites = 0;
  #refused = 0;
  #ignored = 0;
  #hasHardTimeouts = false;

  constructor(bridge: string) {
    this.#bridge = bridge;
  }

  /** What flows are to look like from now on. */
  setOptions(options: TranslationOptions): void {
    if (isSameTranslation(options, this.#options)) {
      return;
    }
    this.#options = options;
    for (const [key, flow] of this.#flows) {
      this.#judge(key, flow);
    }
  }

  /** Forgets all flows: a new connection tells of them anew. */
  forget(): void {
    this.#flows.clear();
    this.#dirty.clear();
    this.#refusals.clear();
  }

  /** Takes in what a flow monitor tells; true when there is something to rewrite. */
  observe(event: FlowMonitorEvent): boolean {
    if (event.event === 'removed') {
      this.#drop(keyOf(event));
    } else if (event.event === 'initial' || event.event === 'added' || event.event === 'modified') {
      this.observeFlow(event);
    }
    return this.#dirty.size > 0;
  }

  /** Takes in a flow as it is in the switch now. */
  observeFlow(flow: ObservedFlow): void {
    const key = keyOf(flow);
    this.#refusals.delete(key);
    if (!concernsSampling(appliedActions(flow.instructions))) {
      this.#drop(key);
    } else if (this.#flows.size >= SAMPLING_FLOWS_MAX && !this.#flows.has(key)) {
      this.#ignored += 1;
    } else {
      this.#flows.set(key, flow);
      this.#judge(key, flow);
    }
  }

  /** Rewrites until nothing is left to do, a batch and a barrier at a time. */
  async run(transact: Transact): Promise<void> {
    while (this.#dirty.size > 0) {
      const batch: { key: string; flow: ObservedFlow; instructions: readonly Instruction[] }[] = [];
      for (const key of this.#dirty) {
        const flow = this.#flows.get(key);
        if (flow !== undefined) {
          batch.push({ key, flow, instructions: translateInstructions(flow.instructions, this.#options) });
        }
        this.#dirty.delete(key);
        if (batch.length === REWRITE_BATCH) {
          break;
        }
      }
      const errors = await transact(batch.map(({ flow, instructions }) => rewriting(flow, instructions)));
      const refused = new Map(errors.map((error) => [error.index, error.message]));
      for (const [index, { key, flow, instructions }] of batch.entries()) {
        const refusal = refused.get(index);
        this.#rewrites += 1;
        if (refusal !== undefined) {
          this.#refuse(key, refusal);
        } else if (this.#flows.get(key) === flow) {
          // Not changed by anybody meanwhile: our own changes are not told to us in full.
          this.observeFlow({ ...flow, instructions });
        }
      }
    }
  }

  problems(): readonly Problem[] {
    const problems: Problem[] = [...this.#refusals].map(([flow, message]) => ({
      code: 'translation-refused',
      severity: 'error',
      where: `Bridge ${this.#bridge}, flow ${flow}`,
      message: `Its "sample" action could not be made to reach us: ${clause(message)}.`,
      remedy: 'See what the flow does with "ovs-ofctl dump-flows"; it is tried again when the flow changes.',
    }));
    if (this.#hasHardTimeouts) {
      problems.push({
        code: 'hard-timeout-restarts',
        severity: 'warning',
        where: `Bridge ${this.#bridge}`,
        message: 'Flows with "sample" actions have hard timeouts, which begin anew when we rewrite the flow.',
        remedy: 'Add such flows while the daemon runs, so that they are rewritten as soon as they are there.',
      });
    }
    return problems;
  }

  status(): FlowTranslatorStatus {
    const flowsBySet = new Map<number, number>();
    for (const flow of this.#flows.values()) {
      for (const set of new Set(sampledSets(appliedActions(flow.instructions)))) {
        if (this.#options.collectorSets.has(set)) {
          flowsBySet.set(set, (flowsBySet.get(set) ?? 0) + 1);
        }
      }
    }
    return { flowsBySet, rewrites: this.#rewrites, refused: this.#refused, ignored: this.#ignored };
  }

  #judge(key: string, flow: ObservedFlow): void {
    if (translateInstructions(flow.instructions, this.#options) === flow.instructions) {
      this.#dirty.delete(key);
      return;
    }
    this.#dirty.add(key);
    this.#hasHardTimeouts ||= flow.hardTimeout > 0;
  }

  #drop(key: string): void {
    this.#flows.delete(key);
    this.#dirty.delete(key);
  }

  #refuse(key: string, message: string): void {
    this.#refused += 1;
    if (this.#refusals.size < REFUSALS_MAX) {
      this.#refusals.set(key, message);
    }
  }
}

/** A strict modification changes the actions alone: counters, cookie, timeouts and flags stay. It never adds a flow. */
function rewriting(flow: ObservedFlow, instructions: readonly Instruction[]): OpenFlowMessage {
  const { tableId, priority, match } = flow;
  return {
    type: 'flow_mod',
    ...flowMod({ command: 'modify_strict', tableId, priority, match, instructions }),
  };
}

function keyOf(flow: Pick<ObservedFlow, 'tableId' | 'priority' | 'match'>): string {
  return `table=${flow.tableId},priority=${flow.priority},${matchKey(flow.match)}`;
}
