// What a bridge was configured with last, so that what has not changed is not applied again.

import type { BridgeConfig } from '../config/configuration.ts';
import { isSameItems } from '../config/row-cache.ts';
import type { OwnSet } from './own-rows-plan.ts';

/** What has changed: the rows of users, the daemon's own rows only, or nothing. */
type RowsChange = 'rows' | 'own rows' | 'nothing';

export class SeenRows {
  #config: BridgeConfig | undefined;
  #desired: readonly boolean[] = [];
  #ownSet: OwnSet | undefined;

  /** Takes the rows of now; `isDesired` is as in `SampledBridge.configure`. */
  update(config: BridgeConfig, isDesired: (row: string) => boolean, ownSet: OwnSet | undefined): RowsChange {
    const desired = [config.sampling, ...config.flowSampling.values()].map(
      (sampling) => sampling !== undefined && isDesired(sampling.ipfixRow),
    );
    const isSame = config === this.#config && isSameItems(desired, this.#desired);
    const isSameOwn =
      ownSet?.ipfixRow === this.#ownSet?.ipfixRow && ownSet?.collectorSetId === this.#ownSet?.collectorSetId;
    this.#config = config;
    this.#desired = desired;
    this.#ownSet = ownSet;
    return isSame ? (isSameOwn ? 'nothing' : 'own rows') : 'rows';
  }
}
