// The meters that limit the packet-ins of a bridge: one of the hook, whose counters are the sample pool of bridge sampling, and
// one of all actions after `sample` actions. Pure: the messages that add, change and remove a meter.

import type { LedgerEvent } from '../intake/meter-ledger.ts';
import { METER_FLAGS, type MeterConfig, type OpenFlowMessage } from '../node-openflow/index.ts';

/** The ids of the daemon's meters, or the two highest of the datapath if those are lower. */
export const HOOK_METER_ID = 65_000;
export const SAMPLE_METER_ID = 65_001;
/** Least burst size of a meter in packets; larger bursts overflow OVS's packet-in queue (controller-queue-size, default 100). */
export const METER_BURST_MIN = 100;

/** Messages to send together, before a barrier; steps are sent in order. */
export interface SwitchStep {
  /** What the step does, for messages about its failure: "add the hook". */
  readonly what: string;
  readonly messages: readonly OpenFlowMessage[];
  /** The meter whose counters start anew by this step. */
  readonly meterChange?: {
    readonly meterId: number;
    readonly event: Extract<LedgerEvent, 'meterAdded' | 'rateChanged'>;
  };
}

/** The ids of the daemon's two meters on a bridge; undefined if it has no meters. */
export interface MeterIds {
  readonly hook: number | undefined;
  readonly sample: number | undefined;
}

/** Returns the ids of the daemon's meters on a bridge with that many meters. */
export function meterIds(meterCountMax: number): MeterIds {
  if (meterCountMax < 2) {
    return { hook: undefined, sample: undefined };
  }
  return {
    hook: Math.min(HOOK_METER_ID, meterCountMax - 1),
    sample: Math.min(SAMPLE_METER_ID, meterCountMax),
  };
}

/** Adds the meter, or changes its rate, in packets a second. Send it before the flows that use it, which would be unmetered. */
export function planMeter(
  meterId: number | undefined,
  observed: MeterConfig | undefined,
  rate: number,
): readonly SwitchStep[] {
  if (meterId === undefined) {
    return [];
  }
  if (observed === undefined) {
    return [
      {
        what: `add meter ${meterId}`,
        meterChange: { meterId, event: 'meterAdded' },
        messages: [meterMod(meterId, 'add', rate)],
      },
    ];
  }
  if (observed.bands[0]?.rate === rate) {
    return [];
  }
  return [
    {
      what: `change the rate of meter ${meterId}`,
      meterChange: { meterId, event: 'rateChanged' },
      messages: [meterMod(meterId, 'modify', rate)],
    },
  ];
}

/** Deletes the meter if it exists and is the daemon's. Send it after the removal of the flows that use it. */
export function planMeterRemoval(
  meterId: number | undefined,
  observed: MeterConfig | undefined,
): readonly SwitchStep[] {
  if (meterId === undefined || observed === undefined || isUnmanagedMeter(observed)) {
    return [];
  }
  const messages = [{ type: 'meter_mod', command: 'delete', meterId, flags: 0, bands: [] } as const];
  return [{ what: `delete meter ${meterId}`, messages }];
}

/**
 * Whether a meter with one of the daemon's ids is another client's. The daemon's have a shape that others are unlikely to
 * choose; the rate may be that of an earlier run.
 */
export function isUnmanagedMeter(meter: MeterConfig): boolean {
  const [band, ...more] = meter.bands;
  const isOurs =
    meter.flags === FLAGS &&
    band?.type === 'drop' &&
    band.burstSize === meterBurst(band.rate) &&
    more.length === 0;
  return !isOurs;
}

/**
 * Returns the burst size for a rate. OVS's userspace datapath fills a meter by whole milliseconds, at most as many as fill an
 * empty one: with a burst below the rate per millisecond that is 0, and after the first burst such a meter drops everything.
 */
function meterBurst(rate: number): number {
  return Math.max(METER_BURST_MIN, Math.ceil(rate / 1000));
}

const FLAGS = METER_FLAGS.pktps | METER_FLAGS.burst | METER_FLAGS.stats;

function meterMod(meterId: number, command: 'add' | 'modify', rate: number): OpenFlowMessage {
  return {
    type: 'meter_mod',
    command,
    meterId,
    flags: FLAGS,
    bands: [{ type: 'drop', rate, burstSize: meterBurst(rate) }],
  };
}
