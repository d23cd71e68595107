// What the reconciler of users' flows depends on, and its status; docs/status.md explains each field.

import type { Logger } from '../runtime/log.ts';
import type { FlowTranslatorStatus } from './flow-translator-status.ts';
import type { GroupSessionOptions } from './group-session.ts';
import type { SampleProbabilities } from './sample-probabilities.ts';

/** See the head of translation-reconciler.ts. */
export type TranslationState =
  | 'off'
  | 'pending'
  | 'reading'
  | 'rewriting'
  | 'translated'
  | 'following'
  | 'unsafe'
  | 'failed';

export interface TranslationReconcilerOptions extends GroupSessionOptions {
  readonly log: Logger;
  /** Gets the probabilities of the `sample` actions in flows. */
  readonly probabilities?: SampleProbabilities | undefined;
  /** Called when the state has changed. */
  readonly onChange: () => void;
  /** Resolves when all events of the flow monitor in OpenFlow 1.0 have been received, if there is one. */
  readonly syncMonitor: () => Promise<void>;
}

export interface TranslationStatus extends FlowTranslatorStatus {
  readonly state: TranslationState;
  /** Flows that wait to be rewritten. */
  readonly pending: number;
  /** Groups with a companion action for the set, by collector set id. */
  readonly groupsBySet: ReadonlyMap<number, number>;
  readonly groupRewrites: number;
}
