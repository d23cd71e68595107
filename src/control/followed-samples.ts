// What is known of flows with `sample` actions besides their translation: the ids that packet-ins lack (unresolved-samples.ts), and the
// probabilities by which records of redirected sets are weighed (sample-probabilities.ts).

import type { Condition } from '../config/condition.ts';
import type { Action } from '../node-openflow/index.ts';
import type { SampleProbabilities } from './sample-probabilities.ts';
import type { TranslationOptions } from './translation.ts';
import { UnresolvedSamples } from './unresolved-samples.ts';

export class FollowedSamples {
  readonly #unresolved = new UnresolvedSamples();
  readonly #probabilities: SampleProbabilities | undefined;

  constructor(probabilities: SampleProbabilities | undefined) {
    this.#probabilities = probabilities;
  }

  /** Adds a flow, or replaces its actions: see `UnresolvedSamples.update`. */
  update(key: string, actions: readonly Action[], options: TranslationOptions, nameOf: () => string): void {
    this.#unresolved.update(key, actions, options, nameOf);
    this.#probabilities?.update(key, actions);
  }

  delete(key: string): void {
    this.#unresolved.delete(key);
    this.#probabilities?.delete(key);
  }

  /** All flows will be read again. */
  clear(): void {
    this.#unresolved.clear();
    this.#probabilities?.outdate();
  }

  conditions(bridge: string): readonly Condition[] {
    return this.#unresolved.conditions(bridge);
  }
}
