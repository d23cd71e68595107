// The public interface of the OpenFlow library. README.md has an example.

export {
  type Action,
  type Controller2Action,
  decodeActions,
  eachAction,
  encodeActions,
  type FieldBits,
  isSameActions,
  loadBits,
  type SampleAction,
} from './actions.ts';
export { formatActions, formatInstructions } from './actions-text.ts';
export {
  type AsyncConfig,
  type AsyncMasks,
  PORT_STATUS_REASONS,
  REQUEST_FORWARD_REASONS,
} from './async-config.ts';
export { BUNDLE_FLAGS, type BundleControl, type BundleControlKind } from './bundle.ts';
export { OpenFlowConnection } from './connection.ts';
export {
  type ByteSource,
  OPENFLOW_CONNECTION_DEFAULTS,
  type OpenFlowConnectionOptions,
  type OpenFlowConnectionState,
  type OpenFlowConnectionStatus,
  type OpenFlowEnd,
  type OpenFlowEndReason,
} from './connection-options.ts';
export { errorName } from './error-names.ts';
export {
  OpenFlowConnectionError,
  type OpenFlowConnectionErrorCode,
  OpenFlowEncodeError,
  type OpenFlowErrorReport,
  OpenFlowRequestError,
} from './errors.ts';
export { PACKET_IN_FORMATS } from './extensions.ts';
export {
  FLOW_FLAGS,
  type FlowMod,
  type FlowModCommand,
  flowMod,
  GROUP_ANY,
  NO_BUFFER,
  PORT_ANY,
  TABLE_ALL,
} from './flow-mod.ts';
export {
  type FlowMonitorEvent,
  type FlowMonitorFlags,
  type FlowMonitorRequest,
  type FlowUpdate,
  flowMonitorRequest,
} from './flow-monitor.ts';
export { FLOW_FORMATS, type FlowRemoved, type FlowRemovedReason } from './flow-removed.ts';
export { type FlowStats, type FlowStatsRequest, flowStatsRequest } from './flow-stats.ts';
export {
  BUCKET_ID,
  GROUP_ALL,
  type GroupBucket,
  type GroupCommand,
  type GroupDescription,
  type GroupMod,
  type GroupType,
} from './group.ts';
export type { GroupFeatures, GroupStats } from './group-stats.ts';
export { appliedActions, type Instruction } from './instructions.ts';
export type { IpfixFlowStats } from './ipfix-stats.ts';
export {
  type FieldReference,
  type FieldTarget,
  type FieldValue,
  fieldValue,
  findField,
  inPort,
  isSameMatch,
  type MatchField,
  matchField,
  matchKey,
} from './match.ts';
export { formatMatch } from './match-text.ts';
export { decodeMessage, encodeMessage, type ReceivedMessage } from './message-codec.ts';
export {
  type MessageOf,
  type OpenFlowMessage,
  type OpenFlowMessageType,
  type ReplyOf,
  type RequestType,
} from './message-types.ts';
export {
  METER_ALL,
  METER_FLAGS,
  METER_MAX,
  type MeterBand,
  type MeterConfig,
  type MeterFeatures,
  type MeterMod,
  type MeterStats,
} from './meter.ts';
export { decodeMetadata, PACKET_IN_REASON_CODES, type PacketIn, PacketInView } from './packet-in.ts';
export { isFieldInPacketIn, PacketInFields } from './packet-in-fields.ts';
export type { PacketOut } from './packet-out.ts';
export { PORT_CONFIG_DOWN, PORT_STATE_LINK_DOWN, type Port, type PortStatus } from './port.ts';
export type {
  ControllerRole,
  RoleRequest,
  SwitchConfig,
  SwitchDescription,
  SwitchFeatures,
} from './switch-config.ts';
export type { TableStats } from './table-stats.ts';
export { isOpenFlowVersion, OPENFLOW_VERSIONS, type OpenFlowVersion, versionName } from './version.ts';
export { OpenFlowDecodeError } from './wire.ts';
