// The probabilities of users' `sample` actions by collector set, as the flows of one bridge have them. They are read only: records of
// redirected sets are weighed by them.

import { SampleRates } from '../intake/sample-rates.ts';
import type { Action, FieldBits, SampleAction } from '../node-openflow/index.ts';
import { innerActions, isSample } from './translation.ts';

export class SampleProbabilities {
  readonly #sets = new Map<number, SampleRates>();
  readonly #actions = new Map<string, readonly SampleAction[]>();
  /** Whether the flows are to be read again; until then those that were read last count. */
  #isOutdated = false;

  /** Returns the rates of a set, which follow the flows. */
  ofSet(collectorSetId: number): SampleRates {
    let rates = this.#sets.get(collectorSetId);
    if (rates === undefined) {
      rates = new SampleRates();
      this.#sets.set(collectorSetId, rates);
    }
    return rates;
  }

  /** Adds a flow, or replaces its actions. */
  update(key: string, actions: readonly Action[]): void {
    this.#forgetOutdated();
    const samples = samplesOf(actions);
    const before = this.#actions.get(key);
    if (before !== undefined && isSame(before, samples)) {
      return;
    }
    this.#subtract(before ?? []);
    this.#actions.set(key, samples);
    for (const sample of samples) {
      const [domainId, pointId] = idsOf(sample);
      this.ofSet(sample.collectorSetId).add(domainId, pointId, sample.probability);
    }
  }

  delete(key: string): void {
    this.#forgetOutdated();
    this.#subtract(this.#actions.get(key) ?? []);
    this.#actions.delete(key);
  }

  /** The flows will be read again, all of them. */
  outdate(): void {
    this.#isOutdated = true;
  }

  #subtract(samples: readonly SampleAction[]): void {
    for (const sample of samples) {
      const [domainId, pointId] = idsOf(sample);
      this.ofSet(sample.collectorSetId).remove(domainId, pointId, sample.probability);
    }
  }

  #forgetOutdated(): void {
    if (this.#isOutdated) {
      this.#isOutdated = false;
      this.#actions.clear();
      for (const rates of this.#sets.values()) {
        rates.clear();
      }
    }
  }
}

/** Returns the `sample` actions at any depth. */
function samplesOf(actions: readonly Action[]): readonly SampleAction[] {
  return actions.flatMap((action) => (isSample(action) ? [action] : samplesOf(innerActions(action))));
}

function isSame(a: readonly SampleAction[], b: readonly SampleAction[]): boolean {
  return a.length === b.length && a.every((sample, index) => sample === b[index]);
}

/** Returns both ids; undefined for one that comes from a field. */
function idsOf(sample: SampleAction): readonly [number | undefined, number | undefined] {
  return [numberOf(sample.observationDomainId), numberOf(sample.observationPointId)];
}

function numberOf(id: number | FieldBits): number | undefined {
  return typeof id === 'number' ? id : undefined;
}
