// What a sampled bridge depends on, and what it has.

import type { FlowSampling } from '../config/configuration.ts';
import type { TargetsPlace } from '../config/targets-place.ts';
import type { Exporter } from '../export/exporter.ts';
import type { ExporterOptions } from '../export/exporter-options.ts';
import type { BridgeInterface, IngressInterfaces } from '../intake/ingress-interfaces.ts';
import type { Clock } from '../runtime/clock.ts';
import type { BridgeSession } from './bridge-session.ts';
import type { BridgeEvents, BridgeSessionOptions } from './bridge-session-options.ts';
import type { DatabaseSession } from './database-session.ts';
import type { DatapathSamplingParts } from './datapath-sampling-parts.ts';
import type { EndedGap } from './gap-record.ts';

/** What a sampled bridge sets of its session. */
export type SampledBridgeSessionOptions = BridgeEvents & Pick<BridgeSessionOptions, 'probabilities'>;

/** The dependencies of a sampled bridge, with those of its `DatapathSampling`. */
export interface SampledBridgeParts
  extends Omit<DatapathSamplingParts, 'bridge' | 'interfaces' | 'gaps' | 'onChange' | 'onPort' | 'onPath'> {
  /** The clock of the packet path, read once a batch. */
  readonly sampleClock: Clock;
  /** When another daemon, or the one before this, has ended that exported for rows that are adopted already; undefined: unknown. */
  readonly previousEndMicros: number | undefined;
  /** See `PreviousExport.gapOf`. */
  readonly previousGap: EndedGap | undefined;
  /** When rows are and were written, after which ovs-vswitchd may have ended its own export. */
  readonly rowWrites: Pick<DatabaseSession, 'writingMicros' | 'writtenMicros'>;
  /** Makes the session of the bridge with the given callbacks. */
  readonly openBridge: (options: SampledBridgeSessionOptions) => BridgeSession;
  /** Makes an exporter; `name` is for its log lines. */
  readonly makeExporter: (name: string, options: ExporterOptions) => Exporter;
  /** Called when `samplability` or `samplePort` has changed; `isDecisive` is as in `SamplingWatch`. Default: true. */
  readonly onSamplability: (isDecisive?: boolean) => void;
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
  readonly ipfixRow: string;
  /** See `BridgeSampling.targetsPlace`. */
  readonly targetsPlace: TargetsPlace;
  readonly exporter: Exporter;
  /** The interfaces that the numbers in its flows are of. */
  readonly interfaces: Pick<IngressInterfaces, 'list' | 'namesOf'>;
}

/** An exporter and what it exports for now. */
export interface RowExporter {
  row: Pick<FlowSampling, 'ipfixRow' | 'rowSetsFormat' | 'targetsPlace'>;
  readonly exporter: Exporter;
}
