// Messages between Open vSwitch 3.1 and its ovs-ofctl, recorded between the two (messages.json); none of the bytes is from
// the code under test. `text` is the output of `ovs-ofctl ofp-print` for them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenFlowVersion } from '../../../src/node-openflow/version.ts';

export interface MessageVector {
  readonly version: OpenFlowVersion;
  readonly from: 'controller' | 'switch';
  /** OVS's name: "OFPST_METER reply". */
  readonly name: string;
  readonly text: string;
  readonly hex: string;
}

export const VECTORS = JSON.parse(
  readFileSync(join(import.meta.dirname, 'messages.json'), 'utf8'),
) as readonly MessageVector[];
export const RECEIVED_VECTORS = VECTORS.filter(({ from }) => from === 'switch');
export const SENT_VECTORS = VECTORS.filter(({ from }) => from === 'controller');

/** Returns the first vector of that name and version whose text includes `part`. */
export function vector(version: OpenFlowVersion, name: string, part = ''): MessageVector {
  const found = VECTORS.filter((v) => v.version === version && v.name === name && v.text.includes(part));
  const [first] = found;
  if (first === undefined) {
    throw new Error(`no vector ${name} of version ${version} with "${part}"`);
  }
  return first;
}

/** Joins hex digits that are written field by field. */
export function hexOf(...pieces: readonly string[]): string {
  return pieces.join('');
}
