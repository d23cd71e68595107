// The two flow monitors of a bridge: of the hook's slot, and of all flows with their instructions. Both run on the main
// connection if the switch has flow monitors in its version, and otherwise on the connection of monitor-connection.ts, in
// OpenFlow 1.0.

import {
  type FlowMonitorEvent,
  type FlowMonitorFlags,
  flowMonitorRequest,
  type MatchField,
  type MessageOf,
  type OpenFlowMessage,
  TABLE_ALL,
} from '../node-openflow/index.ts';
import { HOOK_TABLE } from './hook.ts';

/** A monitor's id on its connection, its table, and whether it shows instructions. */
export interface FlowMonitor {
  readonly monitorId: number;
  readonly tableId: number;
  readonly hasActions: boolean;
}

export const HOOK_MONITOR: FlowMonitor = { monitorId: 1, tableId: HOOK_TABLE, hasActions: false };
export const FLOWS_MONITOR: FlowMonitor = { monitorId: 2, tableId: TABLE_ALL, hasActions: true };

/** Changes by other connections in full; own changes are `abbrev` events. */
const CHANGES: FlowMonitorFlags = {
  initial: false,
  add: true,
  delete: true,
  modify: true,
  actions: false,
  own: false,
};

/** Returns the request for a monitor. `initial`: the existing flows are reported first. */
export function monitorRequest(
  monitor: FlowMonitor,
  { initial = false, match = [] }: { readonly initial?: boolean; readonly match?: readonly MatchField[] },
): MessageOf<'flow_monitor_request'> {
  return {
    type: 'flow_monitor_request',
    ...flowMonitorRequest({
      monitorId: monitor.monitorId,
      tableId: monitor.tableId,
      match,
      flags: { ...CHANGES, initial, actions: monitor.hasActions },
    }),
  };
}

/**
 * Returns the events of a flow monitor's message; undefined for other messages. OpenFlow 1.0 and 1.3 have separate messages for
 * a pause and its end; since 1.4 these are events.
 */
export function flowEventsOf(message: OpenFlowMessage): readonly FlowMonitorEvent[] | undefined {
  switch (message.type) {
    case 'flow_monitor_update':
      return message.entries;
    case 'flow_monitor_paused':
      return [{ event: 'paused' }];
    case 'flow_monitor_resumed':
      return [{ event: 'resumed' }];
    default:
      return undefined;
  }
}
