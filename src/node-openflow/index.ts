// The front door of the library. What is not listed here is its own business.
export {
  type AsyncConfig,
  type AsyncMasks,
  PACKET_IN_REASONS,
  PORT_STATUS_REASONS,
  REQUEST_FORWARD_REASONS,
} from './async-config.ts';
export { BUNDLE_FLAGS, type BundleControl, type BundleControlKind } from './bundle.ts';
export {
  OPENFLOW_CONNECTION_DEFAULTS,
  OpenFlowConnection,
  type OpenFlowConnectionOptions,
  type OpenFlowConnectionState,
  type OpenFlowConnectionStatus,
  type OpenFlowEnd,
  type OpenFlowEndReason,
} from './connection.ts';
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
  decodeMessage,
  encodeMessage,
  type MessageOf,
  type OpenFlowMessage,
  type OpenFlowMessageType,
  type ReceivedMessage,
  type ReplyOf,
  type RequestType,
} from './messages.ts';
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
