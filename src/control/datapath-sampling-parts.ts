// What the samplers of a bridge depend on.

import type { IngressInterfaces } from '../intake/ingress-interfaces.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { UnmeteredPolicy } from './hook-refusal.ts';
import type { OwnSet } from './own-rows-plan.ts';
import type { SampleGate } from './sample-gate.ts';
import type { PathState } from './sampler-choice.ts';
import type { SamplingGaps } from './sampling-gaps.ts';

/** The dependencies of `DatapathSampling`. */
export interface DatapathSamplingParts {
  readonly bridge: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Random 32-bit numbers, for samplers and for the domain that marks the daemon's samples. */
  readonly randomSeed: () => number;
  readonly interfaces: IngressInterfaces;
  /** The bridge's own rows; undefined until the database has them. */
  readonly ownSet: () => OwnSet | undefined;
  /** What samples pass. */
  readonly gate: SampleGate;
  /** Returns whether sockets of a user may be those of ovs-vswitchd. */
  readonly isSwitchUser: (userId: number) => boolean;
  /** See `OwnRows.refusal`. */
  readonly ownRowsRefusal: () => string | undefined;
  readonly unmetered: UnmeteredPolicy;
  /** Notes each datagram with samples, and when the hook was seen. */
  readonly gaps: Pick<SamplingGaps, 'seen' | 'prove'>;
  /** Called when the hook that is desired may have changed. */
  readonly onChange: () => void;
  /** Called when `port` or `avoidedSetIds` has changed, on which the own rows depend. */
  readonly onPort: () => void;
  /** Called when samples of the datapath have begun or ceased to reach the daemon; `fault` is as in `OwnRowsWatch`. */
  readonly onPath: (path: PathState, fault: string | undefined) => void;
}
