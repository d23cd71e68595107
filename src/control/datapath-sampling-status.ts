// What operators see of the choice of a bridge's sampler.

import type { SamplerPolicy } from '../config/bridge-keys.ts';
import type { PathState, SamplerName } from './sampler-choice.ts';

/** The choice of the sampler, for operators. */
export interface SamplerChoiceStatus {
  readonly policy: SamplerPolicy;
  readonly sampler: SamplerName;
  /** When this sampler was chosen, as ISO 8601. */
  readonly since: string;
  readonly reason: string;
  /** Changes of the sampler since the start. */
  readonly changes: number;
  /** Whether samples of the datapath reach the daemon. */
  readonly path: PathState;
  /** Packets of 65,535 that the datapath selects, or would. */
  readonly probability: number;
  readonly probabilityChanges: number;
  /** Packets a second of the bridge; undefined before the first measurement. */
  readonly packetRate: number | undefined;
}
