// Writes the flow keys of frames in the layout of an exporter's records, and counts truncated and malformed headers.

import type { RecordLayout } from '../ipfix/record-layout.ts';
import { dissect } from '../packet/dissect.ts';
import { dissectExtended } from '../packet/dissect-extended.ts';
import type { FlowKey } from '../packet/flow-key.ts';
import { addTunnel } from '../packet/tunnel-key.ts';
import { countFaults, type FaultCounts } from './exporter-status.ts';

/** See the head of the file. */
export class FrameDissector {
  readonly malformed: FaultCounts = { ethernet: 0, ipHeader: 0, ipv6Extension: 0, transport: 0 };
  /** Whether records have the interface that packets came in by, and what is known of their tunnels. */
  hasInterfaces = false;
  hasTunnels = false;

  constructor(layout: RecordLayout) {
    this.setLayout(layout);
  }

  setLayout(layout: RecordLayout): void {
    this.hasInterfaces = layout !== 'original';
    this.hasTunnels = layout === 'tunnel';
  }

  /** Writes the key of `frame[start, end)`; `ingressInterface` and `tunnel` are used in the layouts that have them. */
  dissect(
    frame: Uint8Array,
    start: number,
    end: number,
    observationPointId: number,
    ingressInterface: number,
    tunnel: Int32Array,
    key: FlowKey,
  ): void {
    if (this.hasInterfaces) {
      dissectExtended(frame, start, end, observationPointId, ingressInterface, key);
      if (this.hasTunnels) {
        addTunnel(key, tunnel);
      }
    } else {
      dissect(frame, start, end, observationPointId, key);
    }
    if (key.faults !== 0) {
      countFaults(this.malformed, key.faults);
    }
  }
}
