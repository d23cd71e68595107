// The codecs of messages about the switch and the connection: features, description, configuration, controller role.
import { OpenFlowEncodeError } from './errors.ts';
import { decodePorts, type Port, readText } from './port.ts';
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

/** OFPT_FEATURES_REPLY. */
export interface SwitchFeatures {
  /** The lower 48 bits are a MAC address. */
  readonly datapathId: bigint;
  readonly bufferCount: number;
  readonly tableCount: number;
  /** 0: the main connection, as always in OpenFlow 1.0. */
  readonly auxiliaryId: number;
  /** Bits of OFPC_*. */
  readonly capabilities: number;
  /** In OpenFlow 1.0 only; later versions have `port_desc_request`. */
  readonly ports: readonly Port[];
}

/*
 *   u64 datapath id    u32 buffers    u8 tables    u8 auxiliary id    u16 zero    u32 capabilities    u32 actions (1.0)
 *   ports (1.0)
 */
export function decodeFeatures(version: OpenFlowVersion, reader: WireReader): SwitchFeatures {
  const datapathId = reader.u64('features.datapath_id');
  const bufferCount = reader.u32('features.n_buffers');
  const tableCount = reader.u8('features.n_tables');
  const auxiliaryId = reader.u8('features.auxiliary_id');
  reader.skip(2, 'features.pad');
  const capabilities = reader.u32('features.capabilities');
  reader.skip(4, 'features.actions');
  const ports = version === 1 ? decodePorts(version, reader) : [];
  return { datapathId, bufferCount, tableCount, auxiliaryId, capabilities, ports };
}

/** OFPT_GET_CONFIG_REPLY and OFPT_SET_CONFIG. */
export interface SwitchConfig {
  /** OFPC_FRAG_*: the treatment of IP fragments, 0: normal. A setting of the bridge. */
  readonly flags: number;
  /** Bytes to send of a packet that misses the tables; 0: no such packet-ins. A setting of the connection. */
  readonly missSendLength: number;
}

export function decodeConfig(_version: OpenFlowVersion, reader: WireReader): SwitchConfig {
  const flags = reader.u16('config.flags');
  return { flags, missSendLength: reader.u16('config.miss_send_len') };
}

export function encodeConfig(_version: OpenFlowVersion, config: SwitchConfig, writer: WireWriter): void {
  writer.u16(config.flags).u16(config.missSendLength);
}

/** OFPMP_DESC. */
export interface SwitchDescription {
  readonly manufacturer: string;
  readonly hardware: string;
  readonly software: string;
  readonly serialNumber: string;
  readonly datapath: string;
}

export function decodeDescription(_version: OpenFlowVersion, reader: WireReader): SwitchDescription {
  const manufacturer = readText(reader, 256, 'desc.mfr_desc');
  const hardware = readText(reader, 256, 'desc.hw_desc');
  const software = readText(reader, 256, 'desc.sw_desc');
  const serialNumber = readText(reader, 32, 'desc.serial_num');
  return { manufacturer, hardware, software, serialNumber, datapath: readText(reader, 256, 'desc.dp_desc') };
}

/** A role. `nochange` (not in OpenFlow 1.0) requests the current one. A secondary gets few messages and is read-only. */
export type ControllerRole = 'nochange' | 'equal' | 'primary' | 'secondary';
const ROLES: readonly ControllerRole[] = ['nochange', 'equal', 'primary', 'secondary'];

export interface RoleRequest {
  readonly role: ControllerRole;
  /** Orders requests for the primary role; not in OpenFlow 1.0. */
  readonly generationId: bigint;
}

/*
 * OpenFlow 1.0 (NXT_ROLE_REQUEST): u32 role, 0 is equal        later: u32 role, u32 zero, u64 generation id
 */
export function encodeRole(version: OpenFlowVersion, request: RoleRequest, writer: WireWriter): void {
  const role = ROLES.indexOf(request.role);
  if (version !== 1) {
    writer.u32(role).u32(0).u64(request.generationId);
  } else if (request.role === 'nochange') {
    throw new OpenFlowEncodeError(
      'role_request',
      version,
      'this version does not have the role "nochange"; the current role cannot be requested',
    );
  } else {
    writer.u32(role - 1);
  }
}

export function decodeRole(version: OpenFlowVersion, reader: WireReader): RoleRequest {
  const number = reader.u32('role.role');
  const role = ROLES[version === 1 ? number + 1 : number];
  if (role === undefined) {
    throw reader.fault('role.role', `${number} is not a valid role`);
  }
  if (version === 1) {
    return { role, generationId: 0n };
  }
  reader.skip(4, 'role.pad');
  return { role, generationId: reader.u64('role.generation_id') };
}
