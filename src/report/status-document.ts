// The status document: the daemon's whole state as plain data, shown by `status --format json`, `ovs-appctl status json`,
// /status.json and the live page. docs/status.md explains each field.

import type { ControlStatus } from '../control/control-parts.ts';
import type { SendBudgetStatus } from '../export/send-budget.ts';
import { safeText } from '../runtime/safe-text.ts';
import type { SystemFaultsStatus } from '../runtime/system-faults.ts';
import type { RecentLossesStatus } from './recent-losses.ts';
import type { HistoryStatus } from './traffic/history.ts';

/** Identifies the kind of document. */
export const STATUS_SCHEMA = 'ovs-ipfix/status';
/** Incremented when a field is removed or changes its meaning; new fields do not change it. */
export const STATUS_VERSION = 1;

/** The daemon's process. */
export interface ProgramStatus {
  /** The program's version, such as `0.2.0`. */
  readonly version: string;
  readonly pid: number;
  /** When the daemon was started, ISO 8601 in UTC. */
  readonly startTime: string;
  readonly upSeconds: number;
  /** Seconds of processor time of the process, in user and system mode together. */
  readonly cpuSeconds: number;
  /** Seconds in which the event loop, which processes all packets and records, did not wait for input. */
  readonly eventLoopBusySeconds: number;
  /** Resident memory, and memory of JavaScript objects, in bytes. */
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** Lines of the log that could not be written. */
  readonly logLinesLost: number;
  /** Errors of the operating system that are reported nowhere else. */
  readonly systemErrors: SystemFaultsStatus;
}

/** Browsers of the live page, and how often its limits were reached since the start. */
export interface WebStatus {
  /** Browsers that are connected. */
  readonly clients: number;
  /** Browsers that were refused because there were too many. */
  readonly refused: number;
  /** Updates since the start. */
  readonly updates: number;
  /** Updates that slow browsers missed, and connections that were closed for that or for silence. */
  readonly skipped: number;
  readonly ended: number;
  /** Connections that are open, those of browsers included. */
  readonly connections: number;
  /** Connections that gave way to a new one at the limit. */
  readonly evicted: number;
}

/** Upcalls of a datapath. */
export interface DatapathUpcalls {
  /** As ovs-vswitchd names it: `system@ovs-system`. */
  readonly datapath: string;
  /** Packets that it could not hand to ovs-vswitchd: flow misses and samples, so an upper bound of the samples lost there. */
  readonly lost: number;
}

/** The document. */
export interface StatusDocument extends ControlStatus {
  readonly schema: typeof STATUS_SCHEMA;
  readonly version: typeof STATUS_VERSION;
  /** When the document was made, ISO 8601 in UTC. */
  readonly time: string;
  readonly program: ProgramStatus;
  readonly sending: SendBudgetStatus;
  readonly recentLosses: RecentLossesStatus;
  /** The history of the last hour, with the requests for its traffic that were refused. */
  readonly history: HistoryStatus & { readonly viewsRefused: number };
  /** Since a bridge is sampled by its datapath. */
  readonly upcalls: readonly DatapathUpcalls[];
  /** Absent when there is no page. */
  readonly web?: WebStatus | undefined;
}

/** Returns the document as JSON. */
export function statusJson(document: StatusDocument, indent = 2): string {
  return plainJson(document, indent);
}

/** Returns a part of it as JSON: maps are objects, bigints are strings, texts are safe to show, undefined fields are absent. */
export function plainJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, jsonValue, indent);
}

function jsonValue(_key: string, value: unknown): unknown {
  if (value instanceof Map) {
    return Object.fromEntries(value);
  }
  if (typeof value === 'string') {
    // JSON escapes only some of the characters that a terminal interprets.
    return safeText(value);
  }
  return typeof value === 'bigint' ? String(value) : value;
}
