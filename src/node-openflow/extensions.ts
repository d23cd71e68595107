// The codecs of Nicira's messages that configure a connection: its controller id, the format of packet-ins, and table ids
// in flow mods of OpenFlow 1.0.
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

/** Packet-in formats of NXT_SET_PACKET_IN_FORMAT. */
export const PACKET_IN_FORMATS = { standard: 0, nxtPacketIn: 1, nxtPacketIn2: 2 } as const;

/** NXT_SET_PACKET_IN_FORMAT. */
export interface SetPacketInFormat {
  /** One of `PACKET_IN_FORMATS`; only `nxtPacketIn2` has userdata. */
  readonly format: number;
}

export function encodePacketInFormat(
  _version: OpenFlowVersion,
  message: SetPacketInFormat,
  writer: WireWriter,
): void {
  writer.u32(message.format);
}

export function decodePacketInFormat(_version: OpenFlowVersion, reader: WireReader): SetPacketInFormat {
  return { format: reader.u32('set_packet_in_format.format') };
}

/** NXT_SET_CONTROLLER_ID: this connection receives the packet-ins of `controller(id=...)` actions with this id only. */
export interface SetControllerId {
  readonly controllerId: number;
}

export function encodeControllerId(
  _version: OpenFlowVersion,
  message: SetControllerId,
  writer: WireWriter,
): void {
  writer.zeros(6).u16(message.controllerId);
}

export function decodeControllerId(_version: OpenFlowVersion, reader: WireReader): SetControllerId {
  reader.skip(6, 'set_controller_id.zero');
  return { controllerId: reader.u16('set_controller_id.controller_id') };
}

/** NXT_FLOW_MOD_TABLE_ID: in OpenFlow 1.0, makes the upper byte of a flow mod's command the table. */
export interface FlowModTableId {
  readonly enabled: boolean;
}

export function encodeFlowModTableId(
  _version: OpenFlowVersion,
  message: FlowModTableId,
  writer: WireWriter,
): void {
  writer.u8(message.enabled ? 1 : 0).zeros(7);
}

export function decodeFlowModTableId(_version: OpenFlowVersion, reader: WireReader): FlowModTableId {
  const enabled = reader.u8('flow_mod_table_id.set') !== 0;
  reader.skip(7, 'flow_mod_table_id.pad');
  return { enabled };
}
