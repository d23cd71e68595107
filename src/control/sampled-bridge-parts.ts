// What a sampled bridge depends on, and what it has.

import type { Exporter } from '../export/exporter.ts';
import type { ExporterOptions } from '../export/exporter-options.ts';
import type { BridgeInterface, IngressInterfaces } from '../intake/ingress-interfaces.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { BridgeSession } from './bridge-session.ts';
import type { BridgeEvents, BridgeSessionOptions } from './bridge-session-options.ts';
import type { UnmeteredPolicy } from './hook-refusal.ts';
import type { OwnSet } from './own-rows-plan.ts';

/** What a sampled bridge sets of its session. */
export type SampledBridgeSessionOptions = BridgeEvents & Pick<BridgeSessionOptions, 'probabilities'>;

/** The dependencies of a sampled bridge. */
export interface SampledBridgeParts {
  readonly clock: Clock;
  /** Makes the session of the bridge with the given callbacks. */
  readonly openBridge: (options: SampledBridgeSessionOptions) => BridgeSession;
  /** Makes an exporter; `name` is for its log lines. */
  readonly makeExporter: (name: string, options: ExporterOptions) => Exporter;
  /** Random 32-bit numbers for samplers. */
  readonly randomSeed: () => number;
  readonly log: Logger;
  /** The bridge's own rows: see `DatapathSampling`. */
  readonly ownSet: () => OwnSet | undefined;
  /** See `Leadership.isLeading`: otherwise samples are ignored. */
  readonly isLeading: () => boolean;
  /** Returns whether sockets of a user may be those of ovs-vswitchd. */
  readonly isSwitchUser: (userId: number) => boolean;
  /** See `OwnRows.refusal`. */
  readonly ownRowsRefusal: () => string | undefined;
  readonly unmetered: UnmeteredPolicy;
  /** Called when `samplability` or `samplePort` has changed. */
  readonly onSamplability: () => void;
}

/** The interfaces of one bridge, by port. */
export interface BridgeInterfaces {
  readonly bridge: string;
  readonly interfaces: readonly BridgeInterface[];
}

/** An exporter and what it exports for: the whole bridge, or one of its collector sets. */
export interface RunningExporter {
  readonly bridge: string;
  readonly collectorSetId: number | undefined;
  readonly exporter: Exporter;
  /** The interfaces that the numbers in its flows are of. */
  readonly interfaces: Pick<IngressInterfaces, 'list' | 'namesOf'>;
}
