// The daemon's whole state as one plain document: what `status --format json`, `ovs-appctl status json`, /status.json and
// the live page show. docs/status.md explains each field.

import type { ControlStatus } from '../control/control.ts';

/** Names the kind of document, so that a program can tell what it got. */
export const STATUS_SCHEMA = 'ovs-ipfix/status';
/** Raised when a field goes or changes its meaning; new fields do not raise it. */
export const STATUS_VERSION = 1;

/** The process that answers. */
export interface ProgramStatus {
  /** The program's version, such as `0.1.0`. */
  readonly version: string;
  readonly pid: number;
  /** When the daemon was started, ISO 8601 in UTC. */
  readonly startTime: string;
  readonly upSeconds: number;
  /** Seconds of processor time of the process, in user and system mode together. */
  readonly cpuSeconds: number;
  /** Seconds in which the event loop did not wait for input; all packets and records pass through it. */
  readonly eventLoopBusySeconds: number;
  /** Memory that is resident, and that of JavaScript objects, in bytes. */
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** Lines of the log that could not be written. */
  readonly logLinesLost: number;
}

/** Those who look at the live page, and what came of its limits since the start. */
export interface WebStatus {
  /** Browsers that look now. */
  readonly clients: number;
  /** Browsers that were refused because there were too many. */
  readonly refused: number;
  /** Updates that were made. */
  readonly updates: number;
  /** Updates that slow browsers have missed, and connections that were ended for it or for silence. */
  readonly skipped: number;
  readonly ended: number;
}

/** The document. */
export interface StatusDocument extends ControlStatus {
  readonly schema: typeof STATUS_SCHEMA;
  readonly version: typeof STATUS_VERSION;
  /** When the document was made, ISO 8601 in UTC. */
  readonly time: string;
  readonly program: ProgramStatus;
  /** Absent when there is no page. */
  readonly web?: WebStatus | undefined;
}

/** The document as JSON. */
export function statusJson(document: StatusDocument, indent = 2): string {
  return plainJson(document, indent);
}

/** A part of it as JSON: maps are objects, whole numbers beyond 2^53 are strings, and what is undefined is absent. */
export function plainJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, jsonValue, indent);
}

function jsonValue(_key: string, value: unknown): unknown {
  if (value instanceof Map) {
    return Object.fromEntries(value);
  }
  return typeof value === 'bigint' ? String(value) : value;
}
