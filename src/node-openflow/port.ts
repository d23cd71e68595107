// The codec of ports in features replies (1.0), OFPMP_PORT_DESC and OFPT_PORT_STATUS. OpenFlow has had three layouts.
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

const PORT_NAME_SIZE = 16;
const PORT_PROPERTY_ETHERNET = 0;

/** A port of the bridge. */
export interface Port {
  /** 32 bits, as in OpenFlow 1.1 and later; reserved ports start at 0xffffff00 (OFPP_LOCAL is 0xfffffffe). */
  readonly portNumber: number;
  /** "aa:bb:cc:dd:ee:ff" */
  readonly hardwareAddress: string;
  /** The interface's name, truncated to 15 bytes. */
  readonly name: string;
  /** Bits of OFPPC_*; see `PORT_CONFIG_DOWN`. */
  readonly config: number;
  /** Bits of OFPPS_*; see `PORT_STATE_LINK_DOWN`. */
  readonly state: number;
  /** Current and maximum speed in kbit/s; 0 if unknown, as always in OpenFlow 1.0. */
  readonly currentSpeed: number;
  readonly maximumSpeed: number;
}

/** Bits of `Port.config` and `Port.state` that all versions share. */
export const PORT_CONFIG_DOWN = 1;
export const PORT_STATE_LINK_DOWN = 1;

/** The reason of OFPT_PORT_STATUS. */
export type PortStatusReason = 'add' | 'delete' | 'modify';
const PORT_REASONS: readonly PortStatusReason[] = ['add', 'delete', 'modify'];

export interface PortStatus {
  readonly reason: PortStatusReason;
  readonly port: Port;
}

/** Returns the 32-bit number of a 16-bit port number, as in OpenFlow 1.0. */
export function portNumberFrom16(portNumber: number): number {
  return portNumber >= 0xff00 ? portNumber + 0xffff_0000 : portNumber;
}

/*
 * OpenFlow 1.0 (48)          OpenFlow 1.3 (64)          OpenFlow 1.4, 1.5 (40 + properties)
 *   u16 port                   u32 port                   u32 port
 *   u8  address[6]             u32 zero                   u16 length, u16 zero
 *   u8  name[16]               u8  address[6]             u8  address[6]
 *   u32 config                 u16 zero                   u16 zero
 *   u32 state                  u8  name[16]               u8  name[16]
 *   u32 features[4]            u32 config                 u32 config
 *                              u32 state                  u32 state
 *                              u32 features[4]            Ethernet property: u16 0, u16 32, u32 zero,
 *                              u32 current speed            u32 features[4], u32 current speed,
 *                              u32 maximum speed            u32 maximum speed
 */
export function decodePort(version: OpenFlowVersion, reader: WireReader): Port {
  if (version === 1) {
    const portNumber = portNumberFrom16(reader.u16('port.port_no'));
    const fields = readCommonFields(reader, 0);
    reader.skip(16, 'port.features');
    return { portNumber, ...fields, currentSpeed: 0, maximumSpeed: 0 };
  }
  const portNumber = reader.u32('port.port_no');
  if (version === 4) {
    reader.skip(4, 'port.pad');
    const fields = readCommonFields(reader, 2);
    reader.skip(16, 'port.features');
    const currentSpeed = reader.u32('port.curr_speed');
    return { portNumber, ...fields, currentSpeed, maximumSpeed: reader.u32('port.max_speed') };
  }
  const length = reader.u16('port.length');
  if (length < 40) {
    throw reader.fault('port.length', `is ${length}, less than the 40 bytes of a port without properties`);
  }
  reader.skip(2, 'port.pad');
  const rest = reader.sub(length - 8, 'port');
  return { portNumber, ...readCommonFields(rest, 2), ...readSpeeds(rest) };
}

export function decodePorts(version: OpenFlowVersion, reader: WireReader): Port[] {
  const ports: Port[] = [];
  while (reader.remaining > 0) {
    ports.push(decodePort(version, reader));
  }
  return ports;
}

export function decodePortStatus(version: OpenFlowVersion, reader: WireReader): PortStatus {
  const reason = PORT_REASONS[reader.u8('port_status.reason')];
  if (reason === undefined) {
    throw reader.fault('port_status.reason', 'is not one of add (0), delete (1) and modify (2)');
  }
  reader.skip(7, 'port_status.pad');
  return { reason, port: decodePort(version, reader) };
}

/** Encodes the body of an OFPMP_PORT_DESC request; a single port needs OpenFlow 1.5. */
export function encodePortDescRequest(
  version: OpenFlowVersion,
  request: { readonly portNumber?: number },
  writer: WireWriter,
): void {
  if (version === 6) {
    writer.u32(request.portNumber ?? 0xffff_ffff).u32(0);
  }
}

function readCommonFields(
  reader: WireReader,
  padding: number,
): Pick<Port, 'hardwareAddress' | 'name' | 'config' | 'state'> {
  const address = reader.view(6, 'port.hw_addr');
  const hardwareAddress = Array.from(address, (byte) => byte.toString(16).padStart(2, '0')).join(':');
  reader.skip(padding, 'port.pad');
  const name = readText(reader, PORT_NAME_SIZE, 'port.name');
  const config = reader.u32('port.config');
  return { hardwareAddress, name, config, state: reader.u32('port.state') };
}

function readSpeeds(properties: WireReader): Pick<Port, 'currentSpeed' | 'maximumSpeed'> {
  let speeds = { currentSpeed: 0, maximumSpeed: 0 };
  while (properties.remaining > 0) {
    const type = properties.u16('port.property.type');
    const length = properties.u16('port.property.length');
    if (length < 4) {
      throw properties.fault(
        'port.property.length',
        `is ${length}, less than the 4 bytes of the property's header`,
      );
    }
    const payload = properties.sub(length - 4, 'port.property');
    properties.skip(Math.min(properties.remaining, (8 - (length % 8)) % 8), 'port.property.pad');
    if (type === PORT_PROPERTY_ETHERNET) {
      payload.skip(4 + 16, 'port.ethernet.features');
      const currentSpeed = payload.u32('port.ethernet.curr_speed');
      speeds = { currentSpeed, maximumSpeed: payload.u32('port.ethernet.max_speed') };
    }
  }
  return speeds;
}

/** Reads a text in a field of fixed size, terminated by a zero byte. */
export function readText(reader: WireReader, size: number, what: string): string {
  const field = reader.view(size, what);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? size : end);
}
