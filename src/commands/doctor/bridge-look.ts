// One look at a bridge by OpenFlow, without a change.

import type { Duplex } from 'node:stream';
import type { RegisterBit } from '../../config/settings.ts';
import { BridgeConnection, type ObservedSwitch } from '../../control/bridge-connection.ts';
import type { FlowUpdate } from '../../node-openflow/index.ts';
import type { Clock } from '../../runtime/clock.ts';
import { dial, type Endpoint, type TlsFiles } from '../../runtime/endpoint.ts';
import { silentLogger } from '../../runtime/log.ts';
import { within } from '../../runtime/within.ts';

/** How long a bridge may take for all its flows, in milliseconds. */
const BRIDGE_MS_MAX = 5000;

/** Where to look. */
export interface BridgePlace {
  readonly bridge: string;
  readonly endpoint: Endpoint;
  readonly tls: TlsFiles | undefined;
  readonly mark: RegisterBit;
}

/** What the checks look at. */
export interface BridgeLook {
  readonly bridge: string;
  readonly mark: RegisterBit;
  /** The version of OpenFlow, as people write it. */
  readonly protocol: string;
  readonly hasMeters: boolean;
  readonly flows: readonly FlowUpdate[];
  readonly observed: ObservedSwitch;
}

/** Undefined when the bridge cannot be reached, which is another check's finding; any other failure rejects. */
export async function lookAtBridge(place: BridgePlace, clock: Clock): Promise<BridgeLook | undefined> {
  const { bridge, endpoint, tls } = place;
  const options = { clock, timeoutMs: BRIDGE_MS_MAX, ...(tls === undefined ? {} : { tls }) };
  const stream = await dial(endpoint, options).catch(() => undefined);
  if (stream === undefined) {
    return undefined;
  }
  try {
    return await within(clock, BRIDGE_MS_MAX, `bridge ${bridge} does not answer`, read(stream, place));
  } finally {
    stream.destroy();
  }
}

async function read(stream: Duplex, { bridge, mark }: BridgePlace): Promise<BridgeLook> {
  const connection = await BridgeConnection.open(stream, {
    bridge,
    mark,
    log: silentLogger,
    onPacketIn: () => {},
    onModified: () => {},
    onFlowEvents: () => {},
  });
  try {
    return {
      bridge,
      mark,
      protocol: connection.protocol,
      hasMeters: connection.meters.hook !== undefined,
      flows: await connection.dumpFlows(),
      observed: await connection.observe(),
    };
  } finally {
    connection.close();
  }
}
