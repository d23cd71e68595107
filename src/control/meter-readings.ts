// Reads the counters of a bridge's two meters for their ledgers, and reports the events at which a ledger restarts. A reading
// that was requested before such an event belongs to the old account, and is ignored.

import type { MeterName } from '../intake/bridge-intake.ts';
import type { LedgerEvent, MeterCounters } from '../intake/meter-ledger.ts';
import { METER_ALL } from '../node-openflow/index.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import { type HookDesired, hasHookMeter } from './hook-desired.ts';
import type { SwitchStep } from './meter.ts';

/** Receives what happens to the meters of a bridge. */
export interface MeterEvents {
  /** Called with the counters of a meter, before any packet-in that the switch sent after it had read them. */
  readonly onPool: (meter: MeterName, pool: MeterCounters) => void;
  /** Called when the ledger of a meter restarts. */
  readonly onLedgerEvent: (meter: MeterName, event: LedgerEvent) => void;
}

const METER_NAMES: readonly MeterName[] = ['hook', 'sample'];

export class MeterReadings {
  readonly #events: MeterEvents;
  /** Grows with each event. */
  readonly #epochs: Record<MeterName, number> = { hook: 0, sample: 0 };
  /** Meters without a reading since the last event. */
  readonly #unread = new Set<MeterName>(METER_NAMES);

  constructor(events: MeterEvents) {
    this.#events = events;
  }

  /** Reports an event of one meter. */
  restart(meter: MeterName, event: LedgerEvent): void {
    this.#epochs[meter] += 1;
    this.#unread.add(meter);
    this.#events.onLedgerEvent(meter, event);
  }

  /** Reports that the connection has ended. */
  disconnected(): void {
    for (const meter of METER_NAMES) {
      this.restart(meter, 'connectionLost');
    }
  }

  /** Reports that another client has modified the meter with this id. */
  modified(connection: BridgeConnection, meterId: number): void {
    for (const meter of METER_NAMES) {
      if (connection.meters[meter] === meterId || meterId === METER_ALL) {
        this.restart(meter, 'meterModified');
      }
    }
  }

  /**
   * Prepares for steps that add a meter or change its rate: the counters of a meter that exists are read once more. To be called
   * before the steps are sent.
   */
  async changing(connection: BridgeConnection, steps: readonly SwitchStep[]): Promise<void> {
    const changes = steps.flatMap(({ meterChange }) => meterChange ?? []);
    for (const { meterId, event } of changes) {
      const meter: MeterName = connection.meters.hook === meterId ? 'hook' : 'sample';
      if (event === 'rateChanged') {
        await this.#read(connection, meter);
      }
      this.restart(meter, event);
    }
  }

  /** Reads the meters that are installed and have not been read since the last event: their accounts start here. */
  async begin(connection: BridgeConnection, installed: HookDesired): Promise<void> {
    await this.#readAll(
      connection,
      METER_NAMES.filter((meter) => this.#unread.has(meter) && isInstalled(meter, installed)),
    );
  }

  /** Reads the meters that are installed. Returns whether all of them exist. */
  poll(connection: BridgeConnection, installed: HookDesired): Promise<boolean> {
    return this.#readAll(
      connection,
      METER_NAMES.filter((meter) => isInstalled(meter, installed)),
    );
  }

  /** Reads meters at the same time. */
  async #readAll(connection: BridgeConnection, meters: readonly MeterName[]): Promise<boolean> {
    const exist = await Promise.all(meters.map((meter) => this.#read(connection, meter)));
    return exist.every(Boolean);
  }

  /** Returns false if the meter should exist and does not. */
  async #read(connection: BridgeConnection, meter: MeterName): Promise<boolean> {
    const epoch = this.#epochs[meter];
    const meterId = connection.meters[meter];
    if (meterId === undefined) {
      return true;
    }
    return connection.readPool(meterId, (pool) => {
      if (epoch === this.#epochs[meter]) {
        this.#unread.delete(meter);
        this.#events.onPool(meter, pool);
      }
    });
  }
}

function isInstalled(meter: MeterName, installed: HookDesired): boolean {
  return meter === 'hook' ? hasHookMeter(installed) : installed.hasSampleMeter;
}
