// The meters that bound what a bridge sends us: one for the hook, whose counters are the pool of bridge sampling, and one
// for all our actions behind `sample` actions. Pure: what has to be sent so that a meter is there as desired, or not there.

import { METER_FLAGS, type MeterConfig, type OpenFlowMessage } from '../node-openflow/index.ts';

/** The ids of our meters, or the two highest that the datapath has when those are less. */
export const HOOK_METER_ID = 65_000;
export const SAMPLE_METER_ID = 65_001;
/** Burst size of a meter in packets, at least; larger bursts overflow OVS's queue of packet-ins. */
export const METER_BURST_MIN = 100;

/** Messages to be sent together, before a barrier; steps are to be sent in their order. */
export interface SwitchStep {
  /** What the step does, for messages about its failure: "add the hook". */
  readonly what: string;
  readonly messages: readonly OpenFlowMessage[];
  /** The meter whose counters begin at 0 after this step. */
  readonly newMeterId?: number;
}

/** Our two meters on a bridge; undefined where it has no meters. */
export interface MeterIds {
  readonly hook: number | undefined;
  readonly sample: number | undefined;
}

/** The ids that a bridge with so many meters has for ours. */
export function meterIds(meterCountMax: number): MeterIds {
  if (meterCountMax < 2) {
    return { hook: undefined, sample: undefined };
  }
  return {
    hook: Math.min(HOOK_METER_ID, meterCountMax - 1),
    sample: Math.min(SAMPLE_METER_ID, meterCountMax),
  };
}

/** Adds the meter, or changes its rate, in packets a second. Before the flows that use it: they would run unmetered. */
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
      { what: `add meter ${meterId}`, newMeterId: meterId, messages: [meterMod(meterId, 'add', rate)] },
    ];
  }
  return observed.bands[0]?.rate === rate
    ? []
    : [{ what: `change the rate of meter ${meterId}`, messages: [meterMod(meterId, 'modify', rate)] }];
}

/** Deletes the meter if it is there and ours: after the flows that use it. */
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
 * Whether a meter with one of our ids is another client's. Ours has a shape that others are unlikely to choose; its rate may
 * be that of an earlier run.
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
 * A meter of OVS's userspace datapath is filled by whole milliseconds, as many as fill an empty one: a burst smaller than
 * what comes in a millisecond makes that none, and after the first burst such a meter lets nothing through for ever.
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
