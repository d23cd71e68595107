// The handlers of messages to a scripted switch. A handler returns the messages of the reply, and throws `Refusal` for an
// error.

import {
  encodeMessage,
  GROUP_ALL,
  METER_ALL,
  type OpenFlowMessage,
  type OpenFlowVersion,
} from '../../../src/node-openflow/index.ts';
import { Refusal } from './behaviour.ts';
import { usesMeter } from './flow-table.ts';
import {
  description,
  errorReply,
  flowEntry,
  groupEntry,
  messageOf,
  meterConfigEntry,
  meterFeatures,
  meterStatsEntry,
  misreadMonitorReply,
  multipart,
  portEntry,
  type SwitchMeter,
} from './replies.ts';
import type { SwitchConnection } from './switch-connection.ts';
import type { SwitchState } from './switch-state.ts';

const DATAPATH_ID = 0x0000_0200_0000_0001n;
const TABLE_COUNT = 254;
const PORT_ANY = 0xffff_ffff;
/** OFPC_* of Open vSwitch 3.1. */
const CAPABILITIES = { 1: 0xc7, 4: 0x4f, 5: 0x24f, 6: 0x24f } as const;

/** A received message. */
export interface Request {
  readonly message: OpenFlowMessage;
  readonly xid: number;
  readonly bytes: Buffer;
}

/** Executes a message of a connection and returns the reply; throws `Refusal`. */
export function executeRequest(
  state: SwitchState,
  connection: SwitchConnection,
  version: OpenFlowVersion,
  request: Request,
): Buffer[] {
  const { message, xid } = request;
  switch (message.type) {
    case 'hello':
    case 'error':
    case 'echo_reply':
    case 'packet_out':
      return [];
    case 'echo_request':
      return [encodeMessage(version, { type: 'echo_reply', data: message.data }, xid)];
    case 'barrier_request':
      return [encodeMessage(version, { type: 'barrier_reply' }, xid)];
    case 'features_request':
      return [features(state, version, xid)];
    case 'desc_request':
      return [messageOf(version, 'desc_reply', xid, (writer) => description(writer, release(state)))];
    case 'port_desc_request':
      return portDescription(state, version, xid, message.portNumber);
    case 'flow_mod':
      refuseSecondary(connection, version);
      if (version === 1 && !connection.settings.namesTables && message.tableId !== 0) {
        throw new Refusal('OFPFMFC_BAD_COMMAND');
      }
      state.applyFlowMod(message);
      return [];
    case 'flow_stats_request': {
      const nowMicros = state.clock.monotonicMicros();
      const flows = state.selectFlows(message);
      const entries = flows.map((flow) => flowEntry(version, flow, nowMicros - flow.createdMicros));
      return multipart(version, 'flow_stats_reply', xid, entries);
    }
    case 'flow_monitor_request':
    case 'flow_monitor_cancel':
      return flowMonitor(state, connection, version, { ...request, message });
    default:
      return executeSetting(state, connection, version, request);
  }
}

function executeSetting(
  state: SwitchState,
  connection: SwitchConnection,
  version: OpenFlowVersion,
  { message, xid }: Request,
): Buffer[] {
  const { settings } = connection;
  switch (message.type) {
    case 'get_config_request': {
      const { missSendLength } = settings;
      return [
        encodeMessage(version, { type: 'get_config_reply', flags: state.configFlags, missSendLength }, xid),
      ];
    }
    case 'set_config':
      settings.missSendLength = message.missSendLength;
      state.configFlags = message.flags;
      return [];
    case 'set_controller_id':
      settings.controllerId = message.controllerId;
      return [];
    case 'set_packet_in_format':
      settings.packetInFormat = message.format;
      return [];
    case 'flow_mod_table_id':
      settings.namesTables = message.enabled;
      return [];
    case 'set_flow_format':
      return [];
    case 'set_async':
      // The fixed layout of 1.0 and 1.3 has no masks of forwarded requests.
      settings.asyncConfig = { ...settings.asyncConfig, ...withoutType(message) };
      return [];
    case 'set_async_config2':
      settings.asyncConfig = { ...settings.asyncConfig, ...withoutType(message) };
      return [];
    case 'get_async_request':
      return [encodeMessage(version, { type: 'get_async_reply', ...settings.asyncConfig }, xid)];
    case 'role_request':
      if (message.role !== 'nochange') {
        settings.role = message.role;
      }
      return [encodeMessage(version, { ...message, type: 'role_reply', role: settings.role }, xid)];
    default:
      return executeMeterOrGroup(state, connection, version, { message, xid });
  }
}

function executeMeterOrGroup(
  state: SwitchState,
  connection: SwitchConnection,
  version: OpenFlowVersion,
  { message, xid }: Omit<Request, 'bytes'>,
): Buffer[] {
  if (message.type.startsWith('meter_')) {
    return executeMeter(state, connection, version, { message, xid });
  }
  switch (message.type) {
    case 'bundle_control':
    case 'bundle_add_message':
      return bundle(state, connection, version, { message, xid });
    case 'group_mod':
      refuseSecondary(connection, version);
      state.applyGroupMod(message, connection);
      return [];
    case 'group_desc_request': {
      const { groupId = GROUP_ALL } = message;
      const groups = [...state.groups.values()].filter(
        (group) => groupId === GROUP_ALL || group.groupId === groupId,
      );
      return multipart(
        version,
        'group_desc_reply',
        xid,
        groups.map((group) => groupEntry(version, group)),
      );
    }
    default:
      throw new Refusal(message.type.endsWith('_request') ? 'OFPBRC_BAD_STAT' : 'OFPBRC_BAD_TYPE');
  }
}

/** Bundles of flow mods. An id that is open already is refused, and its bundle dropped, as in Open vSwitch. */
function bundle(
  state: SwitchState,
  { bundles }: SwitchConnection,
  version: OpenFlowVersion,
  { message, xid }: Omit<Request, 'bytes'>,
): Buffer[] {
  if (message.type === 'bundle_add_message') {
    if (message.message.type !== 'flow_mod') {
      throw new Error(`The scripted switch takes no ${message.message.type} in a bundle.`);
    }
    const mods = bundles.get(message.bundleId) ?? [];
    bundles.set(message.bundleId, [...mods, message.message]);
    return [];
  }
  if (message.type !== 'bundle_control') {
    throw new Refusal('OFPBRC_BAD_TYPE');
  }
  const mods = bundles.get(message.bundleId);
  bundles.delete(message.bundleId);
  const isOpening = message.control === 'open_request';
  if (isOpening === (mods !== undefined)) {
    throw new Refusal('OFPBFC_BAD_ID');
  }
  if (isOpening) {
    bundles.set(message.bundleId, []);
  }
  for (const mod of message.control === 'commit_request' ? (mods ?? []) : []) {
    state.applyFlowMod(mod);
  }
  const control = ({ open_request: 'open_reply', commit_request: 'commit_reply' } as const)[
    message.control as 'open_request' | 'commit_request'
  ];
  return [encodeMessage(version, { ...message, control: control ?? 'discard_reply' }, xid)];
}

function executeMeter(
  state: SwitchState,
  connection: SwitchConnection,
  version: OpenFlowVersion,
  { message, xid }: Omit<Request, 'bytes'>,
): Buffer[] {
  if (state.behaviour.meters === 'refused') {
    throw new Refusal(message.type === 'meter_mod' ? 'OFPBRC_BAD_TYPE' : 'OFPBRC_BAD_STAT');
  }
  const nowMicros = state.clock.monotonicMicros();
  switch (message.type) {
    case 'meter_mod':
      refuseSecondary(connection, version);
      state.applyMeterMod(message, connection);
      return [];
    case 'meter_features_request': {
      const countMax = state.behaviour.meters === 'present' ? state.behaviour.meterCountMax : 0;
      return [messageOf(version, 'meter_features_reply', xid, (writer) => meterFeatures(writer, countMax))];
    }
    case 'meter_config_request': {
      const entries = selectMeters(state, message.meterId).map((meter) => meterConfigEntry(meter));
      return multipart(version, 'meter_config_reply', xid, entries);
    }
    case 'meter_stats_request': {
      const entries = selectMeters(state, message.meterId).map((meter) => {
        const flowCount = state.flowTable.flows.filter((flow) => usesMeter(flow, meter.meterId)).length;
        return meterStatsEntry(meter, flowCount, nowMicros - meter.createdMicros);
      });
      return multipart(version, 'meter_stats_reply', xid, entries);
    }
    default:
      throw new Refusal('OFPBRC_BAD_TYPE');
  }
}

function selectMeters(state: SwitchState, meterId: number): readonly SwitchMeter[] {
  if (meterId === METER_ALL) {
    return [...state.meters.values()];
  }
  const meter = state.meters.get(meterId);
  if (meter === undefined) {
    throw new Refusal('OFPMMFC_UNKNOWN_METER');
  }
  return [meter];
}

function flowMonitor(
  state: SwitchState,
  connection: SwitchConnection,
  version: OpenFlowVersion,
  { message, xid, bytes }: Request,
): Buffer[] {
  const { monitors } = connection;
  if (monitors === undefined) {
    throw new Error('A flow monitor was requested before the hello.');
  }
  if (state.behaviour.monitors === 'refused') {
    throw new Refusal('OFPBRC_BAD_STAT');
  }
  if (state.behaviour.monitors === 'OpenFlow 1.0 only' && version !== 1) {
    if (version === 4) {
      throw new Refusal('OFPBRC_BAD_SUBTYPE');
    }
    return [misreadMonitorReply(bytes)];
  }
  if (message.type === 'flow_monitor_cancel') {
    monitors.cancel(message.monitorId);
    return [];
  }
  if (message.type !== 'flow_monitor_request') {
    return [];
  }
  try {
    return multipart(version, 'flow_monitor_update', xid, monitors.request(message));
  } catch (error) {
    if (!(error instanceof Refusal)) {
      throw error;
    }
    // Open vSwitch (3.1, 4.0) reads the bytes after the request as its header: the error has another transaction id.
    return [errorReply(1, error.errorName, 0, Buffer.alloc(0))];
  }
}

function refuseSecondary(connection: SwitchConnection, version: OpenFlowVersion): void {
  if (connection.settings.role === 'secondary') {
    throw new Refusal(version === 1 ? 'OFPBRC_EPERM' : 'OFPBRC_IS_SECONDARY');
  }
}

function withoutType<Message extends { readonly type: string }>(message: Message): Omit<Message, 'type'> {
  const { type: _type, ...rest } = message;
  return rest;
}

/** Returns the software of the description. */
function release({ behaviour }: SwitchState): string {
  return behaviour.software ?? (behaviour.monitors === 'all versions' ? '3.1.0' : '2.17.0');
}

function features(state: SwitchState, version: OpenFlowVersion, xid: number): Buffer {
  return messageOf(version, 'features_reply', xid, (writer) => {
    writer.u64(DATAPATH_ID).u32(0).u8(TABLE_COUNT).u8(0).zeros(2).u32(CAPABILITIES[version]).u32(0);
    if (version !== 1) {
      return;
    }
    for (const port of state.ports) {
      writer.put(portEntry(version, port));
    }
  });
}

function portDescription(
  state: SwitchState,
  version: OpenFlowVersion,
  xid: number,
  portNumber = PORT_ANY,
): Buffer[] {
  const ports = state.ports.filter((port) => portNumber === PORT_ANY || port.portNumber === portNumber);
  return multipart(
    version,
    'port_desc_reply',
    xid,
    ports.map((port) => portEntry(version, port)),
  );
}
