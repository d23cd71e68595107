// What a test may set of a scripted switch, at any time: which Open vSwitch it is like, and single faults. A fault is a
// rule about one type of message; the first rule that matches a message takes it.

import type {
  OpenFlowMessage,
  OpenFlowMessageType,
  OpenFlowVersion,
} from '../../../src/node-openflow/index.ts';

/** What kind of switch it is. All fields can be changed while connections are open. */
export interface SwitchBehaviour {
  /** Versions that the bridge allows (column `protocols`); a change applies to connections that are opened later. */
  versions: readonly OpenFlowVersion[];
  /**
   * - `present`: as in Open vSwitch.
   * - `none`: as a datapath without meters: the features say 0 meters, adding one fails with OFPMMFC_INVALID_METER.
   * - `refused`: every meter message is refused with OFPBRC_BAD_TYPE or OFPBRC_BAD_STAT.
   */
  meters: 'present' | 'none' | 'refused';
  /** `max_meter` of the meter features. */
  meterCountMax: number;
  /**
   * - `all versions`: as in Open vSwitch 3.0 and later.
   * - `OpenFlow 1.0 only`: as before 3.0: over 1.3 a proper error, over 1.4 and 1.5 an error of OpenFlow 1.0 whose
   *   transaction id is taken from the request's match.
   * - `refused`: every request for a monitor is refused with OFPBRC_BAD_STAT.
   */
  monitors: 'all versions' | 'OpenFlow 1.0 only' | 'refused';
  /** The software in the description. Default: the release that has such monitors. */
  software: string | undefined;
  /** Milliseconds that the switch takes to answer messages of these types; later answers on the connection wait behind. */
  answerMs: Readonly<Partial<Record<OpenFlowMessageType, number>>>;
  /** Whether a new connection gets a hello. Without one the connection is open and silent. */
  saysHello: boolean;
  /** Whether what clients write is read. While false, it stays in their streams. */
  isReading: boolean;
  /** Whether dialling succeeds. While false it fails with ECONNREFUSED; open connections are not affected. */
  isListening: boolean;
}

export const OVS_BEHAVIOUR: SwitchBehaviour = {
  versions: [1, 4, 5, 6],
  meters: 'present',
  meterCountMax: 262_144,
  monitors: 'all versions',
  software: undefined,
  answerMs: {},
  saysHello: true,
  isReading: true,
  isListening: true,
};

/**
 * What happens to a message:
 * - `refuse`: answered with the error, and has no effect.
 * - `ignore`: neither effect nor answer.
 * - `mute`: takes effect, but is not answered.
 * - `hang up`: the connection ends instead of an effect.
 * - `hang up after`: takes effect, and the connection ends in place of the answer.
 */
export type FaultAction = 'refuse' | 'ignore' | 'mute' | 'hang up' | 'hang up after';

/** A fault: see `ScriptedSwitch.fail`. */
export interface Fault {
  readonly type: OpenFlowMessageType;
  readonly action: FaultAction;
  /** For `refuse`: the name of the error as `errorName` gives it. Default OFPBRC_EPERM. */
  readonly errorName?: string;
  /** Only messages for which this is true, of that type. */
  readonly when?: (message: OpenFlowMessage, version: OpenFlowVersion) => boolean;
  /** The n-th such message is the first one; default 1. */
  readonly from?: number;
  /** How many messages it takes before it is over; default all. */
  readonly times?: number;
}

/** The faults that are set, and how far each has been counted. */
export class FaultList {
  #faults: { readonly fault: Fault; seen: number }[] = [];

  add(fault: Fault): void {
    this.#faults.push({ fault, seen: 0 });
  }

  clear(): void {
    this.#faults = [];
  }

  /** The fault that takes this message, if there is one. */
  take(message: OpenFlowMessage, version: OpenFlowVersion): Fault | undefined {
    for (const entry of this.#faults) {
      const { type, when, from = 1, times = Number.POSITIVE_INFINITY } = entry.fault;
      if (type !== message.type || when?.(message, version) === false) {
        continue;
      }
      entry.seen += 1;
      if (entry.seen >= from && entry.seen < from + times) {
        return entry.fault;
      }
    }
    return undefined;
  }
}

/** Thrown by the parts of the scripted switch when they refuse a message: becomes an error message. */
export class Refusal extends Error {
  readonly errorName: string;

  constructor(errorName: string) {
    super(errorName);
    this.name = 'Refusal';
    this.errorName = errorName;
  }
}
