// The settings of a scripted switch, which a test can change at any time: the behaviour of a version of Open vSwitch, and
// faults. A fault is a rule about one type of message; the first rule that matches a message applies.

import type {
  OpenFlowMessage,
  OpenFlowMessageType,
  OpenFlowVersion,
} from '../../../src/node-openflow/index.ts';

/** The behaviour of the switch. All members can be changed while connections are open. */
export interface SwitchBehaviour {
  /** Versions that the bridge allows (column `protocols`); a change applies to later connections. */
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
  /** The software of the description. Default: a release with such monitors. */
  software: string | undefined;
  /** Delay in milliseconds of replies to messages of these types; later replies on the connection follow. */
  answerMs: Readonly<Partial<Record<OpenFlowMessageType, number>>>;
  /** Whether the switch sends a hello. Without it a connection is open and silent. */
  saysHello: boolean;
  /** Whether the switch reads. While false, what clients write stays in their streams. */
  isReading: boolean;
  /** Whether the switch listens. While false, connecting fails with ECONNREFUSED; open connections are not affected. */
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
 * The effect of a fault:
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
  /** For `refuse`: the name of the error, as returned by `errorName`. Default: OFPBRC_EPERM. */
  readonly errorName?: string;
  /** Only messages of the type for which this is true. */
  readonly when?: (message: OpenFlowMessage, version: OpenFlowVersion) => boolean;
  /** The first such message that the fault applies to, counted from 1. Default: 1. */
  readonly from?: number;
  /** Number of messages that it applies to. Default: all. */
  readonly times?: number;
}

/** The faults, with the number of messages that each has matched. */
export class FaultList {
  #faults: { readonly fault: Fault; seen: number }[] = [];

  add(fault: Fault): void {
    this.#faults.push({ fault, seen: 0 });
  }

  clear(): void {
    this.#faults = [];
  }

  /** Returns the fault that applies to this message, if any, and counts it. */
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

/** Thrown when a message is refused; becomes an OFPT_ERROR. */
export class Refusal extends Error {
  readonly errorName: string;

  constructor(errorName: string) {
    super(errorName);
    this.name = 'Refusal';
    this.errorName = errorName;
  }
}
