// The set-up of the tests of flow-based sampling: one Open vSwitch for all tests of a file, and collectors, a bridge and
// daemons of each test.
//
//     let ovs: Ovs;
//     let sink: FlowRecordSink;
//     const { makeFlows, startDaemon } = withSampledFlows((running) => {
//       ({ ovs, sinks: [sink] } = running);
//     });

import { after, afterEach, before, beforeEach } from 'node:test';
import { type Daemon, type DaemonOptions, startDaemon } from './daemon.ts';
import { endInOrder } from './end-in-order.ts';
import { FlowRecordSink } from './flow-records.ts';
import { type Ovs, type OvsOptions, startOvs } from './ovs.ts';
import { SampledFlows } from './sampled-flows.ts';

/** What a test has before it begins. */
export interface SampledFlowsRunning {
  readonly ovs: Ovs;
  /** Collectors without records. */
  readonly sinks: readonly [FlowRecordSink, FlowRecordSink];
}

export interface SampledFlowsOptions {
  readonly ovs?: OvsOptions;
  /** As returned by `tier`: nothing is started if all tests are skipped. */
  readonly skip?: string | false;
}

/** What a test starts; it ends after the test, the last first. */
export interface SampledFlowsStarts {
  /** Makes br0, as `SampledFlows.make`. */
  readonly makeFlows: (protocols?: readonly string[]) => Promise<SampledFlows>;
  /** Starts a daemon, as `startDaemon`. */
  readonly startDaemon: (options?: DaemonOptions) => Promise<Daemon>;
}

/** Starts Open vSwitch before the tests and ends it after; `started` is called before each test. */
export function withSampledFlows(
  started: (running: SampledFlowsRunning) => void,
  options: SampledFlowsOptions = {},
): SampledFlowsStarts {
  let ovs: Ovs;
  let endings: (() => Promise<unknown>)[] = [];
  if (typeof options.skip !== 'string') {
    before(async () => {
      ovs = await startOvs(options.ovs);
    });
    after(() => ovs.stop());
    beforeEach(async () => {
      const sinks = [await FlowRecordSink.open(), await FlowRecordSink.open()] as const;
      endings = sinks.map((sink) => () => sink.close());
      started({ ovs, sinks });
    });
    afterEach(() => endInOrder(...endings));
  }
  return {
    makeFlows: async (protocols) => {
      const flows = await SampledFlows.make(ovs, protocols);
      endings.unshift(() => flows.clean());
      return flows;
    },
    startDaemon: async (daemonOptions) => {
      const daemon = await startDaemon(ovs, daemonOptions);
      endings.unshift(() => daemon.kill());
      return daemon;
    },
  };
}
