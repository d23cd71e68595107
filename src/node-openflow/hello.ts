// The codec of OFPT_HELLO, and the negotiation of a version.
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

const OFPHET_VERSIONBITMAP = 1;

/** The body of a hello. */
export interface Hello {
  /** Wire numbers of the sender's versions, from its version bitmap; null without a bitmap. */
  readonly versions: readonly number[] | null;
}

/*
 * hello element (padded to 8 bytes)     version bitmap
 *   u16 type                              u16 1
 *   u16 length, without the padding       u16 length
 *   payload                               u32 bitmap[]: bit n of word w is version 32 * w + n
 */
export function decodeHello(_version: OpenFlowVersion, reader: WireReader): Hello {
  let versions: number[] | null = null;
  // Before 1.3 a hello could have any content, to be ignored; fewer bytes than an element's header are ignored.
  while (reader.remaining >= 4) {
    const type = reader.u16('hello.element.type');
    const length = reader.u16('hello.element.length');
    if (length < 4) {
      throw reader.fault(
        'hello.element.length',
        `is ${length}, less than the 4 bytes of the element's header`,
      );
    }
    const payload = reader.sub(length - 4, 'hello.element');
    if (type === OFPHET_VERSIONBITMAP) {
      versions ??= versionsOf(payload);
    }
    reader.skip(Math.min(reader.remaining, (8 - (length % 8)) % 8), 'hello.element.pad');
  }
  return { versions };
}

export function encodeHello(_version: OpenFlowVersion, hello: Hello, writer: WireWriter): void {
  if (hello.versions !== null) {
    const bitmap = hello.versions.reduce((bits, version) => bits | (1 << version), 0) >>> 0;
    writer.u16(OFPHET_VERSIONBITMAP).u16(8).u32(bitmap);
  }
}

function versionsOf(bitmap: WireReader): number[] {
  const versions: number[] = [];
  for (let word = 0; bitmap.remaining >= 4; word += 1) {
    const bits = bitmap.u32('hello.versions');
    for (let bit = 0; bit < 32; bit += 1) {
      if (((bits >>> bit) & 1) === 1) {
        versions.push(word * 32 + bit);
      }
    }
  }
  return versions;
}

/**
 * Returns the version for both sides (OpenFlow 1.3.1, section 6.3.1): the highest in both bitmaps, or, if the peer sent no
 * bitmap, the lower of both header versions if this side supports it. Null when there is none.
 */
export function negotiateVersion(
  ours: readonly OpenFlowVersion[],
  peerHeaderVersion: number,
  peerVersions: readonly number[] | null,
): OpenFlowVersion | null {
  const descending = [...ours].sort((a, b) => b - a);
  if (peerVersions !== null) {
    return descending.find((version) => peerVersions.includes(version)) ?? null;
  }
  const lower = Math.min(descending[0] ?? 0, peerHeaderVersion);
  return descending.find((version) => version === lower) ?? null;
}
