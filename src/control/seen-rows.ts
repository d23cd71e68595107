// What a bridge was configured with last, so that what has not changed is not applied again.

import type { BridgeConfig } from '../config/configuration.ts';
import type { OwnSet } from './own-rows-plan.ts';

/** What has changed: the rows of users, the daemon's own rows only, or nothing. */
type RowsChange = 'rows' | 'own rows' | 'nothing';

export class SeenRows {
  #config: BridgeConfig | undefined;
  readonly #desired: boolean[] = [];
  #ownSet: OwnSet | undefined;

  /** Takes the rows of now; `isDesired` is as in `SampledBridge.configure`. */
  update(config: BridgeConfig, isDesired: (row: string) => boolean, ownSet: OwnSet | undefined): RowsChange {
    const isSameDesired = this.#updateDesired(config, isDesired);
    const isSame = config === this.#config && isSameDesired;
    const isSameOwn =
      ownSet?.ipfixRow === this.#ownSet?.ipfixRow && ownSet?.collectorSetId === this.#ownSet?.collectorSetId;
    this.#config = config;
    this.#ownSet = ownSet;
    return isSame ? (isSameOwn ? 'nothing' : 'own rows') : 'rows';
  }

  /** Returns whether the same rows are desired. It runs for each bridge when one of hundreds has changed. */
  #updateDesired({ sampling, flowSampling }: BridgeConfig, isDesired: (row: string) => boolean): boolean {
    const desired = this.#desired;
    let isSame = desired.length === flowSampling.size + 1;
    desired.length = flowSampling.size + 1;
    let index = 0;
    const take = (isRowDesired: boolean) => {
      isSame &&= desired[index] === isRowDesired;
      desired[index] = isRowDesired;
      index += 1;
    };
    take(sampling !== undefined && isDesired(sampling.ipfixRow));
    for (const { ipfixRow } of flowSampling.values()) {
      take(isDesired(ipfixRow));
    }
    return isSame;
  }
}
