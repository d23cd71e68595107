// The table of messages: for each name, where it stands in the number space of each version and how its body is encoded
// and decoded. Everything else that must know a message (types, replies, sending, reading) takes it from here.
import {
  type AsyncConfig,
  decodeAsync,
  decodeAsyncProperties,
  encodeAsync,
  encodeAsyncProperties,
} from './async-config.ts';
import { type BundleControl, decodeBundleControl, encodeBundleControl } from './bundle.ts';
import { decodeError, encodeError, OpenFlowEncodeError, type OpenFlowErrorReport } from './errors.ts';
import {
  decodeControllerId,
  decodeFlowModTableId,
  decodePacketInFormat,
  encodeControllerId,
  encodeFlowModTableId,
  encodePacketInFormat,
  type FlowModTableId,
  type SetControllerId,
  type SetPacketInFormat,
} from './extensions.ts';
import {
  decodeFlowFormat,
  decodeFlowRemoved,
  encodeFlowFormat,
  type FlowRemoved,
  type SetFlowFormat,
} from './flow-removed.ts';
import { MESSAGE_BYTES_MAX } from './framing.ts';
import {
  decodeGroupDesc,
  decodeGroupMod,
  encodeGroupDescRequest,
  encodeGroupMod,
  type GroupDescription,
  type GroupMod,
} from './group.ts';
import {
  decodeGroupFeatures,
  decodeGroupStats,
  encodeGroupStatsRequest,
  type GroupFeatures,
  type GroupStats,
} from './group-stats.ts';
import { type MessageHeader, type Place, placeKey, readHeader, VENDOR, writeHeader } from './header.ts';
import { decodeHello, encodeHello, type Hello } from './hello.ts';
import {
  decodeMeterConfig,
  decodeMeterFeatures,
  decodeMeterMod,
  decodeMeterStats,
  encodeMeterMod,
  encodeMeterRequest,
  type MeterConfig,
  type MeterFeatures,
  type MeterMod,
  type MeterStats,
} from './meter.ts';
import { decodePort, decodePortStatus, encodePortDescRequest, type Port, type PortStatus } from './port.ts';
import {
  decodeConfig,
  decodeDescription,
  decodeFeatures,
  decodeRole,
  decodeRoleStatus,
  encodeConfig,
  encodeRole,
  type RoleRequest,
  type RoleStatus,
  type SwitchConfig,
  type SwitchDescription,
  type SwitchFeatures,
} from './switch-config.ts';
import { decodeTableStats, type TableStats } from './table-stats.ts';
import { OPENFLOW_VERSIONS, type OpenFlowVersion, versionName } from './version.ts';
import { WireReader, WireWriter } from './wire.ts';

/** The body of an echo, which comes back as it was sent. */
export interface Echo {
  readonly data: Buffer;
}

/** A reply whose parts, if there were several, have been put together. */
export interface EntryList<Entry> {
  readonly entries: readonly Entry[];
}

/** A message that this library has no codec for. */
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
  /** What is to be done at the commit; it travels under the transaction id of the message around it. */
  readonly message: OpenFlowMessage;
}

/** OFPT_REQUESTFORWARD: another controller has changed a group or a meter. */
export interface RequestForward {
  /** Its request, as it sent it. */
  readonly request: OpenFlowMessage;
}

/** A message with nothing but headers. */
export type NoBody = object;

/** What each message carries. Requests and their replies are paired in `REPLIES`. */
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
  /** NXT_SET_ASYNC_CONFIG2: in OpenFlow 1.0 and 1.3 the way to ask for forwarded requests. */
  set_async_config2: AsyncConfig;
  set_packet_in_format: SetPacketInFormat;
  set_controller_id: SetControllerId;
  set_flow_format: SetFlowFormat;
  flow_mod_table_id: FlowModTableId;
  group_mod: GroupMod;
  meter_mod: MeterMod;
  role_status: RoleStatus;
  requestforward: RequestForward;
  bundle_control: BundleControl;
  bundle_add_message: BundleAddMessage;
  desc_request: NoBody;
  desc_reply: SwitchDescription;
  table_stats_request: NoBody;
  table_stats_reply: EntryList<TableStats>;
  group_stats_request: { readonly groupId?: number };
  group_stats_reply: EntryList<GroupStats>;
  /** Before OpenFlow 1.5, OVS's extension to 1.0 apart, it is always about all groups. */
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
  /** OFPMP_PORT_DESC; OVS answers it in OpenFlow 1.0 as well. Only 1.5 can ask for a single port. */
  port_desc_request: { readonly portNumber?: number };
  port_desc_reply: EntryList<Port>;
  unknown: UnknownMessage;
}

export type OpenFlowMessageType = keyof MessageBodies;
/** One kind of message, told apart by `type`. */
export type MessageOf<Type extends OpenFlowMessageType> = { readonly type: Type } & MessageBodies[Type];
/** Any message. */
export type OpenFlowMessage = { [Type in OpenFlowMessageType]: MessageOf<Type> }[OpenFlowMessageType];
/** Messages that can be given to `request`. */
export type RequestType = keyof typeof REPLIES;
/** The message that `request` resolves to. */
export type ReplyOf<Type extends RequestType> = MessageOf<(typeof REPLIES)[Type]>;

/** A message as it was received. */
export interface ReceivedMessage {
  readonly header: MessageHeader;
  readonly message: OpenFlowMessage;
}

interface Codec<Body> {
  readonly places: readonly Place[];
  /** Null for what only a switch sends. */
  readonly encode: ((version: OpenFlowVersion, body: Body, writer: WireWriter, xid: number) => void) | null;
  /** Null for what only a controller sends. */
  readonly decode: ((version: OpenFlowVersion, reader: WireReader) => Body) | null;
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
// The prefixes by which Open vSwitch tells the number spaces apart.
const ofpt = place(0, 'plain');
const nxt = place(VENDOR.nicira, 'plain');
const onft = place(VENDOR.onf, 'plain');
const ofpstRequest = place(0, 'multipart_request');
const ofpstReply = place(0, 'multipart_reply');

const nxstRequest = place(VENDOR.nicira, 'multipart_request');
const nxstReply = place(VENDOR.nicira, 'multipart_reply');

const encodeNothing = () => {};
const decodeNothing = () => ({});
const encodeEcho = (_version: OpenFlowVersion, echo: Echo, writer: WireWriter) => {
  writer.put(echo.data);
};
const decodeEcho = (_version: OpenFlowVersion, reader: WireReader): Echo => ({
  data: reader.copy(reader.remaining, 'echo.data'),
});

/** A list whose entries follow each other to the end of the message. */
function entriesOf<Entry>(decodeEntry: (version: OpenFlowVersion, reader: WireReader) => Entry) {
  return (version: OpenFlowVersion, reader: WireReader): EntryList<Entry> => {
    const entries: Entry[] = [];
    while (reader.remaining > 0) {
      entries.push(decodeEntry(version, reader));
    }
    return { entries };
  };
}

const MESSAGES: { readonly [Type in Exclude<OpenFlowMessageType, 'unknown'>]: Codec<MessageBodies[Type]> } = {
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
  set_packet_in_format: { places: [nxt(16)], encode: encodePacketInFormat, decode: decodePacketInFormat },
  set_controller_id: { places: [nxt(20)], encode: encodeControllerId, decode: decodeControllerId },
  set_flow_format: { places: [nxt(12, 1, 1)], encode: encodeFlowFormat, decode: decodeFlowFormat },
  flow_mod_table_id: { places: [nxt(15)], encode: encodeFlowModTableId, decode: decodeFlowModTableId },
  group_mod: { places: [nxt(31, 1, 1), ofpt(15, 4)], encode: encodeGroupMod, decode: decodeGroupMod },
  meter_mod: { places: [ofpt(29, 4)], encode: encodeMeterMod, decode: decodeMeterMod },
  role_status: { places: [onft(1911, 4, 4), ofpt(30, 5)], encode: null, decode: decodeRoleStatus },
  requestforward: {
    places: [nxt(132, 1, 1), onft(2350, 4, 4), ofpt(32, 5)],
    encode: null,
    decode: (version, reader) => ({
      request: decodeMessage(version, reader.view(reader.remaining, 'requestforward')).message,
    }),
  },
  bundle_control: {
    places: [onft(2300, 4, 4), ofpt(33, 5)],
    encode: encodeBundleControl,
    decode: decodeBundleControl,
  },
  bundle_add_message: {
    places: [onft(2301, 4, 4), ofpt(34, 5)],
    encode: (version, { bundleId, flags, message }, writer, xid) => {
      writer.u32(bundleId).u16(0).u16(flags);
      writeMessage(version, message, xid, writer);
    },
    decode: null,
  },
  desc_request: { places: [ofpstRequest(0)], encode: encodeNothing, decode: decodeNothing },
  desc_reply: { places: [ofpstReply(0)], encode: null, decode: decodeDescription },
  table_stats_request: { places: [ofpstRequest(3)], encode: encodeNothing, decode: decodeNothing },
  table_stats_reply: { places: [ofpstReply(3)], encode: null, decode: entriesOf(decodeTableStats) },
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

/** The requests that are answered, and by what. */
export const REPLIES = {
  echo_request: 'echo_reply',
  features_request: 'features_reply',
  get_config_request: 'get_config_reply',
  barrier_request: 'barrier_reply',
  role_request: 'role_reply',
  get_async_request: 'get_async_reply',
  bundle_control: 'bundle_control',
  desc_request: 'desc_reply',
  table_stats_request: 'table_stats_reply',
  group_stats_request: 'group_stats_reply',
  group_desc_request: 'group_desc_reply',
  group_features_request: 'group_features_reply',
  meter_stats_request: 'meter_stats_reply',
  meter_config_request: 'meter_config_reply',
  meter_features_request: 'meter_features_reply',
  port_desc_request: 'port_desc_reply',
} as const satisfies Partial<Record<OpenFlowMessageType, OpenFlowMessageType>>;

/** The table as the code below uses it: the types of name and codec no longer belong together. */
type AnyCodec = Codec<never> & {
  readonly decode: ((version: OpenFlowVersion, reader: WireReader) => object) | null;
};
const CODECS = new Map<string, AnyCodec>(Object.entries(MESSAGES) as [string, AnyCodec][]);

interface NamedDecoder {
  readonly type: string;
  readonly decode: (version: OpenFlowVersion, reader: WireReader) => object;
}
const DECODERS: ReadonlyMap<OpenFlowVersion, ReadonlyMap<number, NamedDecoder>> = new Map(
  OPENFLOW_VERSIONS.map((version) => [version, decodersOf(version)]),
);

function decodersOf(version: OpenFlowVersion): ReadonlyMap<number, NamedDecoder> {
  const decoders = new Map<number, NamedDecoder>();
  for (const [type, codec] of CODECS) {
    const { decode } = codec;
    for (const place of decode === null ? [] : codec.places) {
      if (decode === null || version < place.versionMin || version > place.versionMax) {
        continue;
      }
      const key = placeKey(version, place);
      const other = decoders.get(key);
      if (other !== undefined) {
        throw new Error(`${type} and ${other.type} have the same number in ${versionName(version)}`);
      }
      decoders.set(key, { type, decode });
    }
  }
  return decoders;
}

/** The bytes of a message. Throws `OpenFlowEncodeError` when the version cannot express it. */
export function encodeMessage(version: OpenFlowVersion, message: OpenFlowMessage, xid: number): Buffer {
  const writer = new WireWriter();
  writeMessage(version, message, xid, writer);
  return writer.finish();
}

function writeMessage(
  version: OpenFlowVersion,
  message: OpenFlowMessage,
  xid: number,
  writer: WireWriter,
): void {
  const codec = CODECS.get(message.type);
  const place = codec?.places.find(
    ({ versionMin, versionMax }) => version >= versionMin && version <= versionMax,
  );
  if (codec === undefined || codec.encode === null || place === undefined) {
    throw new OpenFlowEncodeError(message.type, version, 'there is no such message to send');
  }
  const start = writer.size;
  writeHeader(writer, version, place, xid);
  codec.encode(version, message as never, writer, xid);
  const size = writer.size - start;
  if (size > MESSAGE_BYTES_MAX) {
    throw new OpenFlowEncodeError(
      message.type,
      version,
      `takes ${size} bytes; a message has at most ${MESSAGE_BYTES_MAX}`,
    );
  }
  writer.setU16(start + 2, size);
}

/**
 * The message in `bytes[start, end)`. Throws `OpenFlowDecodeError` when its bytes are not what the specification allows;
 * a message that this library does not know is `unknown`. Nothing in the result refers to `bytes`.
 */
export function decodeMessage(
  version: OpenFlowVersion,
  bytes: Buffer,
  start = 0,
  end = bytes.length,
): ReceivedMessage {
  // A reader of its own memory, so that offsets in errors count from the start of the message.
  const reader = new WireReader(bytes.subarray(start, end));
  const header = readHeader(reader);
  const decoder = DECODERS.get(version)?.get(header.key);
  if (decoder === undefined) {
    const unknown: OpenFlowMessage = {
      type: 'unknown',
      messageType: bytes.readUInt8(start + 1),
      bytes: Buffer.from(bytes.subarray(start, end)),
    };
    return { header, message: unknown };
  }
  const message = { type: decoder.type, ...decoder.decode(version, reader) } as OpenFlowMessage;
  return { header, message };
}
