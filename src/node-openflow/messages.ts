// The table of messages: the numbers of each message in the versions of OpenFlow, and the codec of its body. Used by
// message-codec.ts.
import { decodeAsync, decodeAsyncProperties, encodeAsync, encodeAsyncProperties } from './async-config.ts';
import { decodeBundleControl, encodeBundleControl } from './bundle.ts';
import { decodeError, encodeError } from './errors.ts';
import {
  decodeControllerId,
  decodeFlowModTableId,
  decodePacketInFormat,
  encodeControllerId,
  encodeFlowModTableId,
  encodePacketInFormat,
} from './extensions.ts';
import { decodeFlowMod, encodeFlowMod } from './flow-mod.ts';
import {
  decodeFlowMonitorCancel,
  decodeFlowMonitorRequest,
  decodeFlowUpdate,
  encodeFlowMonitorCancel,
  encodeFlowMonitorRequest,
} from './flow-monitor.ts';
import { decodeFlowFormat, decodeFlowRemoved, encodeFlowFormat } from './flow-removed.ts';
import { decodeFlowStats, decodeFlowStatsRequest, encodeFlowStatsRequest } from './flow-stats.ts';
import { decodeGroupDesc, decodeGroupMod, encodeGroupDescRequest, encodeGroupMod } from './group.ts';
import { decodeGroupFeatures, decodeGroupStats, encodeGroupStatsRequest } from './group-stats.ts';
import { type Place, VENDOR } from './header.ts';
import { decodeHello, encodeHello } from './hello.ts';
import { decodeIpfixFlowStats } from './ipfix-stats.ts';
import type {
  Echo,
  EntryList,
  MessageBodies,
  OpenFlowMessage,
  OpenFlowMessageType,
} from './message-types.ts';
import {
  decodeMeterConfig,
  decodeMeterFeatures,
  decodeMeterMod,
  decodeMeterStats,
  encodeMeterMod,
  encodeMeterRequest,
} from './meter.ts';
import { decodeNxPacketIn, decodePacketIn } from './packet-in.ts';
import { decodePacketOut, encodePacketOut } from './packet-out.ts';
import { decodePort, decodePortStatus, encodePortDescRequest } from './port.ts';
import {
  decodeConfig,
  decodeDescription,
  decodeFeatures,
  decodeRole,
  encodeConfig,
  encodeRole,
} from './switch-config.ts';
import { decodeTableStats } from './table-stats.ts';
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

/** Encodes the message nested in another one, with the transaction id of the outer one. */
export type EncodeInner = (message: OpenFlowMessage) => void;
/** Decodes the message nested in another one. */
export type DecodeInner = (reader: WireReader) => OpenFlowMessage;

/** A row of the table. */
export interface Codec<Body> {
  readonly places: readonly Place[];
  /** Null for messages that only a switch sends. */
  readonly encode:
    | ((version: OpenFlowVersion, body: Body, writer: WireWriter, encodeInner: EncodeInner) => void)
    | null;
  /** Null for messages that only a controller sends. */
  readonly decode: ((version: OpenFlowVersion, reader: WireReader, decodeInner: DecodeInner) => Body) | null;
}

const place =
  (vendor: number, layout: Place['layout']) =>
  (number: number, versionMin: OpenFlowVersion = 1, versionMax: OpenFlowVersion = 6): Place => ({
    versionMin,
    versionMax,
    vendor,
    layout,
    number,
  });
// The number spaces, by Open vSwitch's prefixes.
const ofpt = place(0, 'plain');
const nxt = place(VENDOR.nicira, 'plain');
const onft = place(VENDOR.onf, 'plain');
const ofpstRequest = place(0, 'multipart_request');
const ofpstReply = place(0, 'multipart_reply');

const nxstRequest = place(VENDOR.nicira, 'multipart_request');
const nxstReply = place(VENDOR.nicira, 'multipart_reply');
const onfstRequest = place(VENDOR.onf, 'multipart_request');
const onfstReply = place(VENDOR.onf, 'multipart_reply');

const encodeNothing = () => {};
const decodeNothing = () => ({});
const encodeEcho = (_version: OpenFlowVersion, echo: Echo, writer: WireWriter) => {
  writer.put(echo.data);
};
const decodeEcho = (_version: OpenFlowVersion, reader: WireReader): Echo => ({
  data: reader.copy(reader.remaining, 'echo.data'),
});

/** Returns the decoder of a body that is a list of entries up to the end of the message. */
function entriesOf<Entry>(decodeEntry: (version: OpenFlowVersion, reader: WireReader) => Entry) {
  return (version: OpenFlowVersion, reader: WireReader): EntryList<Entry> => {
    const entries: Entry[] = [];
    while (reader.remaining > 0) {
      entries.push(decodeEntry(version, reader));
    }
    return { entries };
  };
}

/** The table. */
export const MESSAGES: {
  readonly [Type in Exclude<OpenFlowMessageType, 'unknown'>]: Codec<MessageBodies[Type]>;
} = {
  hello: { places: [ofpt(0)], encode: encodeHello, decode: decodeHello },
  error: { places: [ofpt(1)], encode: encodeError, decode: decodeError },
  echo_request: { places: [ofpt(2)], encode: encodeEcho, decode: decodeEcho },
  echo_reply: { places: [ofpt(3)], encode: encodeEcho, decode: decodeEcho },
  features_request: { places: [ofpt(5)], encode: encodeNothing, decode: decodeNothing },
  features_reply: { places: [ofpt(6)], encode: null, decode: decodeFeatures },
  get_config_request: { places: [ofpt(7)], encode: encodeNothing, decode: decodeNothing },
  get_config_reply: { places: [ofpt(8)], encode: encodeConfig, decode: decodeConfig },
  set_config: { places: [ofpt(9)], encode: encodeConfig, decode: decodeConfig },
  port_status: { places: [ofpt(12)], encode: null, decode: decodePortStatus },
  flow_removed: { places: [nxt(14, 1, 1), ofpt(11, 4)], encode: null, decode: decodeFlowRemoved },
  barrier_request: { places: [ofpt(18, 1, 1), ofpt(20, 4)], encode: encodeNothing, decode: decodeNothing },
  barrier_reply: { places: [ofpt(19, 1, 1), ofpt(21, 4)], encode: encodeNothing, decode: decodeNothing },
  role_request: { places: [nxt(10, 1, 1), ofpt(24, 4)], encode: encodeRole, decode: decodeRole },
  role_reply: { places: [nxt(11, 1, 1), ofpt(25, 4)], encode: encodeRole, decode: decodeRole },
  get_async_request: { places: [ofpt(26, 4)], encode: encodeNothing, decode: decodeNothing },
  get_async_reply: { places: [ofpt(27, 4)], encode: encodeAsync, decode: decodeAsync },
  set_async: { places: [nxt(19, 1, 1), ofpt(28, 4)], encode: encodeAsync, decode: decodeAsync },
  set_async_config2: {
    places: [nxt(27, 1, 4)],
    encode: encodeAsyncProperties,
    decode: decodeAsyncProperties,
  },
  flow_mod: { places: [nxt(13, 1, 1), ofpt(14, 4)], encode: encodeFlowMod, decode: decodeFlowMod },
  packet_out: { places: [ofpt(13)], encode: encodePacketOut, decode: decodePacketOut },
  packet_in: { places: [ofpt(10)], encode: null, decode: decodePacketIn },
  nx_packet_in: { places: [nxt(17)], encode: null, decode: decodeNxPacketIn },
  flow_stats_request: {
    places: [nxstRequest(0, 1, 1), ofpstRequest(1, 4)],
    encode: encodeFlowStatsRequest,
    decode: decodeFlowStatsRequest,
  },
  flow_stats_reply: {
    places: [nxstReply(0, 1, 1), ofpstReply(1, 4)],
    encode: null,
    decode: entriesOf(decodeFlowStats),
  },
  flow_monitor_request: {
    places: [nxstRequest(2, 1, 1), onfstRequest(1870, 4, 4), ofpstRequest(16, 5)],
    encode: encodeFlowMonitorRequest,
    decode: decodeFlowMonitorRequest,
  },
  flow_monitor_update: {
    places: [nxstReply(2, 1, 1), onfstReply(1870, 4, 4), ofpstReply(16, 5)],
    encode: null,
    decode: entriesOf(decodeFlowUpdate),
  },
  flow_monitor_cancel: {
    places: [nxt(21, 1, 1), onft(1870, 4, 4)],
    encode: encodeFlowMonitorCancel,
    decode: decodeFlowMonitorCancel,
  },
  flow_monitor_paused: { places: [nxt(22, 1, 1), onft(1871, 4, 4)], encode: null, decode: decodeNothing },
  flow_monitor_resumed: { places: [nxt(23, 1, 1), onft(1872, 4, 4)], encode: null, decode: decodeNothing },
  set_packet_in_format: { places: [nxt(16)], encode: encodePacketInFormat, decode: decodePacketInFormat },
  set_controller_id: { places: [nxt(20)], encode: encodeControllerId, decode: decodeControllerId },
  set_flow_format: { places: [nxt(12, 1, 1)], encode: encodeFlowFormat, decode: decodeFlowFormat },
  flow_mod_table_id: { places: [nxt(15)], encode: encodeFlowModTableId, decode: decodeFlowModTableId },
  group_mod: { places: [nxt(31, 1, 1), ofpt(15, 4)], encode: encodeGroupMod, decode: decodeGroupMod },
  meter_mod: { places: [ofpt(29, 4)], encode: encodeMeterMod, decode: decodeMeterMod },
  requestforward: {
    places: [nxt(132, 1, 1), onft(2350, 4, 4), ofpt(32, 5)],
    encode: null,
    decode: (_version, reader, decodeInner) => ({ request: decodeInner(reader) }),
  },
  bundle_control: {
    places: [onft(2300, 4, 4), ofpt(33, 5)],
    encode: encodeBundleControl,
    decode: decodeBundleControl,
  },
  bundle_add_message: {
    places: [onft(2301, 4, 4), ofpt(34, 5)],
    encode: (_version, { bundleId, flags, message }, writer, encodeInner) => {
      writer.u32(bundleId).u16(0).u16(flags);
      encodeInner(message);
    },
    decode: (_version, reader, decodeInner) => {
      const bundleId = reader.u32('bundle_add.bundle_id');
      reader.u16('bundle_add.pad');
      const flags = reader.u16('bundle_add.flags');
      return { bundleId, flags, message: decodeInner(reader) };
    },
  },
  desc_request: { places: [ofpstRequest(0)], encode: encodeNothing, decode: decodeNothing },
  desc_reply: { places: [ofpstReply(0)], encode: null, decode: decodeDescription },
  table_stats_request: { places: [ofpstRequest(3)], encode: encodeNothing, decode: decodeNothing },
  table_stats_reply: { places: [ofpstReply(3)], encode: null, decode: entriesOf(decodeTableStats) },
  ipfix_flow_stats_request: { places: [nxstRequest(4)], encode: encodeNothing, decode: decodeNothing },
  ipfix_flow_stats_reply: { places: [nxstReply(4)], encode: null, decode: entriesOf(decodeIpfixFlowStats) },
  group_stats_request: {
    places: [nxstRequest(7, 1, 1), ofpstRequest(6, 4)],
    encode: encodeGroupStatsRequest,
    decode: null,
  },
  group_stats_reply: {
    places: [nxstReply(7, 1, 1), ofpstReply(6, 4)],
    encode: null,
    decode: entriesOf(decodeGroupStats),
  },
  group_desc_request: {
    places: [nxstRequest(8, 1, 1), ofpstRequest(7, 4)],
    encode: encodeGroupDescRequest,
    decode: null,
  },
  group_desc_reply: {
    places: [nxstReply(8, 1, 1), ofpstReply(7, 4)],
    encode: null,
    decode: entriesOf(decodeGroupDesc),
  },
  group_features_request: {
    places: [nxstRequest(9, 1, 1), ofpstRequest(8, 4)],
    encode: encodeNothing,
    decode: decodeNothing,
  },
  group_features_reply: {
    places: [nxstReply(9, 1, 1), ofpstReply(8, 4)],
    encode: null,
    decode: decodeGroupFeatures,
  },
  meter_stats_request: { places: [ofpstRequest(9, 4)], encode: encodeMeterRequest, decode: null },
  meter_stats_reply: { places: [ofpstReply(9, 4)], encode: null, decode: entriesOf(decodeMeterStats) },
  meter_config_request: { places: [ofpstRequest(10, 4)], encode: encodeMeterRequest, decode: null },
  meter_config_reply: { places: [ofpstReply(10, 4)], encode: null, decode: entriesOf(decodeMeterConfig) },
  meter_features_request: { places: [ofpstRequest(11, 4)], encode: encodeNothing, decode: decodeNothing },
  meter_features_reply: { places: [ofpstReply(11, 4)], encode: null, decode: decodeMeterFeatures },
  port_desc_request: { places: [ofpstRequest(13)], encode: encodePortDescRequest, decode: null },
  port_desc_reply: { places: [ofpstReply(13)], encode: null, decode: entriesOf(decodePort) },
};
