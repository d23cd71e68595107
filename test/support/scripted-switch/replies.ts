// Encodes messages that only a switch sends, for which the library has no encoders. The layouts are those above the decoders in
// src/node-openflow, which decode every message for the transcript.

import { errorName } from '../../../src/node-openflow/error-names.ts';
import { MESSAGE_BYTES_MAX } from '../../../src/node-openflow/framing.ts';
import { VENDOR, writeHeader } from '../../../src/node-openflow/header.ts';
import {
  encodeMessage,
  type GroupDescription,
  type MeterConfig,
  type OpenFlowMessage,
  type OpenFlowVersion,
  versionName,
} from '../../../src/node-openflow/index.ts';
import { encodeInstructions } from '../../../src/node-openflow/instructions.ts';
import { encodeNxMatch, encodeOxmMatch } from '../../../src/node-openflow/match.ts';
import { MESSAGES } from '../../../src/node-openflow/messages.ts';
import { WireWriter } from '../../../src/node-openflow/wire.ts';
import { shownActions, shownInstructions, shownMatch } from './flow-forms.ts';
import type { SwitchFlow } from './flow-table.ts';

/** OFPMPF_REPLY_MORE (OpenFlow 1.3.5, section 7.3.5). */
const MULTIPART_MORE = 1;

type MessageName = keyof typeof MESSAGES;

/** Encodes a message with the header of the library's table and the given body. */
export function messageOf(
  version: OpenFlowVersion,
  type: MessageName,
  xid: number,
  body: (writer: WireWriter) => void = () => {},
): Buffer {
  const writer = new WireWriter();
  const place = MESSAGES[type].places.find(
    ({ versionMin, versionMax }) => version >= versionMin && version <= versionMax,
  );
  if (place === undefined) {
    throw new Error(`${versionName(version)} has no message ${type}.`);
  }
  writeHeader(writer, version, place, xid);
  body(writer);
  return writer.setU16(2, writer.size).finish();
}

/** Encodes a reply in as many parts as needed; one without entries is one empty part. */
export function multipart(
  version: OpenFlowVersion,
  type: MessageName,
  xid: number,
  entries: readonly Buffer[],
): Buffer[] {
  const headerSize = messageOf(version, type, xid).length;
  const parts: Buffer[][] = [[]];
  let size = headerSize;
  for (const entry of entries) {
    if (size + entry.length > MESSAGE_BYTES_MAX) {
      parts.push([]);
      size = headerSize;
    }
    parts.at(-1)?.push(entry);
    size += entry.length;
  }
  return parts.map((part, index) => {
    const bytes = messageOf(version, type, xid, (writer) => {
      writer.put(Buffer.concat(part));
    });
    // The flags follow ofp_header and the type of the multipart message.
    bytes.writeUInt16BE(index < parts.length - 1 ? MULTIPART_MORE : 0, 10);
    return bytes;
  });
}

/** Encodes an error about a message, with its first 64 bytes. */
export function errorReply(version: OpenFlowVersion, name: string, xid: number, data: Buffer): Buffer {
  return encodeMessage(version, { type: 'error', ...errorNumbers(version, name), name, data }, xid);
}

/**
 * Encodes the reply of Open vSwitch before 3.0 to a flow monitor request over OpenFlow 1.4 and 1.5: it reads the body as that of
 * 1.0, whose flags (half of out_port) are invalid, and then the match as the request's header. Its version (0) is unknown, so
 * the error is one of OpenFlow 1.0; its transaction id is the header of the first field.
 */
export function misreadMonitorReply(request: Buffer): Buffer {
  const multipartHeaderSize = 16;
  const nxRequestSize = 16;
  const misread = request.subarray(multipartHeaderSize + nxRequestSize);
  const data = misread.subarray(0, Math.min(misread.readUInt16BE(2), 64));
  return errorReply(1, 'OFPMOFC_BAD_FLAGS', misread.readUInt32BE(4), data);
}

const ERROR_NUMBERS = new Map<string, { errorType: number; errorCode: number; vendor: number }>();

/** Returns type, code and vendor of an error in a version, by a search of the library's table of names. */
function errorNumbers(version: OpenFlowVersion, name: string) {
  const key = `${version} ${name}`;
  const known = ERROR_NUMBERS.get(key);
  if (known !== undefined) {
    return known;
  }
  for (const vendor of [0, VENDOR.nicira, VENDOR.onf]) {
    const typeCount = vendor === 0 || version === 1 ? 32 : 1;
    const codeCount = vendor === 0 ? 32 : 8192;
    for (let errorType = 0; errorType < typeCount; errorType += 1) {
      for (let errorCode = 0; errorCode < codeCount; errorCode += 1) {
        if (errorName(version, vendor, errorType, errorCode) !== name) {
          continue;
        }
        // Experimenters' errors of 1.2 and later share one type.
        const numbers = { errorType: vendor !== 0 && version !== 1 ? 0xffff : errorType, errorCode, vendor };
        ERROR_NUMBERS.set(key, numbers);
        return numbers;
      }
    }
  }
  throw new Error(`${versionName(version)} has no error ${name}.`);
}

/** A port of the switch. */
export interface SwitchPort {
  readonly portNumber: number;
  readonly name: string;
  /** "aa:bb:cc:dd:ee:ff" */
  readonly hardwareAddress: string;
}

export function portEntry(version: OpenFlowVersion, port: SwitchPort): Buffer {
  const writer = new WireWriter();
  const common = () => {
    const name = Buffer.alloc(16);
    name.write(port.name.slice(0, 15), 'utf8');
    const address = Buffer.from(port.hardwareAddress.replaceAll(':', ''), 'hex');
    writer
      .put(address)
      .zeros(version === 1 ? 0 : 2)
      .put(name);
  };
  if (version === 1) {
    writer.u16(port.portNumber & 0xffff);
    common();
    return writer.u32(0).u32(0).zeros(16).finish();
  }
  writer.u32(port.portNumber);
  if (version === 4) {
    writer.zeros(4);
    common();
    return writer.u32(0).u32(0).zeros(24).finish();
  }
  const ethernetSize = 32;
  writer.u16(40 + ethernetSize).zeros(2);
  common();
  return writer.u32(0).u32(0).u16(0).u16(ethernetSize).zeros(28).finish();
}

/** Encodes OFPMP_DESC of an Open vSwitch of that release. */
export function description(writer: WireWriter, release: string): void {
  const text = (value: string, size: number) => {
    const bytes = Buffer.alloc(size);
    bytes.write(value, 'utf8');
    writer.put(bytes);
  };
  text('Nicira, Inc.', 256);
  text('Open vSwitch', 256);
  text(release, 256);
  text('None', 32);
  text('None', 256);
}

/** Encodes an entry, with its length in two bytes at `lengthAt`. */
function entry(write: (writer: WireWriter) => void, lengthAt = 0): Buffer {
  const writer = new WireWriter();
  write(writer);
  return writer.setU16(lengthAt, writer.size).finish();
}

function putMatch(writer: WireWriter, version: OpenFlowVersion, flow: SwitchFlow): number {
  const match = shownMatch(version, flow.match);
  return version === 1 ? encodeNxMatch(match, writer) : encodeOxmMatch(version, match, writer);
}

function putInstructions(writer: WireWriter, version: OpenFlowVersion, flow: SwitchFlow): void {
  encodeInstructions(version, shownInstructions(version, flow.instructions), writer);
}

/** Encodes an entry of a flow statistics reply. */
export function flowEntry(version: OpenFlowVersion, flow: SwitchFlow, ageMicros: number): Buffer {
  const seconds = Math.floor(ageMicros / 1_000_000);
  const nanoseconds = (ageMicros % 1_000_000) * 1000;
  if (version === 6) {
    return flowDescriptionEntry(flow, seconds, nanoseconds);
  }
  return entry((writer) => {
    writer.u16(0).u8(flow.tableId).u8(0).u32(seconds).u32(nanoseconds);
    writer.u16(flow.priority).u16(flow.idleTimeout).u16(flow.hardTimeout);
    const lengthAt = writer.size;
    if (version === 1) {
      writer.u16(0).u16(0).u16(0);
    } else {
      writer
        .u16(flow.flags)
        .u16(version === 4 ? 0 : flow.importance)
        .u16(0);
    }
    writer.u64(flow.cookie).u64(flow.packetCount).u64(flow.byteCount);
    const matchLength = putMatch(writer, version, flow);
    if (version === 1) {
      writer.setU16(lengthAt, matchLength);
    }
    putInstructions(writer, version, flow);
  });
}

function flowDescriptionEntry(flow: SwitchFlow, seconds: number, nanoseconds: number): Buffer {
  const OXS_CLASS = 0x8002;
  return entry((writer) => {
    writer.u16(0).u16(0).u8(flow.tableId).u8(0).u16(flow.priority);
    writer.u16(flow.idleTimeout).u16(flow.hardTimeout).u16(flow.flags).u16(flow.importance).u64(flow.cookie);
    putMatch(writer, 6, flow);
    const start = writer.size;
    writer.u16(0).u16(0);
    writer
      .u16(OXS_CLASS)
      .u8(0 << 1)
      .u8(8)
      .u32(seconds)
      .u32(nanoseconds);
    writer
      .u16(OXS_CLASS)
      .u8(4 << 1)
      .u8(8)
      .u64(flow.packetCount);
    writer
      .u16(OXS_CLASS)
      .u8(5 << 1)
      .u8(8)
      .u64(flow.byteCount);
    writer.setU16(start + 2, writer.size - start).align8(start);
    putInstructions(writer, 6, flow);
  });
}

export type UpdateEvent = 'initial' | 'added' | 'removed' | 'modified';

/** Encodes an entry of a flow monitor's reply about one flow. */
export function updateEntry(
  version: OpenFlowVersion,
  event: UpdateEvent,
  reason: number,
  flow: SwitchFlow,
  hasInstructions: boolean,
): Buffer {
  // Before 1.4 there is no "initial": those flows are reported as added.
  const names = ['initial', 'added', 'removed', 'modified'];
  const number = version >= 5 ? names.indexOf(event) : Math.max(0, names.indexOf(event) - 1);
  return entry((writer) => {
    writer.u16(0).u16(number);
    if (version >= 5) {
      writer.u8(flow.tableId).u8(reason).u16(flow.idleTimeout).u16(flow.hardTimeout).u16(flow.priority);
      writer.u32(0).u64(flow.cookie);
      putMatch(writer, version, flow);
    } else {
      writer.u16(reason).u16(flow.priority).u16(flow.idleTimeout).u16(flow.hardTimeout);
      const lengthAt = writer.size;
      writer.u16(0).u8(flow.tableId).u8(0).u64(flow.cookie);
      writer.setU16(lengthAt, putMatch(writer, version, flow));
    }
    if (hasInstructions) {
      putInstructions(writer, version, flow);
    }
  });
}

/** Encodes the entry of a change by the connection itself. */
export function abbreviatedEntry(version: OpenFlowVersion, xid: number): Buffer {
  return new WireWriter()
    .u16(8)
    .u16(version >= 5 ? 4 : 3)
    .u32(xid)
    .finish();
}

/** Encodes the message that the monitors of a connection are paused or resumed. */
export function pauseMessage(version: OpenFlowVersion, kind: 'paused' | 'resumed'): Buffer {
  if (version < 5) {
    return messageOf(version, kind === 'paused' ? 'flow_monitor_paused' : 'flow_monitor_resumed', 0);
  }
  return messageOf(version, 'flow_monitor_update', 0, (writer) => {
    writer
      .u16(8)
      .u16(kind === 'paused' ? 5 : 6)
      .u32(0);
  });
}

/** A meter with its counters. */
export interface SwitchMeter extends MeterConfig {
  createdMicros: number;
  packetCount: bigint;
  byteCount: bigint;
  /** Of its first band. */
  droppedPackets: bigint;
  droppedBytes: bigint;
}

/** Encodes an entry of OFPMP_METER. */
export function meterStatsEntry(meter: SwitchMeter, flowCount: number, ageMicros: number): Buffer {
  return entry((writer) => {
    writer.u32(meter.meterId).u16(0).zeros(6).u32(flowCount).u64(meter.packetCount).u64(meter.byteCount);
    writer.u32(Math.floor(ageMicros / 1_000_000)).u32((ageMicros % 1_000_000) * 1000);
    for (const [index] of meter.bands.entries()) {
      writer.u64(index === 0 ? meter.droppedPackets : 0n).u64(index === 0 ? meter.droppedBytes : 0n);
    }
  }, 4);
}

/** Encodes an entry of OFPMP_METER_CONFIG: the body of a meter mod, with a length instead of the command. */
export function meterConfigEntry({ meterId, flags, bands }: MeterConfig): Buffer {
  const mod = encodeMessage(4, { type: 'meter_mod', command: 'add', meterId, flags, bands }, 0);
  const body = Buffer.from(mod.subarray(8));
  body.writeUInt16BE(body.length, 0);
  return body;
}

/** Encodes OFPMP_METER_FEATURES. */
export function meterFeatures(writer: WireWriter, meterCountMax: number): void {
  const isThere = meterCountMax > 0;
  writer
    .u32(meterCountMax)
    .u32(isThere ? 1 << 1 : 0)
    .u32(isThere ? 0xf : 0);
  writer
    .u8(isThere ? 8 : 0)
    .u8(0)
    .zeros(2);
}

/** Encodes an entry of OFPMP_GROUP_DESC: the buckets of a group mod after its own header. */
export function groupEntry(version: OpenFlowVersion, group: GroupDescription): Buffer {
  const buckets = group.buckets.map((bucket) => ({
    ...bucket,
    actions: shownActions(version, bucket.actions),
  }));
  const message = { type: 'group_mod', command: 'add', commandBucketId: null, ...group, buckets } as const;
  const mod = encodeMessage(version, message, 0);
  const headerSize = version === 1 ? 16 : 8;
  const hasLayout15 = version === 1 || version === 6;
  // Command (2), type (1), zero (1), group (4); in the later layout size of the buckets (2), zero (2), bucket id (4).
  const body = Buffer.from(mod.subarray(headerSize));
  if (hasLayout15) {
    body.fill(0, 10, 16);
  }
  body.writeUInt16BE(body.length, 0);
  return body;
}

/** Encodes OFPT_REQUESTFORWARD: another connection's request. */
export function requestForward(version: OpenFlowVersion, request: OpenFlowMessage): Buffer {
  return messageOf(version, 'requestforward', 0, (writer) => writer.put(encodeMessage(version, request, 0)));
}

/** A packet-in; see `ScriptedSwitch.sendPacketIn`. */
export interface SwitchPacketIn {
  readonly controllerId: number;
  readonly frame: Uint8Array;
  readonly userdata?: Uint8Array;
  /** Length of the whole frame in bytes, if it is truncated. */
  readonly fullLength?: number;
  readonly tableId?: number;
  readonly cookie?: bigint;
  /** Fields that are not in the frame, as NXM. */
  readonly metadata?: Uint8Array;
}

const NXT_PACKET_IN2 = 30;
const OFPR_ACTION = 1;

/** Encodes NXT_PACKET_IN2. */
export function packetIn2(version: OpenFlowVersion, packet: SwitchPacketIn): Buffer {
  const writer = new WireWriter();
  writer.u8(version).u8(4).u16(0).u32(0).u32(VENDOR.nicira).u32(NXT_PACKET_IN2);
  const property = (type: number, value: Uint8Array) => {
    const start = writer.size;
    writer
      .u16(type)
      .u16(4 + value.length)
      .put(value)
      .align8(start);
  };
  const numberOf = (size: 4 | 8, value: bigint) =>
    size === 4 ? new WireWriter().u32(Number(value)).finish() : new WireWriter().u32(0).u64(value).finish();
  property(0, packet.frame);
  if (packet.fullLength !== undefined) {
    property(1, numberOf(4, BigInt(packet.fullLength)));
  }
  property(3, Buffer.of(packet.tableId ?? 0));
  if (packet.cookie !== undefined) {
    property(4, numberOf(8, packet.cookie));
  }
  property(5, Buffer.of(OFPR_ACTION));
  if (packet.metadata !== undefined) {
    property(6, packet.metadata);
  }
  if (packet.userdata !== undefined) {
    property(7, packet.userdata);
  }
  return writer.setU16(2, writer.size).finish();
}
