// The set-up of most integration tests: one Open vSwitch and one daemon for all tests of a file or of a group.

import { after, before } from 'node:test';
import { type Daemon, type DaemonOptions, startDaemon } from './daemon.ts';
import { endInOrder } from './end-in-order.ts';
import { type Ovs, type OvsOptions, startOvs } from './ovs.ts';

export interface Running {
  readonly ovs: Ovs;
  readonly daemon: Daemon;
}

/** Options of both. */
export interface WithDaemonOptions {
  readonly ovs?: OvsOptions;
  readonly daemon?: DaemonOptions;
  /** As returned by `tier`: nothing is started if all tests are skipped. */
  readonly skip?: string | false;
}

/** Starts both before the tests and ends them after, the daemon first; `started` is called with them. */
export function withDaemon(started: (running: Running) => void, options: WithDaemonOptions = {}): void {
  if (typeof options.skip === 'string') {
    return;
  }
  const endings: (() => Promise<unknown>)[] = [];
  before(async () => {
    const ovs = await startOvs(options.ovs);
    endings.unshift(() => ovs.stop());
    const daemon = await startDaemon(ovs, options.daemon);
    endings.unshift(() => daemon.stop());
    started({ ovs, daemon });
  });
  after(() => endInOrder(...endings));
}
