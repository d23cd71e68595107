// The exporters of a status document as one list, those of bridges and those of collector sets.

import type { ControlStatus } from '../control/control-parts.ts';
import type { RedirectedSetStatus } from '../control/redirected-sets.ts';
import type { BridgeSamplingStatus, FlowSamplingStatus } from '../control/sampled-bridge-status.ts';
import type { ExporterStatus } from '../export/exporter-status.ts';
import type { MeterLedgerStatus } from '../intake/meter-ledger.ts';

/** One exporter with its bridge or collector set. */
export interface ListedExporter {
  /** `br0`, or `br0 set 1` for a collector set. */
  readonly label: string;
  readonly bridge: string;
  /** Undefined for a whole bridge. */
  readonly collectorSetId: number | undefined;
  readonly ipfixRow: string;
  readonly exporter: ExporterStatus;
  /** How its samples come to be. */
  readonly sampling: BridgeSamplingStatus | FlowSamplingStatus;
  /** The meter that its packets pass; all collector sets of a bridge share one. */
  readonly meter: MeterLedgerStatus;
  /** N of 1-in-N; undefined where each `sample` action has a probability of its own. */
  readonly interval: number | undefined;
  /** Packets that a sample represents; undefined as well. */
  readonly sampleWeight: number | undefined;
}

/** Returns all exporters by bridge, the whole bridge before its collector sets. */
export function listExporters(document: Pick<ControlStatus, 'bridges'>): readonly ListedExporter[] {
  return document.bridges.flatMap(({ bridge, sampling, flowSampling, sampleActionMeter }) => [
    ...(sampling === undefined
      ? []
      : [
          {
            label: bridge,
            bridge,
            collectorSetId: undefined,
            ipfixRow: sampling.ipfixRow,
            exporter: sampling.exporter,
            sampling,
            meter: sampling.sampler,
            interval: sampling.sampler.interval,
            sampleWeight: sampling.sampler.sampleWeight,
          },
        ]),
    ...flowSampling.map((set) => ({
      label: `${bridge} set ${set.collectorSetId}`,
      bridge,
      collectorSetId: set.collectorSetId,
      ipfixRow: set.ipfixRow,
      exporter: set.exporter,
      sampling: set,
      meter: sampleActionMeter,
      interval: undefined,
      sampleWeight: undefined,
    })),
  ]);
}

/** Returns the samples of a redirected collector set; undefined for other exporters. */
export function redirectedOf({ sampling }: ListedExporter): RedirectedSetStatus | undefined {
  return 'flows' in sampling ? sampling.datapath : undefined;
}
