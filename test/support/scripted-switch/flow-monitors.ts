// The flow monitors of one connection: which changes it is notified of, in full or abbreviated, and the updates after a pause.
// As in Open vSwitch's connmgr, changes are collected while a message is executed and sent before its reply.

import {
  type FlowMonitorRequest,
  type OpenFlowVersion,
  PORT_ANY,
  TABLE_ALL,
} from '../../../src/node-openflow/index.ts';
import { Refusal } from './behaviour.ts';
import { isWithin, plainMatch } from './flow-forms.ts';
import type { FlowChange, FlowTable, SwitchFlow } from './flow-table.ts';
import { abbreviatedEntry, multipart, pauseMessage, updateEntry } from './replies.ts';

/** A flow monitor; 1.0 and 1.3 refuse a request without one of the first three flags. */
type Monitor = FlowMonitorRequest;

export class FlowMonitors {
  readonly #table: FlowTable;
  readonly #version: OpenFlowVersion;
  readonly #monitors = new Map<number, Monitor>();
  #updates: Buffer[] = [];
  #hasAbbreviation = false;
  /** The serial of the current pause, or 0. */
  #pausedAt = 0;

  constructor(table: FlowTable, version: OpenFlowVersion) {
    this.#table = table;
    this.#version = version;
  }

  get count(): number {
    return this.#monitors.size;
  }

  /** Executes a request and returns the entries of the reply: the existing flows, if it requests them. */
  request(request: FlowMonitorRequest): Buffer[] {
    const { monitorId, command, flags } = request;
    const isKnown = this.#monitors.has(monitorId);
    if (request.outPort !== PORT_ANY) {
      throw new Error('The scripted switch has no monitors of one port.');
    }
    if (command === 'add' && isKnown) {
      throw new Refusal('OFPMOFC_MONITOR_EXISTS');
    }
    if (command !== 'add' && !isKnown) {
      throw new Refusal('OFPMOFC_UNKNOWN_MONITOR');
    }
    if (command === 'delete') {
      this.#monitors.delete(monitorId);
      return [];
    }
    if (!flags.add && !flags.delete && !flags.modify) {
      throw new Refusal('OFPMOFC_BAD_FLAGS');
    }
    const monitor = { ...request, match: plainMatch(request.match) };
    this.#monitors.set(monitorId, monitor);
    if (!flags.initial) {
      return [];
    }
    return this.#table.flows
      .filter((flow) => isWatched(flow, monitor))
      .map((flow) => updateEntry(this.#version, 'initial', 0, flow, flags.actions));
  }

  cancel(monitorId: number): void {
    if (!this.#monitors.delete(monitorId)) {
      throw new Refusal('OFPMOFC_UNKNOWN_MONITOR');
    }
  }

  /** Records a change for the next `flush`. `xid` is that of the connection's own message, if it made the change. */
  report(change: FlowChange, xid: number | undefined): void {
    const isPaused = this.#pausedAt !== 0;
    if (isPaused && (change.event !== 'removed' || change.flow.addedSerial > this.#pausedAt)) {
      return;
    }
    const kind = ({ added: 'add', modified: 'modify', removed: 'delete' } as const)[change.event];
    const watching = [...this.#monitors.values()].filter(
      (monitor) => monitor.flags[kind] && isWatched(change.flow, monitor),
    );
    if (watching.length === 0) {
      return;
    }
    if (xid === undefined || isPaused || watching.some(({ flags }) => flags.own)) {
      const hasInstructions = watching.some(({ flags }) => flags.actions);
      this.#updates.push(
        updateEntry(this.#version, change.event, change.reason, change.flow, hasInstructions),
      );
    } else if (!this.#hasAbbreviation) {
      this.#hasAbbreviation = true;
      this.#updates.push(abbreviatedEntry(this.#version, xid));
    }
  }

  /** Returns the messages about the recorded changes. */
  flush(): Buffer[] {
    const updates = this.#updates;
    this.#updates = [];
    this.#hasAbbreviation = false;
    return updates.length === 0 ? [] : multipart(this.#version, 'flow_monitor_update', 0, updates);
  }

  /** Pauses the monitors, as if the connection did not read. */
  pause(): Buffer[] {
    if (this.#pausedAt !== 0) {
      return [];
    }
    this.#pausedAt = this.#table.nextSerial();
    return [...this.flush(), pauseMessage(this.#version, 'paused')];
  }

  /** Returns the changes since the pause, own ones included, and the message that it is over. */
  resume(): Buffer[] {
    const since = this.#pausedAt;
    if (since === 0) {
      return [];
    }
    this.#pausedAt = 0;
    const entries = this.#table.flows.flatMap((flow) => {
      const watching = [...this.#monitors.values()].filter((monitor) => isWatched(flow, monitor));
      const isAdded = flow.addedSerial > since;
      const isTold =
        watching.some(({ flags }) => flags.add && isAdded) ||
        watching.some(({ flags }) => flags.modify && !isAdded && flow.modifiedSerial > since);
      const hasInstructions = watching.some(({ flags }) => flags.actions);
      return isTold
        ? [updateEntry(this.#version, isAdded ? 'initial' : 'modified', 0, flow, hasInstructions)]
        : [];
    });
    const updates = entries.length === 0 ? [] : multipart(this.#version, 'flow_monitor_update', 0, entries);
    return [...this.flush(), ...updates, pauseMessage(this.#version, 'resumed')];
  }
}

function isWatched(flow: SwitchFlow, monitor: Monitor): boolean {
  return (
    (monitor.tableId === TABLE_ALL || monitor.tableId === flow.tableId) && isWithin(flow.match, monitor.match)
  );
}
