// Reads a bridge by OpenFlow, without changing it.

import type { Duplex } from 'node:stream';
import type { RegisterBit } from '../../config/settings.ts';
import { BridgeConnection, type ObservedSwitch } from '../../control/bridge-connection.ts';
import type { FlowUpdate } from '../../node-openflow/index.ts';
import type { Clock } from '../../runtime/clock.ts';
import { dial, type Endpoint, type TlsFiles } from '../../runtime/endpoint.ts';
import { silentLogger } from '../../runtime/log.ts';
import { within } from '../../runtime/within.ts';

/** Milliseconds for all flows of a bridge. */
const BRIDGE_MS_MAX = 5000;

/** How to reach a bridge. */
export interface BridgePlace {
  readonly bridge: string;
  readonly endpoint: Endpoint;
  readonly tls: TlsFiles | undefined;
  readonly mark: RegisterBit;
}

/** What the checks need of a bridge. */
export interface BridgeFacts {
  readonly bridge: string;
  readonly mark: RegisterBit;
  /** The OpenFlow version in use: "OpenFlow 1.4". */
  readonly protocol: string;
  readonly hasMeters: boolean;
  /** Whether that version shows all of a flow. */
  readonly showsWholeFlows: boolean;
  readonly flows: readonly FlowUpdate[];
  readonly observed: ObservedSwitch;
}

/** Reads a bridge. Undefined when it cannot be reached, which checkSwitch reports; rejects with any other failure. */
export async function readBridge(place: BridgePlace, clock: Clock): Promise<BridgeFacts | undefined> {
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

async function read(stream: Duplex, { bridge, mark }: BridgePlace): Promise<BridgeFacts> {
  const connection = await BridgeConnection.open(stream, {
    bridge,
    mark,
    log: silentLogger,
    isLeading: () => true,
    onPacketIn: () => {},
    onMeterModified: () => {},
    onGroupModified: () => {},
    onFlowEvents: () => {},
  });
  try {
    return {
      bridge,
      mark,
      protocol: connection.protocol,
      hasMeters: connection.meters.hook !== undefined,
      showsWholeFlows: connection.showsWholeFlows,
      flows: await connection.dumpFlows(),
      observed: await connection.observe(),
    };
  } finally {
    connection.close();
  }
}
