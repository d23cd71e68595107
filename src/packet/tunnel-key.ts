// What is known of the tunnel that a packet came out of, as a part of the flow key: a word for each element, in the order of the
// record (ipfix/record-layout.ts), zeros for packets without a tunnel.

import { keyWordCount, TUNNEL_WORD_COUNT, tunnelTemplateId } from '../ipfix/record-layout.ts';
import type { FlowKey } from './flow-key.ts';

/** Adds the tunnel to a key of the format `extended`. */
export function addTunnel(key: FlowKey, tunnel: Int32Array): void {
  const at = keyWordCount(key.templateId);
  for (let index = 0; index < TUNNEL_WORD_COUNT; index += 1) {
    key.words[at + index] = tunnel[index]!;
  }
  key.templateId = tunnelTemplateId(key.templateId);
}
