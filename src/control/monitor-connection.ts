// A second connection to a bridge, in OpenFlow 1.0, for the flow monitors that OVS before 3.0 has in no other version. What
// it shows of a flow is not whole (switch-version.ts), so that its events only say what has to be read again over the main
// connection; no flow is ever written back from them.

import type { Duplex } from 'node:stream';
import type { RegisterBit } from '../config/settings.ts';
import { type FlowMonitorEvent, OpenFlowConnection, type OpenFlowMessage } from '../node-openflow/index.ts';
import type { KeptSession, SessionEnd } from '../runtime/keeper.ts';
import { FLOWS_MONITOR, flowEventsOf, HOOK_MONITOR, monitorRequest } from './flow-monitors.ts';
import { hookMatch } from './hook.ts';

export interface MonitorConnectionOptions {
  readonly mark: RegisterBit;
  /** Called with the events of both monitors, as BridgeConnectionOptions.onFlowEvents is. */
  readonly onFlowEvents: (events: readonly FlowMonitorEvent[]) => void;
}

export class MonitorConnection implements KeptSession {
  readonly ended: Promise<SessionEnd>;
  readonly #openflow: OpenFlowConnection;
  readonly #options: MonitorConnectionOptions;
  #isWatchingFlows = false;

  /** Negotiates OpenFlow 1.0 and starts the monitor of the hook's slot; rejects with what the switch refused. */
  static async open(stream: Duplex, options: MonitorConnectionOptions): Promise<MonitorConnection> {
    const connection = new MonitorConnection(stream, options);
    try {
      await connection.#openflow.ready;
      await connection.#openflow.request(monitorRequest(HOOK_MONITOR, { match: hookMatch(options.mark) }));
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  private constructor(stream: Duplex, options: MonitorConnectionOptions) {
    this.#options = options;
    this.#openflow = new OpenFlowConnection(stream, {
      versions: [1],
      onMessage: (message) => this.#receive(message),
    });
    this.ended = this.#openflow.ended.then((end) =>
      end.reason === 'closed' ? {} : { error: end.error ?? new Error(end.message) },
    );
  }

  get receivedBytes(): number {
    return this.#openflow.receivedBytes;
  }

  probe(): Promise<void> {
    return this.#openflow.probe();
  }

  close(reason?: Error): void {
    this.#openflow.close(reason?.message);
  }

  /** Starts the monitor of all flows; safe to repeat. Flows that are there already are read over the main connection. */
  async watchFlows(): Promise<void> {
    if (!this.#isWatchingFlows) {
      this.#isWatchingFlows = true;
      await this.#openflow.request(monitorRequest(FLOWS_MONITOR, {}));
    }
  }

  /** Resolves when the events of all changes that the switch has reported so far have been received. */
  async sync(): Promise<void> {
    await this.#openflow.request({ type: 'barrier_request' });
  }

  #receive(message: OpenFlowMessage): void {
    const events = flowEventsOf(message);
    if (events !== undefined) {
      this.#options.onFlowEvents(events);
    }
  }
}
