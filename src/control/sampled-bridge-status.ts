// The status of a bridge that is sampled; docs/status.md explains each field.

import type { ExporterStatus } from '../export/exporter-status.ts';
import type { HookSamplerStatus } from '../intake/bridge-intake.ts';
import type { DatapathIntakeStatus } from '../intake/datapath-intake.ts';
import type { IngressInterfacesStatus } from '../intake/ingress-interfaces.ts';
import type { MeterLedgerStatus } from '../intake/meter-ledger.ts';
import type { SamplerStatus } from '../intake/sampler.ts';
import type { BridgeSessionStatus } from './bridge-session-status.ts';
import type { OwnRowsStatus } from './datapath-path.ts';
import type { SamplerChoiceStatus } from './datapath-sampling-status.ts';
import type { SamplingGapsStatus } from './gap-record.ts';
import type { RedirectedSetStatus } from './redirected-sets.ts';
import type { Samplability } from './sampling-watch.ts';

/** The status of a bridge that is sampled as a whole. */
export interface BridgeSamplingStatus {
  readonly ipfixRow: string;
  /** See `BridgeSampling.rowSetsFormat`. */
  readonly rowSetsFormat: boolean;
  readonly sampler: HookSamplerStatus;
  /** Samples of the datapath; undefined where `ovs-ipfix-sampler` is `packet-in`. */
  readonly datapath: DatapathIntakeStatus | undefined;
  readonly exporter: ExporterStatus;
}

/** The status of a collector set. */
export interface FlowSamplingStatus {
  readonly collectorSetId: number;
  readonly ipfixRow: string;
  /** See `BridgeSampling.rowSetsFormat`. */
  readonly rowSetsFormat: boolean;
  readonly sampler: SamplerStatus;
  /** Samples of the datapath while the row is redirected; undefined: samples come in packet-ins. */
  readonly datapath: RedirectedSetStatus | undefined;
  readonly exporter: ExporterStatus;
  /** Numbers of flows whose `sample` actions for this set reach the daemon, and of groups: none, as OVS ignores the action there. */
  readonly flows: number;
  readonly groups: number;
  /** Times in which its samples did not reach the daemon. */
  readonly gaps: SamplingGapsStatus | undefined;
}

/** The interfaces of a bridge, for operators. */
export interface BridgeInterfacesStatus extends IngressInterfacesStatus {
  /** See `InterfaceList.skipped`. */
  readonly skipped: number;
}

/** The status of a bridge; plain data. */
export interface SampledBridgeStatus {
  readonly bridge: string;
  readonly session: BridgeSessionStatus;
  /** Whether packets reach the daemon: see sampling-watch.ts. */
  readonly samplability: Samplability;
  readonly sampling: BridgeSamplingStatus | undefined;
  /** Undefined where `ovs-ipfix-sampler` is `packet-in`. */
  readonly samplerChoice: SamplerChoiceStatus | undefined;
  /** Undefined while the bridge needs no own rows. */
  readonly ownRows: OwnRowsStatus | undefined;
  readonly flowSampling: readonly FlowSamplingStatus[];
  /** The meter that the `sample` actions of all sets share. */
  readonly sampleActionMeter: MeterLedgerStatus;
  /** See `BridgeIntake.unmanagedPacketIns`. */
  readonly unmanagedPacketIns: number;
  /** Times in which packets of the bridge as a whole did not reach the daemon. */
  readonly gaps: SamplingGapsStatus;
  readonly interfaces: BridgeInterfacesStatus;
}
