// The codec of the asynchronous configuration: which unsolicited messages the switch sends on this connection. It has two
// layouts: OFPT_SET_ASYNC with fixed masks (1.3, and as NXT_SET_ASYNC_CONFIG in 1.0) and with properties (1.4, 1.5, and
// as NXT_SET_ASYNC_CONFIG2 in 1.0 and 1.3, where only this one can enable forwarded requests).
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

/** Masks of reasons: bit n enables messages of reason n. */
export interface AsyncMasks {
  /** While the role of this connection is equal or primary. */
  readonly active: number;
  /** While the role of this connection is secondary. */
  readonly secondary: number;
}

/** Masks by kind of message. The layout with properties leaves absent kinds unchanged, that with fixed masks sets them to 0. */
export interface AsyncConfig {
  /** Bit n is reason n of `PACKET_IN_REASON_CODES`: 1 is a table miss, 2 an action. */
  readonly packetIn?: AsyncMasks;
  /** OFPPR_*: 1 add, 2 delete, 4 modify. */
  readonly portStatus?: AsyncMasks;
  /** OFPRR_*: 1 idle, 2 hard timeout, 4 delete. */
  readonly flowRemoved?: AsyncMasks;
  readonly roleStatus?: AsyncMasks;
  readonly tableStatus?: AsyncMasks;
  /** 1 is group mods, 2 meter mods. */
  readonly requestForward?: AsyncMasks;
}

/** Bits of the masks. OVS refuses bits that the version lacks. */
export const PORT_STATUS_REASONS = { add: 1, delete: 2, modify: 4 } as const;
export const REQUEST_FORWARD_REASONS = { groupMod: 1, meterMod: 2 } as const;

/** In the order of property numbers: the mask of the secondary role is 2 * n, the other 2 * n + 1. */
const KINDS = [
  'packetIn',
  'portStatus',
  'flowRemoved',
  'roleStatus',
  'tableStatus',
  'requestForward',
] as const;
const FIXED_KINDS = ['packetIn', 'portStatus', 'flowRemoved'] as const;
const NONE: AsyncMasks = { active: 0, secondary: 0 };

/*
 * fixed form                                        property form: for each mask
 *   u32 packet-in, active    u32 secondary            u16 type
 *   u32 port status          u32                      u16 8
 *   u32 flow removed         u32                      u32 mask
 */
function encodeAsyncFixed(_version: OpenFlowVersion, config: AsyncConfig, writer: WireWriter): void {
  for (const kind of FIXED_KINDS) {
    const masks = config[kind] ?? NONE;
    writer.u32(masks.active).u32(masks.secondary);
  }
}

function decodeAsyncFixed(_version: OpenFlowVersion, reader: WireReader): AsyncConfig {
  const config: { [kind in (typeof KINDS)[number]]?: AsyncMasks } = {};
  for (const kind of FIXED_KINDS) {
    const active = reader.u32(`async.${kind}`);
    config[kind] = { active, secondary: reader.u32(`async.${kind}`) };
  }
  return config;
}

export function encodeAsyncProperties(
  _version: OpenFlowVersion,
  config: AsyncConfig,
  writer: WireWriter,
): void {
  for (const [index, kind] of KINDS.entries()) {
    const masks = config[kind];
    if (masks !== undefined) {
      writer
        .u16(2 * index)
        .u16(8)
        .u32(masks.secondary);
      writer
        .u16(2 * index + 1)
        .u16(8)
        .u32(masks.active);
    }
  }
}

export function decodeAsyncProperties(_version: OpenFlowVersion, reader: WireReader): AsyncConfig {
  const config: { [kind in (typeof KINDS)[number]]?: AsyncMasks } = {};
  while (reader.remaining > 0) {
    const type = reader.u16('async.property.type');
    const length = reader.u16('async.property.length');
    if (length < 4) {
      throw reader.fault(
        'async.property.length',
        `is ${length}, less than the 4 bytes of the property's header`,
      );
    }
    const payload = reader.sub(length - 4, 'async.property');
    reader.skip(Math.min(reader.remaining, (8 - (length % 8)) % 8), 'async.property.pad');
    const kind = KINDS[type >> 1];
    if (kind !== undefined) {
      const mask = payload.u32('async.property.mask');
      const before = config[kind] ?? NONE;
      config[kind] = (type & 1) === 1 ? { ...before, active: mask } : { ...before, secondary: mask };
    }
  }
  return config;
}

/** Encodes OFPT_SET_ASYNC in the version's own layout (in 1.0: NXT_SET_ASYNC_CONFIG). */
export function encodeAsync(version: OpenFlowVersion, config: AsyncConfig, writer: WireWriter): void {
  (version >= 5 ? encodeAsyncProperties : encodeAsyncFixed)(version, config, writer);
}

export function decodeAsync(version: OpenFlowVersion, reader: WireReader): AsyncConfig {
  return (version >= 5 ? decodeAsyncProperties : decodeAsyncFixed)(version, reader);
}
