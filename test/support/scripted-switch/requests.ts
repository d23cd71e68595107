// Decodes a controller's messages: by the library, except the bodies of requests that it only encodes.

import { readHeader } from '../../../src/node-openflow/header.ts';
import {
  decodeMessage,
  type OpenFlowMessage,
  type OpenFlowVersion,
} from '../../../src/node-openflow/index.ts';
import { WireReader } from '../../../src/node-openflow/wire.ts';
import { messageOf } from './replies.ts';

/** Requests whose body starts with one number, or is empty in some versions. */
const NUMBERED = [
  'meter_stats_request',
  'meter_config_request',
  'group_desc_request',
  'group_stats_request',
  'port_desc_request',
] as const;

/** Decodes a request and its transaction id. */
export function decodeRequest(
  version: OpenFlowVersion,
  bytes: Buffer,
): { readonly message: OpenFlowMessage; readonly xid: number } {
  const { header, message } = decodeMessage(version, bytes);
  if (message.type !== 'unknown') {
    return { message, xid: header.xid };
  }
  for (const type of NUMBERED) {
    if ((type === 'meter_stats_request' || type === 'meter_config_request') && version === 1) {
      continue;
    }
    if (readHeader(new WireReader(messageOf(version, type, 0))).key !== header.key) {
      continue;
    }
    const reader = new WireReader(bytes);
    readHeader(reader);
    const number = reader.remaining < 4 ? undefined : reader.u32(type);
    return { message: numbered(type, number), xid: header.xid };
  }
  return { message, xid: header.xid };
}

function numbered(type: (typeof NUMBERED)[number], number: number | undefined): OpenFlowMessage {
  switch (type) {
    case 'meter_stats_request':
    case 'meter_config_request':
      return { type, meterId: number ?? 0 };
    case 'port_desc_request':
      return number === undefined ? { type } : { type, portNumber: number };
    case 'group_desc_request':
    case 'group_stats_request':
      return number === undefined ? { type } : { type, groupId: number };
  }
}
