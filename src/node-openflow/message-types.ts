// The types of all messages: the body of each, and the reply to each request. messages.ts has their codecs.

import { type AsyncConfig } from './async-config.ts';
import { type BundleControl } from './bundle.ts';
import { type OpenFlowErrorReport } from './errors.ts';
import { type FlowModTableId, type SetControllerId, type SetPacketInFormat } from './extensions.ts';
import type { FlowMod } from './flow-mod.ts';
import type { FlowMonitorCancel, FlowMonitorEvent, FlowMonitorRequest } from './flow-monitor.ts';
import { type FlowRemoved, type SetFlowFormat } from './flow-removed.ts';
import type { FlowStats, FlowStatsRequest } from './flow-stats.ts';
import { type GroupDescription, type GroupMod } from './group.ts';
import { type GroupFeatures, type GroupStats } from './group-stats.ts';
import { type Hello } from './hello.ts';
import type { IpfixFlowStats } from './ipfix-stats.ts';
import { type MeterConfig, type MeterFeatures, type MeterMod, type MeterStats } from './meter.ts';
import type { PacketIn } from './packet-in.ts';
import type { PacketOut } from './packet-out.ts';
import { type Port, type PortStatus } from './port.ts';
import {
  type RoleRequest,
  type SwitchConfig,
  type SwitchDescription,
  type SwitchFeatures,
} from './switch-config.ts';
import { type TableStats } from './table-stats.ts';

/** The body of an echo, which the reply repeats. */
export interface Echo {
  readonly data: Buffer;
}

/** A reply whose parts, if there were several, have been joined. */
export interface EntryList<Entry> {
  readonly entries: readonly Entry[];
}

/** A message without a codec. */
export interface UnknownMessage {
  /** ofp_header.type */
  readonly messageType: number;
  /** A copy of the whole message, header included. */
  readonly bytes: Buffer;
}

/** OFPT_BUNDLE_ADD_MESSAGE. */
export interface BundleAddMessage {
  readonly bundleId: number;
  readonly flags: number;
  /** The message to apply at the commit; it is sent with the transaction id of the message around it. */
  readonly message: OpenFlowMessage;
}

/** OFPT_REQUESTFORWARD: another controller modified a group or a meter. */
export interface RequestForward {
  /** The request of that controller. */
  readonly request: OpenFlowMessage;
}

/** A message without a body. */
export type NoBody = object;

/** The body of each message. `REPLIES` pairs requests and replies. */
export interface MessageBodies {
  hello: Hello;
  error: OpenFlowErrorReport;
  echo_request: Echo;
  echo_reply: Echo;
  features_request: NoBody;
  features_reply: SwitchFeatures;
  get_config_request: NoBody;
  get_config_reply: SwitchConfig;
  set_config: SwitchConfig;
  port_status: PortStatus;
  flow_removed: FlowRemoved;
  barrier_request: NoBody;
  barrier_reply: NoBody;
  role_request: RoleRequest;
  role_reply: RoleRequest;
  get_async_request: NoBody;
  get_async_reply: AsyncConfig;
  set_async: AsyncConfig;
  /** NXT_SET_ASYNC_CONFIG2: enables forwarded requests in OpenFlow 1.0 and 1.3. */
  set_async_config2: AsyncConfig;
  flow_mod: FlowMod;
  packet_out: PacketOut;
  /** OFPT_PACKET_IN. NXT_PACKET_IN2 is decoded without allocation: see `PacketInView`. */
  packet_in: PacketIn;
  nx_packet_in: PacketIn;
  flow_stats_request: FlowStatsRequest;
  flow_stats_reply: EntryList<FlowStats>;
  flow_monitor_request: FlowMonitorRequest;
  /** The reply to `flow_monitor_request`, and each later change. */
  flow_monitor_update: EntryList<FlowMonitorEvent>;
  flow_monitor_cancel: FlowMonitorCancel;
  /** Before OpenFlow 1.4; later these are entries of `flow_monitor_update`. */
  flow_monitor_paused: NoBody;
  flow_monitor_resumed: NoBody;
  set_packet_in_format: SetPacketInFormat;
  set_controller_id: SetControllerId;
  set_flow_format: SetFlowFormat;
  flow_mod_table_id: FlowModTableId;
  group_mod: GroupMod;
  meter_mod: MeterMod;
  requestforward: RequestForward;
  bundle_control: BundleControl;
  bundle_add_message: BundleAddMessage;
  desc_request: NoBody;
  desc_reply: SwitchDescription;
  table_stats_request: NoBody;
  table_stats_reply: EntryList<TableStats>;
  /** Nicira's extension to all versions, which OVS supports since 2.6. */
  ipfix_flow_stats_request: NoBody;
  ipfix_flow_stats_reply: EntryList<IpfixFlowStats>;
  group_stats_request: { readonly groupId?: number };
  group_stats_reply: EntryList<GroupStats>;
  /** A single group needs OpenFlow 1.5, or OVS's extension to 1.0. */
  group_desc_request: { readonly groupId?: number };
  group_desc_reply: EntryList<GroupDescription>;
  group_features_request: NoBody;
  group_features_reply: GroupFeatures;
  meter_stats_request: { readonly meterId: number };
  meter_stats_reply: EntryList<MeterStats>;
  meter_config_request: { readonly meterId: number };
  meter_config_reply: EntryList<MeterConfig>;
  meter_features_request: NoBody;
  meter_features_reply: MeterFeatures;
  /** OFPMP_PORT_DESC; OVS supports it in OpenFlow 1.0 as well. A single port needs OpenFlow 1.5. */
  port_desc_request: { readonly portNumber?: number };
  port_desc_reply: EntryList<Port>;
  unknown: UnknownMessage;
}

export type OpenFlowMessageType = keyof MessageBodies;
/** A message of one type. */
export type MessageOf<Type extends OpenFlowMessageType> = { readonly type: Type } & MessageBodies[Type];
/** Any message. */
export type OpenFlowMessage = { [Type in OpenFlowMessageType]: MessageOf<Type> }[OpenFlowMessageType];
/** Types of messages that `request` accepts. */
export type RequestType = keyof typeof REPLIES;
/** The reply to a request. */
export type ReplyOf<Type extends RequestType> = MessageOf<(typeof REPLIES)[Type]>;

/** Called with a reply before any later message is handled. */
export type OnReply<Type extends RequestType> = (reply: ReplyOf<Type>) => void;

/** The type of the reply to each request. */
export const REPLIES = {
  echo_request: 'echo_reply',
  features_request: 'features_reply',
  get_config_request: 'get_config_reply',
  barrier_request: 'barrier_reply',
  role_request: 'role_reply',
  get_async_request: 'get_async_reply',
  bundle_control: 'bundle_control',
  flow_stats_request: 'flow_stats_reply',
  flow_monitor_request: 'flow_monitor_update',
  desc_request: 'desc_reply',
  table_stats_request: 'table_stats_reply',
  ipfix_flow_stats_request: 'ipfix_flow_stats_reply',
  group_stats_request: 'group_stats_reply',
  group_desc_request: 'group_desc_reply',
  group_features_request: 'group_features_reply',
  meter_stats_request: 'meter_stats_reply',
  meter_config_request: 'meter_config_reply',
  meter_features_request: 'meter_features_reply',
  port_desc_request: 'port_desc_reply',
} as const satisfies Partial<Record<OpenFlowMessageType, OpenFlowMessageType>>;
