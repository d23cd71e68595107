// Times in pcapng: 64 bits in units that each interface chooses, a power of 10 or of 2 of a second. Nanoseconds since
// 1970 do not fit a double, so the two halves are turned into microseconds without being put together.

/** How an interface counts time. */
export interface TimeUnit {
  /** Units in a microsecond, when that is a whole number; else 0. */
  readonly perMicro: number;
  /** 2^32 units are so many whole microseconds, and so many units more (when `perMicro` is not 0). */
  readonly highMicros: number;
  readonly highRest: number;
  /** Units in a second. */
  readonly perSecond: number;
  /** To be added to each time. */
  readonly offsetMicros: number;
}

const WORD = 0x1_0000_0000;

/** The unit for an `if_tsresol` (a power of 10, or of 2 with the highest bit set) and an `if_tsoffset` in seconds. */
export function timeUnit(resolution: number, offsetSeconds: number): TimeUnit {
  const isBinary = (resolution & 0x80) !== 0;
  const perSecond = isBinary ? 2 ** (resolution & 0x7f) : 10 ** resolution;
  // Beyond picoseconds the remainder below would no longer be exact.
  const perMicro = !isBinary && resolution >= 6 && resolution <= 12 ? 10 ** (resolution - 6) : 0;
  return {
    perMicro,
    highMicros: perMicro === 0 ? 0 : Math.floor(WORD / perMicro),
    highRest: perMicro === 0 ? 0 : WORD % perMicro,
    perSecond,
    offsetMicros: offsetSeconds * 1_000_000,
  };
}

/** Whole microseconds since 1970 of a time that is given as its upper and lower 32 bits. */
export function unitsToMicros(unit: TimeUnit, high: number, low: number): number {
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
