// A bridge that the daemon exports for, with a port to inject into and a collector. One OVS and one daemon can have several of
// them.
//
//     const br = await exportingBridge(t, ovs, daemon, { cache_active_timeout: 60, cache_max_flows: 13 });
//     await br.inject(udpFrame({}));
//     await br.sink.waitForPackets(1);

import type { TestContext } from 'node:test';
import type { Daemon } from './daemon.ts';
import { FlowRecordSink } from './flow-records.ts';
import {
  createIpfixRow,
  type RowColumns,
  setIpfixRow,
  type WholeBridgeStatus,
  waitForBridge,
  waitForHook,
} from './ipfix-rows.ts';
import type { Ovs } from './ovs.ts';

/** An exported bridge; see the head of the file. */
export interface ExportingBridge {
  readonly name: string;
  readonly port: string;
  /** UUID of its IPFIX row. */
  readonly row: string;
  /** The collector of the row's first target. */
  readonly sink: FlowRecordSink;
  /** Injects frames into the port, in order. */
  inject(...frames: readonly (string | Uint8Array)[]): Promise<void>;
  /** Injects frames, and waits until the daemon has counted a sample for each (sampling 1). */
  sample(...frames: readonly (string | Uint8Array)[]): Promise<void>;
  /** Changes columns of the row. */
  set(columns: RowColumns): Promise<void>;
  waitForStatus(what: string, condition: (status: WholeBridgeStatus) => boolean): Promise<WholeBridgeStatus>;
}

let bridgeCount = 0;

/** Makes a bridge and waits for its hook; `sampling` is 1 by default. Only the collector is closed after the test. */
export async function exportingBridge(
  t: TestContext,
  ovs: Ovs,
  daemon: Daemon,
  columns: RowColumns = {},
): Promise<ExportingBridge> {
  const name = `br${bridgeCount}`;
  const port = `p${bridgeCount}`;
  bridgeCount += 1;
  const sink = await FlowRecordSink.open();
  await ovs.addBridge(name);
  t.after(() => sink.close());
  await ovs.addDummyPort(name, port);
  const row = await createIpfixRow(ovs, name, [sink.target], { sampling: 1, ...columns });
  await waitForHook(daemon, name);

  const inject = (...frames: readonly (string | Uint8Array)[]) => ovs.inject(port, ...frames);
  const waitForStatus = (what: string, condition: (status: WholeBridgeStatus) => boolean) =>
    waitForBridge(daemon, name, what, condition);
  let sampleCount = 0;
  const sample = async (...frames: readonly (string | Uint8Array)[]) => {
    sampleCount += frames.length;
    await inject(...frames);
    await waitForStatus(`${sampleCount} samples`, ({ exporter }) => exporter.samples >= sampleCount);
  };
  const set = (changed: RowColumns) => setIpfixRow(ovs, row, changed);
  return { name, port, row, sink, inject, sample, set, waitForStatus };
}
