// Formats messages as one line each, for transcripts: what a controller's logic depends on, in the syntax of ovs-ofctl.
// Transaction ids, counters and ages are omitted, so that transcripts can be compared.

import {
  FLOW_FLAGS,
  type FlowMod,
  type FlowMonitorEvent,
  type FlowMonitorRequest,
  formatInstructions,
  formatMatch,
  type MatchField,
  type MeterBand,
  type MeterConfig,
  type OpenFlowMessage,
  PORT_ANY,
  TABLE_ALL,
  versionName,
} from '../../../src/node-openflow/index.ts';
import { formatPlace } from './flow-table.ts';

/** Formats a message on one line: its type, then its content. */
export function formatMessage(message: OpenFlowMessage): string {
  const details = detailsOf(message);
  return details === '' ? message.type : `${message.type} ${details}`;
}

function detailsOf(message: OpenFlowMessage): string {
  switch (message.type) {
    case 'hello':
      return message.versions === null ? 'without versions' : message.versions.map(versionName).join(', ');
    case 'error':
      return message.name;
    case 'get_config_reply':
    case 'set_config':
      return `flags=${message.flags},miss_send_len=${message.missSendLength}`;
    case 'set_controller_id':
      return `id=${message.controllerId}`;
    case 'set_packet_in_format':
      return `format=${message.format}`;
    case 'role_request':
    case 'role_reply':
      return message.role;
    case 'flow_mod':
      return formatFlowMod(message);
    case 'bundle_control':
      return message.control;
    case 'bundle_add_message':
      return formatMessage(message.message);
    case 'flow_stats_request':
      return `${formatFilter(message.tableId, message.match)}${formatOutPort(message.outPort)}`;
    case 'flow_stats_reply':
      return `of ${message.entries.length}${list(message.entries.map(formatPlace))}`;
    case 'flow_monitor_request':
      return formatMonitor(message);
    case 'flow_monitor_update':
      return message.entries.length === 0 ? 'of nothing' : message.entries.map(formatEvent).join('; ');
    case 'flow_monitor_cancel':
      return `id=${message.monitorId}`;
    case 'requestforward':
      return formatMessage(message.request);
    case 'desc_reply':
      return `${message.hardware} ${message.software}`;
    case 'unknown':
      return `type ${message.messageType}, ${message.bytes.length} bytes`;
    default:
      return meterOrGroup(message);
  }
}

function formatOutPort(port: number): string {
  return port === PORT_ANY ? '' : ` out_port=${port}`;
}

function meterOrGroup(message: OpenFlowMessage): string {
  switch (message.type) {
    case 'meter_mod':
      return `${message.command} ${formatMeter(message)}`;
    case 'meter_config_request':
    case 'meter_stats_request':
      return `meter=${message.meterId}`;
    case 'meter_config_reply':
      return `of ${message.entries.length}${list(message.entries.map(formatMeter))}`;
    case 'meter_stats_reply':
    case 'group_desc_reply':
    case 'port_desc_reply':
      return `of ${message.entries.length}`;
    case 'meter_features_reply':
      return `max_meter=${message.meterCountMax}`;
    case 'group_mod':
      return `${message.command} group=${message.groupId},type=${message.groupType},buckets=${message.buckets.length}`;
    default:
      return '';
  }
}

function list(items: readonly string[]): string {
  return items.length === 0 ? '' : `: ${items.join('; ')}`;
}

function formatFlowMod(mod: FlowMod): string {
  const parts = [mod.command, formatPlace(mod)];
  if (mod.cookie !== 0n) {
    parts.push(`cookie=0x${mod.cookie.toString(16)}`);
  }
  if (mod.cookieMask !== 0n) {
    parts.push(`cookie_mask=0x${mod.cookieMask.toString(16)}`);
  }
  if (mod.idleTimeout !== 0) {
    parts.push(`idle_timeout=${mod.idleTimeout}`);
  }
  if (mod.hardTimeout !== 0) {
    parts.push(`hard_timeout=${mod.hardTimeout}`);
  }
  if ((mod.flags & FLOW_FLAGS.sendFlowRemoved) !== 0) {
    parts.push('send_flow_rem');
  }
  if (mod.outPort !== PORT_ANY) {
    parts.push(`out_port=${mod.outPort}`);
  }
  if (!mod.command.startsWith('delete')) {
    parts.push(`actions=${formatInstructions(mod.instructions)}`);
  }
  return parts.join(' ');
}

function formatFilter(tableId: number, match: readonly MatchField[]): string {
  const table = tableId === TABLE_ALL ? 'all tables' : `table=${tableId}`;
  return match.length === 0 ? table : `${table},${formatMatch(match)}`;
}

function formatMonitor({ monitorId, command, flags, tableId, match }: FlowMonitorRequest): string {
  const names = Object.entries(flags).flatMap(([name, isSet]) => (isSet ? [name] : []));
  return `${command} id=${monitorId} flags=${names.join(',')} ${formatFilter(tableId, match)}`;
}

function formatEvent(event: FlowMonitorEvent): string {
  switch (event.event) {
    case 'abbrev':
      return 'own change';
    case 'paused':
    case 'resumed':
      return event.event;
    default: {
      const actions =
        event.instructions.length === 0 ? '' : ` actions=${formatInstructions(event.instructions)}`;
      const reason = event.event === 'removed' ? ` reason=${event.reason}` : '';
      return `${event.event} ${formatPlace(event)}${reason}${actions}`;
    }
  }
}

/** Formats a meter: "meter=1 pktps burst stats drop:1000:100". */
export function formatMeter({ meterId, flags, bands }: MeterConfig): string {
  const names = ['kbps', 'pktps', 'burst', 'stats'].filter((_, bit) => ((flags >> bit) & 1) === 1);
  return [`meter=${meterId}`, ...names, ...bands.map(formatBand)].join(' ');
}

function formatBand(band: MeterBand): string {
  return `${band.type}:${band.rate}:${band.burstSize}`;
}
