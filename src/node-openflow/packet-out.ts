// The codec of packet-outs: a frame from the controller, and the actions to apply to it.
//
// For the table of messages: encodePacketOut, decodePacketOut. Place: type 13.
import { portTo16 } from './action-rows.ts';
import { type Action, decodeActions, encodeActions } from './actions.ts';
import { decodeOxmMatch, encodeOxmMatch, fieldValue, findField, inPort } from './match.ts';
import { portNumberFrom16 } from './port.ts';
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

/** OFPT_PACKET_OUT. */
export interface PacketOut {
  /** `NO_BUFFER` when the message includes the frame, as OVS 2.7 and later require. */
  readonly bufferId: number;
  /** The input port of the frame: a port, OFPP_CONTROLLER or OFPP_NONE. */
  readonly inPort: number;
  readonly actions: readonly Action[];
  readonly packet: Buffer;
}

const PORT_NONE = 0xffff_ffff;

/*
 * 1.0                          1.3 and 1.4                  1.5
 *   u32 buffer                   u32 buffer                   u32 buffer
 *   u16 in port                  u32 in port                  u16 length of actions
 *   u16 length of actions        u16 length of actions        u16 zero
 *   actions                      u8  zero[6]                  ofp_match with the in port
 *   frame                        actions, frame               actions, frame
 */
export function encodePacketOut(version: OpenFlowVersion, message: PacketOut, writer: WireWriter): void {
  writer.u32(message.bufferId);
  if (version === 1) {
    writer.u16(portTo16('packet_out.in_port', message.inPort));
  } else if (version !== 6) {
    writer.u32(message.inPort);
  }
  const lengthAt = writer.size;
  writer.u16(0);
  if (version === 6) {
    encodeOxmMatch(version, [inPort(version, message.inPort)], writer.zeros(2));
  } else if (version !== 1) {
    writer.zeros(6);
  }
  const start = writer.size;
  encodeActions(version, message.actions, writer);
  writer.setU16(lengthAt, writer.size - start).put(message.packet);
}

export function decodePacketOut(version: OpenFlowVersion, reader: WireReader): PacketOut {
  const bufferId = reader.u32('packet_out.buffer_id');
  let port = PORT_NONE;
  if (version === 1) {
    port = portNumberFrom16(reader.u16('packet_out.in_port'));
  } else if (version !== 6) {
    port = reader.u32('packet_out.in_port');
  }
  const actionsLength = reader.u16('packet_out.actions_len');
  if (version === 6) {
    reader.skip(2, 'packet_out.pad');
    const field = findField(decodeOxmMatch(version, reader, 'packet_out.match'), 'in_port_oxm');
    port = field === undefined ? PORT_NONE : Number(fieldValue(field));
  } else if (version !== 1) {
    reader.skip(6, 'packet_out.pad');
  }
  const actions = decodeActions(version, reader.sub(actionsLength, 'packet_out.actions'));
  return { bufferId, inPort: port, actions, packet: reader.copy(reader.remaining, 'packet_out.data') };
}
