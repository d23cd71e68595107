// Frames and the records that the exporter of 2013 emitted for them: `test/vectors/record-vectors.json`.

import { readFileSync } from 'node:fs';

export interface RecordVector {
  readonly desc: string;
  readonly frame: string;
  readonly templateId: number;
  readonly key: string;
  readonly packetDeltaCount: number;
  readonly layer2OctetDeltaCount: number;
  readonly octetDeltaSumOfSquares?: number;
  readonly minimumIpTotalLength?: number;
  readonly maximumIpTotalLength?: number;
}

const file = new URL('../vectors/record-vectors.json', import.meta.url);

export const recordVectors: readonly RecordVector[] = (
  JSON.parse(readFileSync(file, 'utf8')) as { vectors: RecordVector[] }
).vectors;

/** The observation point of all vectors. */
export const VECTOR_OBSERVATION_POINT_ID = 22;

/** In 2013 a tag of TPID 0x88a8 was an unknown type. Since OVS 2.8 it is a VLAN tag, and in our records as well. */
export function isServiceTagged(vector: RecordVector): boolean {
  return vector.frame.startsWith('88a8', 24);
}
