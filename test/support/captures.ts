// Makes capture files for tests: pcap and pcapng in both byte orders.

/** A packet of a capture. */
export interface TestPacket {
  readonly frame: Uint8Array;
  /** Length of the whole frame in bytes. Default: that of the captured part. */
  readonly originalLength?: number;
  /** Microseconds since 1970. */
  readonly micros?: number;
}

/** The format of a pcap file. */
export interface PcapStyle {
  readonly bigEndian?: boolean;
  readonly nanoseconds?: boolean;
  /** The link type; in the upper bits a check sequence may be declared. */
  readonly linkType?: number;
  /** Default: 4, of version 2.4. */
  readonly minorVersion?: number;
  readonly snapLength?: number;
}

export function pcapFile(packets: readonly TestPacket[], style: PcapStyle = {}): Buffer {
  const put = writer(style.bigEndian ?? false);
  const header = [
    put.u32(style.nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4),
    put.u16(2),
    put.u16(style.minorVersion ?? 4),
    put.u32(0),
    put.u32(0),
    put.u32(style.snapLength ?? 262_144),
    put.u32(style.linkType ?? 1),
  ];
  const records = packets.map(({ frame, originalLength, micros = 0 }) => [
    put.u32(Math.floor(micros / 1e6)),
    put.u32((micros % 1e6) * (style.nanoseconds ? 1000 : 1) + (style.nanoseconds ? 999 : 0)),
    put.u32(frame.length),
    put.u32(originalLength ?? frame.length),
    frame,
  ]);
  return Buffer.concat([...header, ...records.flat()]);
}

/** Returns makers of pcapng blocks in one byte order. */
export function pcapngBlocks(bigEndian: boolean) {
  const put = writer(bigEndian);
  const block = (type: number, ...parts: readonly Uint8Array[]): Buffer => {
    const body = Buffer.concat(parts);
    const padding = Buffer.alloc((4 - (body.length % 4)) % 4);
    const size = put.u32(12 + body.length + padding.length);
    return Buffer.concat([put.u32(type), size, body, padding, size]);
  };
  const option = (code: number, value: Uint8Array): Buffer =>
    Buffer.concat([put.u16(code), put.u16(value.length), value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
  return {
    section: (major = 1) =>
      block(
        0x0a0d0d0a,
        put.u32(0x1a2b3c4d),
        put.u16(major),
        put.u16(0),
        put.u32(0xffffffff),
        put.u32(0xffffffff),
      ),
    interface: (linkType = 1, snapLength = 0, ...options: readonly Uint8Array[]) =>
      block(1, put.u16(linkType), put.u16(0), put.u32(snapLength), ...options),
    timeResolution: (value: number) => option(9, Uint8Array.of(value)),
    checkSequence: (length: number) => option(13, Uint8Array.of(length)),
    timeOffset: (seconds: bigint) => option(14, put.i64(seconds)),
    /** Makes an enhanced packet block; `units` is its time in units of the interface. */
    packet: (frame: Uint8Array, units: bigint, number = 0, originalLength = frame.length) =>
      block(
        6,
        put.u32(number),
        put.u32(Number(units >> 32n)),
        put.u32(Number(units & 0xffff_ffffn)),
        put.u32(frame.length),
        put.u32(originalLength),
        frame,
      ),
    simplePacket: (frame: Uint8Array, originalLength = frame.length) =>
      block(3, put.u32(originalLength), frame),
    obsoletePacket: (frame: Uint8Array, units: bigint, number = 0) =>
      block(
        2,
        put.u16(number),
        put.u16(7),
        put.u32(Number(units >> 32n)),
        put.u32(Number(units & 0xffff_ffffn)),
        put.u32(frame.length),
        put.u32(frame.length),
        frame,
      ),
    other: (type: number, size: number) => block(type, Buffer.alloc(size, 0xee)),
  };
}

function writer(bigEndian: boolean) {
  const of = (size: number, put: (view: DataView) => void): Uint8Array => {
    const view = new DataView(new ArrayBuffer(size));
    put(view);
    return new Uint8Array(view.buffer);
  };
  return {
    u16: (value: number) => of(2, (view) => view.setUint16(0, value, !bigEndian)),
    u32: (value: number) => of(4, (view) => view.setUint32(0, value, !bigEndian)),
    i64: (value: bigint) => of(8, (view) => view.setBigInt64(0, value, !bigEndian)),
  };
}
