// Translates the users' flows of one bridge. It follows the flows with `sample` actions, by the events of a flow monitor or by
// dumps, and rewrites in batches those whose companion actions differ from the desired ones. OpenFlow has no compare-and-swap,
// so a rewriting may replace a modification that a user makes at the same time: the monitor reports it, and the flow is
// rewritten from the report. While the monitor is paused nothing is rewritten. A user who modifies a flow twice during one
// batch, when the first modification has paused the monitor, may lose the second. Where no monitor shows flows whole, each
// write returns what it has replaced (checked-rewriting.ts).

import { isDeepStrictEqual } from 'node:util';
import type { Condition } from '../config/condition.ts';
import { appliedActions, type FlowMonitorEvent, type Instruction } from '../node-openflow/index.ts';
import { ClientChanges } from './client-changes.ts';
import {
  formatFlow,
  keyOf,
  type ObservedFlow,
  type Rewriting,
  type RewritingOutcome,
  type RunOptions,
  type WriteBatch,
} from './flow-rewriting.ts';
import type { FlowTranslatorStatus } from './flow-translator-status.ts';
import { FollowedSamples } from './followed-samples.ts';
import { hiddenForm } from './hidden-forms.ts';
import { MonitorPause } from './monitor-pause.ts';
import { BatchPlan, firstOf } from './rewriting-batch.ts';
import type { SampleProbabilities } from './sample-probabilities.ts';
import {
  concernsSampling,
  countBySet,
  countedSets,
  hasOurActions,
  isSameTranslation,
  type TranslationOptions,
  translateInstructions,
} from './translation.ts';
import { flowRefused, hardTimeoutsRestart, type RefusedFlow } from './translation-conditions.ts';

/**
 * Flows with `sample` actions that are followed on a bridge; further ones are not sampled, and are counted. A flow that has
 * a companion action already is followed in any case, so that the action can be removed.
 */
export const SAMPLING_FLOWS_MAX = 200_000;
/** Flows rewritten between two barriers, so that the switch serves its other clients in between. */
export const REWRITE_BATCH = 200;
/** Refused flows that are named as conditions. */
const REFUSALS_MAX = 20;
export interface FlowTranslatorOptions {
  readonly bridge: string;
  readonly probabilities?: SampleProbabilities | undefined;
  /** Default `SAMPLING_FLOWS_MAX`. */
  readonly flowsMax?: number;
}

export class FlowTranslator {
  readonly #bridge: string;
  readonly #flowsMax: number;
  readonly #flows = new Map<string, ObservedFlow>();
  readonly #dirty = new Set<string>();
  readonly #refusals = new Map<string, RefusedFlow>();
  readonly #samples: FollowedSamples;
  /** The flows of the batch that was sent and not yet acknowledged, and what was sent for each. */
  readonly #inFlight = new Map<string, readonly Instruction[]>();
  /** Flows that another client modified meanwhile, and what the daemon sent: the switch may have that, not `#flows`. */
  readonly #overwritten = new Map<string, readonly Instruction[]>();
  readonly #clientChanges = new ClientChanges();
  readonly #pause = new MonitorPause();
  readonly #plan = new BatchPlan();
  #options: TranslationOptions = { collectorSets: new Set(), meterId: undefined };
  #rewrites = 0;
  #ignored = 0;
  #hasHardTimeouts = false;
  #isChecked = false;
  /** Cached until something changes: status is read each second. */
  #flowsBySet: ReadonlyMap<number, number> | undefined;

  constructor(options: FlowTranslatorOptions) {
    this.#bridge = options.bridge;
    this.#flowsMax = options.flowsMax ?? SAMPLING_FLOWS_MAX;
    this.#samples = new FollowedSamples(options.probabilities);
  }

  /** Sets how flows should be translated from now on. */
  setOptions(options: TranslationOptions): void {
    const isSame = isSameTranslation(options, this.#options);
    this.#options = options;
    this.#flowsBySet = undefined;
    for (const [key, flow] of isSame ? [] : this.#flows) {
      this.#judge(key, flow);
    }
  }

  /** Forgets all flows, which are read again over the next connection. */
  forget(): void {
    this.#flowsBySet = undefined;
    this.#flows.clear();
    this.#dirty.clear();
    this.#refusals.clear();
    this.#samples.clear();
    this.#inFlight.clear();
    this.#overwritten.clear();
    this.#clientChanges.forget();
    this.#ignored = 0;
    this.#pause.set(false);
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
        this.#pause.set(event.event === 'paused');
        break;
      case 'abbrev':
        break;
    }
    return this.#dirty.size > 0 && !this.#pause.isPaused;
  }

  /** Forgets a flow until it is read again; nothing is written to it meanwhile, unless another client's version is restored. */
  forgetFlow(flow: Pick<ObservedFlow, 'tableId' | 'priority' | 'match'>): void {
    const key = keyOf(flow);
    if (!this.#inFlight.has(key) && !this.#overwritten.has(key)) {
      this.#drop(key);
    }
  }

  /** Whether a change that is reported is about a flow that is being written, which shows what it has replaced. */
  expects(flow: Pick<ObservedFlow, 'tableId' | 'priority' | 'match'>): boolean {
    const key = keyOf(flow);
    if (this.#inFlight.has(key)) {
      this.#clientChanges.count(key);
      return true;
    }
    return this.#overwritten.has(key);
  }

  get isWriting(): boolean {
    return this.#inFlight.size > 0;
  }

  /** Reads all flows of the switch, from a dump: those that are not among them have been removed. */
  observeAll(flows: readonly ObservedFlow[]): void {
    const gone = new Set(this.#flows.keys());
    this.#ignored = 0;
    for (const flow of flows) {
      const key = keyOf(flow);
      gone.delete(key);
      this.#clientChanges.verify(key, flow);
      const sent = this.#overwritten.get(key);
      if (sent !== undefined) {
        if (isDeepStrictEqual(sent, flow.instructions)) {
          continue;
        }
        this.#overwritten.delete(key);
      }
      // One that has not changed is left alone, for it may have been refused.
      if (!isDeepStrictEqual(this.#flows.get(key)?.instructions, flow.instructions)) {
        this.observeFlow(flow);
      }
    }
    for (const key of gone) {
      this.#drop(key);
    }
    this.#clientChanges.endReading();
  }

  /** Reads a flow as another client made it. */
  observeFlow(flow: ObservedFlow): void {
    const key = keyOf(flow);
    const sent = this.#inFlight.get(key) ?? this.#overwritten.get(key);
    if (sent !== undefined) {
      // At the end of a pause the daemon's own changes are reported like another client's.
      if (this.#pause.isPaused && isDeepStrictEqual(flow.instructions, sent)) {
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
   * Rewrites until nothing is pending, a batch at a time; waits while the monitor is paused, and ends early when the flows
   * have to be read again. Resolves to whether flows have to be read for another reason.
   */
  async run(write: WriteBatch, options: RunOptions = {}): Promise<boolean> {
    const { isOutdated = () => false, isChecked = false } = options;
    this.#isChecked = isChecked;
    let hasAbandoned = false;
    await this.#pause.ended();
    while (this.#dirty.size > 0) {
      // Versions of other clients that the daemon's has replaced come first.
      const batch = this.#takeBatch(options, isOutdated() || (isChecked && this.#overwritten.size > 0));
      if (batch.length === 0 && isOutdated()) {
        break;
      }
      try {
        const outcome = await write(batch, () => batch.some((rewriting) => this.#isOvertaken(rewriting)));
        hasAbandoned ||= outcome.isAbandoned === true;
        this.#endBatch(batch, outcome);
      } catch (error) {
        // What was sent may have taken effect or not: all of it is sent again.
        this.#takeBack(batch.filter(({ key }) => this.#flows.has(key)));
        throw error;
      } finally {
        this.#flowsBySet = undefined;
        this.#inFlight.clear();
        this.#clientChanges.endBatch();
      }
      await this.#pause.ended();
    }
    return hasAbandoned || this.#clientChanges.hasSuspects;
  }

  /** What is known of the flow is older than a change; a version that is to be restored is not dropped for that. */
  #isOvertaken({ key, flow, replaces }: Rewriting): boolean {
    return replaces === flow.instructions && this.#clientChanges.isCounted(key);
  }

  #endBatch(batch: readonly Rewriting[], outcome: RewritingOutcome): void {
    if (outcome.isAbandoned === true) {
      const overtaken = new Set(batch.filter((rewriting) => this.#isOvertaken(rewriting)));
      this.#takeBack(batch.filter((rewriting) => !overtaken.has(rewriting)));
      for (const { key } of overtaken) {
        this.#drop(key);
      }
      return;
    }
    this.#rewrites += batch.length - outcome.refusals.size;
    for (const rewriting of batch) {
      // Otherwise another client modified or removed it meanwhile; the daemon's own changes are not reported in full.
      if (this.#flows.get(rewriting.key) === rewriting.flow) {
        this.#endRewriting(rewriting, outcome);
      }
    }
  }

  #endRewriting(rewriting: Rewriting, { refusals, replaced }: RewritingOutcome): void {
    const { key, flow, instructions, replaces } = rewriting;
    const refusal = refusals.get(key);
    const found = replaced?.get(key);
    if (refusal !== undefined) {
      this.#inFlight.delete(key);
      this.#refusals.set(key, { flow, message: refusal });
      if (found !== undefined && !isDeepStrictEqual(found.instructions, replaces)) {
        this.observeFlow(found);
      }
    } else if (replaced !== undefined && found === undefined) {
      this.#drop(key);
    } else if (found !== undefined && !isDeepStrictEqual(found.instructions, replaces)) {
      this.#clientChanges.restored += 1;
      this.observeFlow(found);
    } else {
      if (replaced !== undefined) {
        this.#clientChanges.acknowledge(key, replaces, instructions);
      }
      this.#inFlight.delete(key);
      this.observeFlow({ ...flow, instructions });
    }
  }

  /** Schedules flows of a batch again that was not written, or of which that is not known. */
  #takeBack(batch: readonly Rewriting[]): void {
    for (const { key, flow, replaces } of batch) {
      this.#dirty.add(key);
      if (replaces !== flow.instructions) {
        this.#overwritten.set(key, replaces);
      }
    }
  }

  conditions(): readonly Condition[] {
    const refusals = [...this.#refusals.values()].slice(0, REFUSALS_MAX);
    return [
      ...refusals.map((refusal) => flowRefused(this.#bridge, refusal)),
      ...(this.#hasHardTimeouts ? [hardTimeoutsRestart(this.#bridge)] : []),
      ...this.#clientChanges.conditions(this.#bridge),
      ...this.#samples.conditions(this.#bridge),
    ];
  }

  /** Schedules every flow with companion actions: OVS looks up the meter of an action only when the flow is written. */
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

  /** Returns the number of flows that have companion actions now; takes time for each flow. */
  countWithOurActions(): number {
    const flows = [...this.#flows.values()];
    return flows.filter(({ instructions }) => hasOurActions(appliedActions(instructions))).length;
  }

  /**
   * Whether a flow, which may be shown in part only, is not what was last read or written: it differs from its translation, is
   * a known one without companion actions, or has companion actions and is not known, such as a flow that was restored.
   */
  isNews(flow: Pick<ObservedFlow, 'tableId' | 'priority' | 'match' | 'instructions'>): boolean {
    const isUntranslated = translateInstructions(flow.instructions, this.#options) !== flow.instructions;
    const isKnown = this.#flows.has(keyOf(flow));
    return isUntranslated || hasOurActions(appliedActions(flow.instructions)) !== isKnown;
  }

  status(): FlowTranslatorStatus {
    this.#flowsBySet ??= this.#countBySet();
    const flowsBySet = this.#flowsBySet;
    const { restored, lost } = this.#clientChanges;
    const refused = this.#refusals.size;
    return { flowsBySet, rewrites: this.#rewrites, refused, ignored: this.#ignored, restored, lost };
  }

  #countBySet(): ReadonlyMap<number, number> {
    const translated = [...this.#flows].filter(([key]) => !this.#dirty.has(key) && !this.#refusals.has(key));
    return countBySet(new Map(translated).values(), countedSets(this.#options));
  }

  #judge(key: string, flow: ObservedFlow): void {
    this.#flowsBySet = undefined;
    const actions = appliedActions(flow.instructions);
    this.#samples.update(key, actions, this.#options, () => `flow ${formatFlow(flow)}`);
    const isRight = translateInstructions(flow.instructions, this.#options) === flow.instructions;
    // Another client's version that the daemon's has certainly replaced is written back in any form.
    const isRestored = this.#isChecked && this.#overwritten.has(key);
    const hidden =
      isRight || isRestored || this.#options.allowsOpenFlow10 !== true || hasOurActions(actions)
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
    this.#samples.delete(key);
    this.#overwritten.delete(key);
    this.#clientChanges.forgetFlow(key);
  }

  /** `onlyRestored`: only flows that have the daemon's version in place of another client's. */
  #takeBatch(options: RunOptions, onlyRestored: boolean): readonly Rewriting[] {
    this.#flowsBySet = undefined;
    const { batchMax = REWRITE_BATCH, isChecked = false } = options;
    const pending = onlyRestored ? new Set(this.#overwritten.keys()) : this.#dirty;
    const keys = isChecked ? this.#plan.next(pending, this.#flows, batchMax) : firstOf(pending, batchMax);
    return keys.flatMap((key) => {
      const flow = this.#flows.get(key);
      const replaces = this.#overwritten.get(key) ?? flow?.instructions;
      this.#dirty.delete(key);
      this.#overwritten.delete(key);
      if (flow === undefined || replaces === undefined) {
        return [];
      }
      const instructions = translateInstructions(flow.instructions, this.#options);
      this.#inFlight.set(key, instructions);
      return [{ key, flow, instructions, replaces }];
    });
  }
}
