// The codecs of meters (OpenFlow 1.3 and later): meter mods, statistics, configuration and features.
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

/** The highest meter id (OFPM_MAX), and OFPM_ALL. */
export const METER_MAX = 0xffff_0000;
export const METER_ALL = 0xffff_ffff;

/** Bits of `flags`. Exactly one of `kbps` and `pktps` must be set; OVS ignores the burst size without `burst`. */
export const METER_FLAGS = { kbps: 1, pktps: 2, burst: 4, stats: 8 } as const;

const BAND_DROP = 1;
const BAND_DSCP_REMARK = 2;
const BAND_HEADER_SIZE = 12;

/** A band: what a meter does above a rate. Rate and burst size are in packets or kilobits, by the meter's flags. */
export type MeterBand =
  | { readonly type: 'drop'; readonly rate: number; readonly burstSize: number }
  | {
      readonly type: 'dscp_remark';
      readonly rate: number;
      readonly burstSize: number;
      readonly precedenceLevel: number;
    }
  | {
      readonly type: 'unknown';
      readonly bandType: number;
      readonly rate: number;
      readonly burstSize: number;
      /** The bytes after the common fields. */
      readonly bytes: Buffer;
    };

const METER_COMMANDS = ['add', 'modify', 'delete'] as const;
export type MeterCommand = (typeof METER_COMMANDS)[number];

/** OFPMP_METER_CONFIG: the configuration of a meter. */
export interface MeterConfig {
  readonly meterId: number;
  readonly flags: number;
  readonly bands: readonly MeterBand[];
}

/** OFPT_METER_MOD. Deleting `METER_ALL` deletes all meters. Deleting a meter deletes the flows with it as instruction. */
export interface MeterMod extends MeterConfig {
  readonly command: MeterCommand;
}

/** OFPMP_METER: counters since the meter was added. */
export interface MeterStats {
  readonly meterId: number;
  /** Flows with the meter as instruction; OVS does not count controller actions. */
  readonly flowCount: number;
  readonly packetCount: bigint;
  readonly byteCount: bigint;
  readonly durationSeconds: number;
  /** The rest of the time in nanoseconds. */
  readonly durationNanoseconds: number;
  /** Counters of what each band dropped or remarked, in the order of the configuration. */
  readonly bands: readonly { readonly packetCount: bigint; readonly byteCount: bigint }[];
}

/** OFPMP_METER_FEATURES. */
export interface MeterFeatures {
  readonly meterCountMax: number;
  /** Bit n: bands of type n are supported (value 2: drop, 4: remark). */
  readonly bandTypes: number;
  /** Supported bits of `METER_FLAGS`. */
  readonly capabilities: number;
  readonly bandCountMax: number;
  readonly colorMax: number;
}

/*
 * OFPT_METER_MOD            band (16)                 OFPMP_METER_CONFIG entry
 *   u16 command               u16 type                  u16 length
 *   u16 flags                 u16 length                u16 flags
 *   u32 meter                 u32 rate                  u32 meter
 *   bands                     u32 burst size            bands
 *                             drop: u32 zero
 *                             remark: u8 level, u8[3] zero
 */
export function encodeMeterMod(_version: OpenFlowVersion, mod: MeterMod, writer: WireWriter): void {
  writer.u16(METER_COMMANDS.indexOf(mod.command)).u16(mod.flags).u32(mod.meterId);
  for (const band of mod.bands) {
    encodeBand(band, writer);
  }
}

export function decodeMeterMod(_version: OpenFlowVersion, reader: WireReader): MeterMod {
  const number = reader.u16('meter_mod.command');
  const command = METER_COMMANDS[number];
  if (command === undefined) {
    throw reader.fault('meter_mod.command', `${number} is not one of add (0), modify (1) and delete (2)`);
  }
  const flags = reader.u16('meter_mod.flags');
  const meterId = reader.u32('meter_mod.meter_id');
  return { command, flags, meterId, bands: decodeBands(reader) };
}

export function decodeMeterConfig(_version: OpenFlowVersion, reader: WireReader): MeterConfig {
  const length = reader.u16('meter_config.length');
  const flags = reader.u16('meter_config.flags');
  const meterId = reader.u32('meter_config.meter_id');
  return { meterId, flags, bands: decodeBands(reader.sub(length - 8, 'meter_config.bands')) };
}

/** Encodes the body of OFPMP_METER and OFPMP_METER_CONFIG requests. */
export function encodeMeterRequest(
  _version: OpenFlowVersion,
  request: { readonly meterId: number },
  writer: WireWriter,
): void {
  writer.u32(request.meterId).u32(0);
}

/*
 * OFPMP_METER entry (40 + 16 per band)
 *   u32 meter    u16 length    u8[6] zero    u32 flows    u64 packets    u64 bytes    u32 seconds    u32 nanoseconds
 *   per band: u64 packets, u64 bytes
 */
export function decodeMeterStats(_version: OpenFlowVersion, reader: WireReader): MeterStats {
  const meterId = reader.u32('meter_stats.meter_id');
  const length = reader.u16('meter_stats.len');
  const entry = reader.sub(length - 6, 'meter_stats');
  entry.skip(6, 'meter_stats.pad');
  const flowCount = entry.u32('meter_stats.flow_count');
  const packetCount = entry.u64('meter_stats.packet_in_count');
  const byteCount = entry.u64('meter_stats.byte_in_count');
  const durationSeconds = entry.u32('meter_stats.duration_sec');
  const durationNanoseconds = entry.u32('meter_stats.duration_nsec');
  const bands = [];
  while (entry.remaining > 0) {
    const bandPackets = entry.u64('meter_stats.packet_band_count');
    bands.push({ packetCount: bandPackets, byteCount: entry.u64('meter_stats.byte_band_count') });
  }
  return { meterId, flowCount, packetCount, byteCount, durationSeconds, durationNanoseconds, bands };
}

export function decodeMeterFeatures(_version: OpenFlowVersion, reader: WireReader): MeterFeatures {
  const meterCountMax = reader.u32('meter_features.max_meter');
  const bandTypes = reader.u32('meter_features.band_types');
  const capabilities = reader.u32('meter_features.capabilities');
  const bandCountMax = reader.u8('meter_features.max_bands');
  const colorMax = reader.u8('meter_features.max_color');
  reader.skip(2, 'meter_features.pad');
  return { meterCountMax, bandTypes, capabilities, bandCountMax, colorMax };
}

function encodeBand(band: MeterBand, writer: WireWriter): void {
  if (band.type === 'unknown') {
    writer.u16(band.bandType).u16(BAND_HEADER_SIZE + band.bytes.length);
    writer.u32(band.rate).u32(band.burstSize).put(band.bytes);
    return;
  }
  writer.u16(band.type === 'drop' ? BAND_DROP : BAND_DSCP_REMARK).u16(16);
  writer.u32(band.rate).u32(band.burstSize);
  writer.u8(band.type === 'drop' ? 0 : band.precedenceLevel).zeros(3);
}

function decodeBands(reader: WireReader): MeterBand[] {
  const bands: MeterBand[] = [];
  while (reader.remaining > 0) {
    const bandType = reader.u16('meter.band.type');
    const length = reader.u16('meter.band.len');
    const rest = reader.sub(length - 4, 'meter.band');
    const rate = rest.u32('meter.band.rate');
    const burstSize = rest.u32('meter.band.burst_size');
    if (bandType === BAND_DROP) {
      rest.skip(4, 'meter.band.pad');
      bands.push({ type: 'drop', rate, burstSize });
    } else if (bandType === BAND_DSCP_REMARK) {
      bands.push({ type: 'dscp_remark', rate, burstSize, precedenceLevel: rest.u8('meter.band.prec_level') });
      rest.skip(3, 'meter.band.pad');
    } else {
      bands.push({
        type: 'unknown',
        bandType,
        rate,
        burstSize,
        bytes: rest.copy(rest.remaining, 'meter.band'),
      });
    }
  }
  return bands;
}
