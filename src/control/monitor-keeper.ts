// Keeps the second connection of a bridge open, in OpenFlow 1.0, while the main one has no flow monitor and the bridge allows
// 1.0. Without it, changes are found by polling.

import type { RegisterBit } from '../config/settings.ts';
import type { FlowMonitorEvent } from '../node-openflow/index.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Endpoint, TlsFiles } from '../runtime/endpoint.ts';
import { ConnectionKeeper, type KeeperOptions } from '../runtime/keeper.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import { MonitorConnection } from './monitor-connection.ts';

export interface MonitorKeeperOptions {
  readonly bridge: string;
  readonly endpoint: Endpoint;
  readonly tls: TlsFiles | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly mark: RegisterBit;
  /** Makes a stream to the bridge; a test hands in a scripted switch. */
  readonly dial?: KeeperOptions<MonitorConnection>['dial'];
  /** Called when the monitor has started: changes before that were not reported. */
  readonly onUp: () => void;
  readonly onFlowEvents: (events: readonly FlowMonitorEvent[]) => void;
}

export class MonitorKeeper {
  readonly #options: MonitorKeeperOptions;
  #keeper: ConnectionKeeper<MonitorConnection> | undefined;
  #isWatchingFlows = false;

  constructor(options: MonitorKeeperOptions) {
    this.#options = options;
  }

  /** Whether changes are reported. */
  get isUp(): boolean {
    return this.#keeper?.session !== undefined;
  }

  /** Opens the connection beside a main one; without OpenFlow 1.0 in the bridge's protocols there is none. */
  start(main: BridgeConnection): void {
    const { bridge, endpoint, tls, clock, log, mark, dial, onFlowEvents } = this.#options;
    if (!main.allows(1) || main.slot.version === 1) {
      log.info(`bridge ${bridge}: no flow monitor (${main.protocol}); polling each second`);
      return;
    }
    this.#keeper = new ConnectionKeeper<MonitorConnection>({
      name: `bridge ${bridge} flow monitor`,
      endpoints: [endpoint],
      clock,
      log,
      isOptional: true,
      ...(tls === undefined ? {} : { tls }),
      ...(dial === undefined ? {} : { dial }),
      open: (stream) => MonitorConnection.open(stream, { mark, onFlowEvents }),
      onUp: (connection) => this.#connected(connection),
    });
    this.#keeper.start();
  }

  /** Has all flows watched from now on; safe to repeat. */
  watchFlows(): void {
    if (!this.#isWatchingFlows) {
      this.#isWatchingFlows = true;
      this.#watch(this.#keeper?.session);
    }
  }

  /** Has all flows watched; resolves when the events of all changes so far have been received, or the connection has ended. */
  async sync(): Promise<void> {
    this.#isWatchingFlows = true;
    const connection = this.#keeper?.session;
    try {
      await connection?.watchFlows();
      await connection?.sync();
    } catch (error) {
      this.#options.log.debug(`bridge ${this.#options.bridge}: flow monitor not read: ${reasonOf(error)}`);
    }
  }

  async stop(): Promise<void> {
    const keeper = this.#keeper;
    this.#keeper = undefined;
    this.#isWatchingFlows = false;
    await keeper?.stop();
  }

  #connected(connection: MonitorConnection): void {
    if (this.#isWatchingFlows) {
      this.#watch(connection);
    }
    this.#options.onUp();
  }

  #watch(connection: MonitorConnection | undefined): void {
    connection?.watchFlows().then(
      () => this.#options.onUp(),
      (error: unknown) => {
        // The connection has ended, which its keeper reports, or the switch refuses: polling goes on.
        this.#options.log.debug(
          `bridge ${this.#options.bridge}: flow monitor not started: ${reasonOf(error)}`,
        );
      },
    );
  }
}
