// The exporters of a status document as one list, those of bridges and those of collector sets.

import type { BridgeSamplingStatus, FlowSamplingStatus } from '../control/sampled-bridge.ts';
import type { ExporterStatus } from '../export/exporter-status.ts';
import type { PacketSamplerStatus } from '../flow/sampler.ts';
import type { StatusDocument } from './status-document.ts';

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
  /** The account of the packets that it samples from; that of all collector sets of a bridge is one. */
  readonly pool: PacketSamplerStatus;
  /** Packets that a kept sample stands for; undefined where each `sample` action has a probability of its own. */
  readonly sampleWeight: number | undefined;
}

/** Returns all exporters by bridge, the whole bridge before its collector sets. */
export function listExporters(document: Pick<StatusDocument, 'bridges'>): readonly ListedExporter[] {
  return document.bridges.flatMap(({ bridge, sampling, flowSampling, samplePool }) => [
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
            pool: sampling.sampler,
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
      pool: samplePool,
      sampleWeight: undefined,
    })),
  ]);
}
