// Times in pcapng: 64 bits in a unit of each interface, a power of 10 or of 2 of a second. Nanoseconds since 1970 do not fit a
// double, so the two halves are converted to microseconds separately.

/** The time unit of an interface. */
export interface TimeUnit {
  /** Units in a microsecond, if that is a whole number; else 0. */
  readonly perMicro: number;
  /** 2^32 units as whole microseconds and a rest in units (if `perMicro` is not 0). */
  readonly highMicros: number;
  readonly highRest: number;
  /** Units in a second. */
  readonly perSecond: number;
  /** The offset of all times, in microseconds. */
  readonly offsetMicros: number;
}

const WORD = 0x1_0000_0000;
/** The latest time, in microseconds: beyond it a double does not tell two of them apart. */
const LATEST_MICROS = Number.MAX_SAFE_INTEGER;

/** Returns the unit of an `if_tsresol` (a power of 10, or of 2 with the highest bit set) and an `if_tsoffset` in seconds. */
export function timeUnit(resolution: number, offsetSeconds: number): TimeUnit {
  const isBinary = (resolution & 0x80) !== 0;
  const perSecond = isBinary ? 2 ** (resolution & 0x7f) : 10 ** resolution;
  // Beyond picoseconds the rest below would not be exact.
  const perMicro = !isBinary && resolution >= 6 && resolution <= 12 ? 10 ** (resolution - 6) : 0;
  return {
    perMicro,
    highMicros: perMicro === 0 ? 0 : Math.floor(WORD / perMicro),
    highRest: perMicro === 0 ? 0 : WORD % perMicro,
    perSecond,
    offsetMicros: offsetSeconds * 1_000_000,
  };
}

/** Converts a time, as its upper and lower 32 bits, to whole microseconds since 1970; one before or past all becomes the first or last. */
export function unitsToMicros(unit: TimeUnit, high: number, low: number): number {
  return Math.min(Math.max(microsOf(unit, high, low), 0), LATEST_MICROS);
}

function microsOf(unit: TimeUnit, high: number, low: number): number {
  if (unit.perMicro !== 0) {
    return (
      high * unit.highMicros + Math.floor((high * unit.highRest + low) / unit.perMicro) + unit.offsetMicros
    );
  }
  const units = high * WORD + low;
  const seconds = Math.floor(units / unit.perSecond);
  const rest = units - seconds * unit.perSecond;
  return seconds * 1_000_000 + Math.floor((rest * 1_000_000) / unit.perSecond) + unit.offsetMicros;
}
