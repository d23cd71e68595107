// Translates the users' flows of one bridge: follows them by flow monitor events or dumps, and rewrites in batches those whose
// `sample` actions lack our action or have an outdated one. It stores only flows that sample. OpenFlow has no
// compare-and-swap: when a user modifies a flow while it is rewritten, our message may undo that change. The monitor reports
// the change, and the flow is rewritten from the report in any case, so that it ends as the user modified it, with our
// actions added, after at most one more rewrite per change. While the monitor is paused nothing is known of users' changes,
// and nothing is rewritten. One case remains: a user who modifies a flow twice within the milliseconds of one batch, while
// the first change has paused the monitor, may lose the second change.

import { isDeepStrictEqual } from 'node:util';
import type { Condition } from '../config/condition.ts';
import { appliedActions, type FlowMonitorEvent, type Instruction } from '../node-openflow/index.ts';
import { clause } from '../runtime/sentence.ts';
import {
  formatFlow,
  keyOf,
  type ObservedFlow,
  type Rewriting,
  sendRewritings,
  type Transact,
} from './flow-rewriting.ts';
import { hiddenForm } from './hidden-forms.ts';
import {
  concernsSampling,
  hasOurActions,
  isSameTranslation,
  sampledSets,
  type TranslationOptions,
  translateInstructions,
} from './translation.ts';
import { UnresolvedSamples } from './unresolved-samples.ts';

/**
 * Flows with `sample` actions that are followed on a bridge; further ones are not sampled, and are counted. A flow that has
 * our action already is followed in any case, so that the action can be removed.
 */
export const SAMPLING_FLOWS_MAX = 200_000;
/** Flows rewritten between two barriers, so that the switch serves its other clients in between. */
export const REWRITE_BATCH = 200;
/** Refused flows that are named as conditions; the others are only counted. */
const REFUSALS_MAX = 20;

export interface FlowTranslatorStatus {
  /** Flows that have our action behind a `sample` of the set, by collector set id. */
  readonly flowsBySet: ReadonlyMap<number, number>;
  /** Flows rewritten since the start, each time counted. */
  readonly rewrites: number;
  /** Flows that the switch refused to have rewritten; they are retried when another client modifies them. */
  readonly refused: number;
  /** Flows that were not followed because of the limit, since all flows were last read. */
  readonly ignored: number;
}

export interface FlowTranslatorOptions {
  readonly bridge: string;
  /** Default `SAMPLING_FLOWS_MAX`. */
  readonly flowsMax?: number;
}

export class FlowTranslator {
  readonly #bridge: string;
  readonly #flowsMax: number;
  readonly #flows = new Map<string, ObservedFlow>();
  readonly #dirty = new Set<string>();
  readonly #refusals = new Map<string, { readonly flow: ObservedFlow; readonly message: string }>();
  readonly #unresolved = new UnresolvedSamples();
  /** The flows of the batch that was sent and not yet acknowledged, and what was sent for each. */
  readonly #inFlight = new Map<string, readonly Instruction[]>();
  /** Flows that another client modified meanwhile: the switch may have this, which we sent, and not what is in `#flows`. */
  readonly #overwritten = new Map<string, readonly Instruction[]>();
  /** Those that wait for the end of the monitor's pause. */
  readonly #resumeWaiters: (() => void)[] = [];
  #isPaused = false;
  #options: TranslationOptions = { collectorSets: new Set(), meterId: undefined };
  #rewrites = 0;
  #ignored = 0;
  #hasHardTimeouts = false;
  /** Cached until something changes: there may be many flows, and status is read each second. */
  #flowsBySet: ReadonlyMap<number, number> | undefined;

  constructor(options: FlowTranslatorOptions) {
    this.#bridge = options.bridge;
    this.#flowsMax = options.flowsMax ?? SAMPLING_FLOWS_MAX;
  }

  /** Sets how flows should be translated from now on. */
  setOptions(options: TranslationOptions): void {
    if (isSameTranslation(options, this.#options)) {
      return;
    }
    this.#options = options;
    for (const [key, flow] of this.#flows) {
      this.#judge(key, flow);
    }
  }

  /** Forgets all flows: they are read again over the next connection. */
  forget(): void {
    this.#flowsBySet = undefined;
    this.#flows.clear();
    this.#dirty.clear();
    this.#refusals.clear();
    this.#unresolved.clear();
    this.#inFlight.clear();
    this.#overwritten.clear();
    this.#ignored = 0;
    this.#setPaused(false);
  }

  /** Reads an event of the flow monitor; true when there is a flow that can be rewritten now. */
  observe(event: FlowMonitorEvent): boolean {
    switch (event.event) {
      case 'removed':
        this.#drop(keyOf(event));
        break;
      case 'initial':
      case 'added':
      case 'modified':
        this.observeFlow(event);
        break;
      case 'paused':
      case 'resumed':
        this.#setPaused(event.event === 'paused');
        break;
      case 'abbrev':
        break;
    }
    return this.#dirty.size > 0 && !this.#isPaused;
  }

  /** Forgets a flow until it is read again; nothing is written to it meanwhile. */
  forgetFlow(flow: Pick<ObservedFlow, 'tableId' | 'priority' | 'match'>): void {
    this.#drop(keyOf(flow));
  }

  /** Reads all flows of the switch, from a dump: those that are not among them have been removed. */
  observeAll(flows: readonly ObservedFlow[]): void {
    const gone = new Set(this.#flows.keys());
    this.#ignored = 0;
    for (const flow of flows) {
      const key = keyOf(flow);
      gone.delete(key);
      // One that has not changed is left alone, for it may have been refused.
      if (!isDeepStrictEqual(this.#flows.get(key)?.instructions, flow.instructions)) {
        this.observeFlow(flow);
      }
    }
    for (const key of gone) {
      this.#drop(key);
    }
  }

  /** Reads a flow as another client made it. */
  observeFlow(flow: ObservedFlow): void {
    const key = keyOf(flow);
    const sent = this.#inFlight.get(key) ?? this.#overwritten.get(key);
    if (sent !== undefined) {
      // At the end of a pause our own changes are reported like another client's.
      if (this.#isPaused && isDeepStrictEqual(flow.instructions, sent)) {
        return;
      }
      this.#overwritten.set(key, sent);
    }
    const actions = appliedActions(flow.instructions);
    if (sent === undefined && !concernsSampling(actions)) {
      this.#drop(key);
      return;
    }
    const isKnown = this.#flows.has(key) || sent !== undefined;
    if (!isKnown && this.#flows.size >= this.#flowsMax && !hasOurActions(actions)) {
      this.#ignored += 1;
      return;
    }
    this.#refusals.delete(key);
    this.#flows.set(key, flow);
    this.#judge(key, flow);
  }

  /**
   * Rewrites until nothing is pending, a batch and a barrier at a time; waits while the monitor is paused, and ends early when
   * the flows have to be read again.
   */
  async run(transact: Transact, isOutdated: () => boolean = () => false): Promise<void> {
    await this.#resumed();
    while (this.#dirty.size > 0 && !isOutdated()) {
      const batch = this.#takeBatch();
      let refusals: ReadonlyMap<string, string>;
      try {
        refusals = await sendRewritings(batch, transact);
      } catch (error) {
        // What was sent may have taken effect or not: all of it is sent again.
        for (const { key } of batch.filter((rewriting) => this.#flows.has(rewriting.key))) {
          this.#dirty.add(key);
        }
        throw error;
      } finally {
        this.#flowsBySet = undefined;
        this.#inFlight.clear();
      }
      this.#rewrites += batch.length;
      for (const { key, flow, instructions } of batch) {
        const refusal = refusals.get(key);
        if (this.#flows.get(key) !== flow) {
          // Modified or removed by another client meanwhile; our own changes are not reported in full.
          continue;
        }
        if (refusal === undefined) {
          this.observeFlow({ ...flow, instructions });
        } else {
          this.#refusals.set(key, { flow, message: refusal });
        }
      }
      await this.#resumed();
    }
  }

  conditions(): readonly Condition[] {
    const conditions: Condition[] = [...this.#refusals.values()]
      .slice(0, REFUSALS_MAX)
      .map(({ flow, message }) => ({
        code: 'translation-refused',
        severity: 'error',
        where: `Bridge ${this.#bridge}, flow ${formatFlow(flow)}`,
        message: `The daemon's action could not be added after its "sample" action, or removed: ${clause(message)}.`,
        action: 'See what the flow does with "ovs-ofctl dump-flows"; it is retried when the flow changes.',
      }));
    if (this.#hasHardTimeouts) {
      conditions.push({
        code: 'hard-timeout-restarts',
        severity: 'warning',
        where: `Bridge ${this.#bridge}`,
        message:
          'Flows with "sample" actions have hard timeouts, which restart each time that the flow is rewritten.',
        action:
          'No action is needed unless such a flow must end on time: then add it while the daemon runs, which makes the ' +
          'difference a few milliseconds.',
      });
    }
    return [...conditions, ...this.#unresolved.conditions(this.#bridge)];
  }

  /** Schedules every flow with our actions: OVS looks up the meter of an action when the flow is written, and not later. */
  rewriteAll(): void {
    for (const [key, { instructions }] of this.#flows) {
      if (hasOurActions(appliedActions(instructions))) {
        this.#dirty.add(key);
      }
    }
  }

  /** Flows whose rewriting is pending or not acknowledged. */
  get pending(): number {
    return this.#dirty.size + this.#inFlight.size;
  }

  /** Flows that have our actions now; it looks at all of them. */
  countWithOurActions(): number {
    let count = 0;
    for (const { instructions } of this.#flows.values()) {
      count += hasOurActions(appliedActions(instructions)) ? 1 : 0;
    }
    return count;
  }

  /**
   * Whether a flow, which may be shown in part only, is not what was last read or written: it differs from its translation, is
   * a known one without our actions, or has our actions and is not known, such as a flow that was restored.
   */
  isNews(flow: Pick<ObservedFlow, 'tableId' | 'priority' | 'match' | 'instructions'>): boolean {
    const isUntranslated = translateInstructions(flow.instructions, this.#options) !== flow.instructions;
    const isKnown = this.#flows.has(keyOf(flow));
    return isUntranslated || hasOurActions(appliedActions(flow.instructions)) !== isKnown;
  }

  status(): FlowTranslatorStatus {
    this.#flowsBySet ??= this.#countBySet();
    const flowsBySet = this.#flowsBySet;
    return { flowsBySet, rewrites: this.#rewrites, refused: this.#refusals.size, ignored: this.#ignored };
  }

  #countBySet(): ReadonlyMap<number, number> {
    const flowsBySet = new Map<number, number>();
    for (const [key, flow] of this.#flows) {
      if (this.#dirty.has(key) || this.#refusals.has(key)) {
        continue;
      }
      for (const set of new Set(sampledSets(appliedActions(flow.instructions)))) {
        if (this.#options.collectorSets.has(set)) {
          flowsBySet.set(set, (flowsBySet.get(set) ?? 0) + 1);
        }
      }
    }
    return flowsBySet;
  }

  #judge(key: string, flow: ObservedFlow): void {
    this.#flowsBySet = undefined;
    const actions = appliedActions(flow.instructions);
    this.#unresolved.update(key, actions, this.#options, () => `flow ${formatFlow(flow)}`);
    const isRight = translateInstructions(flow.instructions, this.#options) === flow.instructions;
    const hidden =
      isRight || this.#options.allowsOpenFlow10 !== true || hasOurActions(actions)
        ? undefined
        : hiddenForm(flow.match, flow.instructions);
    if (hidden !== undefined) {
      this.#dirty.delete(key);
      this.#refusals.set(key, { flow, message: hidden });
      return;
    }
    if (isRight && !this.#overwritten.has(key)) {
      this.#dirty.delete(key);
      this.#refusals.delete(key);
      return;
    }
    this.#dirty.add(key);
    this.#hasHardTimeouts ||= flow.hardTimeout > 0;
  }

  #drop(key: string): void {
    this.#flowsBySet = undefined;
    this.#flows.delete(key);
    this.#dirty.delete(key);
    this.#refusals.delete(key);
    this.#unresolved.delete(key);
    this.#overwritten.delete(key);
  }

  #takeBatch(): readonly Rewriting[] {
    const batch: Rewriting[] = [];
    this.#flowsBySet = undefined;
    for (const key of this.#dirty) {
      const flow = this.#flows.get(key);
      if (flow !== undefined) {
        const instructions = translateInstructions(flow.instructions, this.#options);
        batch.push({ key, flow, instructions });
        this.#inFlight.set(key, instructions);
      }
      this.#dirty.delete(key);
      this.#overwritten.delete(key);
      if (batch.length === REWRITE_BATCH) {
        break;
      }
    }
    return batch;
  }

  #setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (!isPaused) {
      for (const resolve of this.#resumeWaiters.splice(0)) {
        resolve();
      }
    }
  }

  async #resumed(): Promise<void> {
    while (this.#isPaused) {
      await new Promise<void>((resolve) => this.#resumeWaiters.push(resolve));
    }
  }
}
