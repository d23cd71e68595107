// Dissects plain frames, the most frequent ones, into the key of a slot: TCP or UDP in IPv4 without options, untagged and not a
// fragment. See packet/dissect-plain.ts and packet/dissect-extended.ts, whose keys it has; all other frames are left to them.

import {
  FRAME_OF_EXTENDED,
  SLOT_FRAME,
  SLOT_FRAME_BYTES,
  SLOT_HEADER_BYTES,
  SLOT_INGRESS,
  SLOT_IP_LENGTH,
  SLOT_IS_IP,
  SLOT_KEY,
  SLOT_POINT,
  SLOT_TCP_FLAGS,
  SLOT_TEMPLATE,
} from '../flow/engine-memory';
import { slotAt } from './sample-slot';

const TCP: u32 = 6;
const UDP: u32 = 17;
/** Bytes of Ethernet, IPv4 without options, and the smallest header of each. */
const UDP_FRAME_BYTES_MIN: u32 = 42;
const TCP_FRAME_BYTES_MIN: u32 = 54;
const TCP_HEADER_BYTES_MIN: u32 = 20;
export const ETHERNET_HEADER_BYTES: u32 = 14;
// Offsets in such a frame, in bytes.
const IP_LENGTH_AT: u32 = 16;
const TCP_AT: u32 = 34;
const TCP_LENGTH_AT: u32 = 46;
const TCP_FLAGS_AT: u32 = 47;
/** The type 0x0800, then version 4 and a header of 5 words, as the low three bytes of a little-endian word. */
const IPV4_PLAIN: u32 = 0x45_00_08;
/** The bits of the fragment offset in the two bytes at the beginning of a little-endian word. */
const FRAGMENT_OFFSET: u32 = 0xff1f;
/** The last byte of the common part and the first of the IP part, after the type: 14 bytes of header, version 4. */
const TYPE_WORD: u64 = 0x04_0e_00_08;

/** Templates of the key of such a frame. */
let templateOfOriginal: i32 = 0;
let templateOfExtended: i32 = 0;

/** Sets the templates of TCP and UDP in IPv4, untagged, of both formats. */
export function setTemplates(original: i32, extended: i32): void {
  templateOfOriginal = original;
  templateOfExtended = extended;
}

/** Dissects the frames of the slots whose bits are set; returns a bit for each that is left to TypeScript. */
export function dissectFrames(frames: i32): i32 {
  let others = 0;
  for (let left = frames; left !== 0; left &= left - 1) {
    const index = ctz(left);
    const slot = slotAt(index);
    const frame = <usize>load<u32>(slot, SLOT_FRAME);
    const isExtended = load<i32>(slot, SLOT_TEMPLATE) === FRAME_OF_EXTENDED;
    const point = bswap(load<u32>(slot, SLOT_POINT));
    if (
      dissect(
        slot,
        frame,
        load<u32>(slot, SLOT_FRAME_BYTES),
        point,
        load<u32>(slot, SLOT_INGRESS),
        isExtended,
      )
    ) {
      store<i32>(slot, isExtended ? templateOfExtended : templateOfOriginal, SLOT_TEMPLATE);
      store<u32>(slot, ETHERNET_HEADER_BYTES, SLOT_HEADER_BYTES);
      store<u32>(slot, 1, SLOT_IS_IP);
    } else {
      others |= 1 << index;
    }
  }
  return others;
}

/** Returns the template of a plain frame. */
export function plainTemplate(isExtended: bool): i32 {
  return isExtended ? templateOfExtended : templateOfOriginal;
}

/**
 * Writes the key of the frame of `size` bytes into the slot, and for the format `extended` what else the sample has of it; `point` is
 * in network byte order. Returns false, and writes nothing, if it is not a plain frame.
 */
export function dissect(
  slot: usize,
  frame: usize,
  size: u32,
  point: u32,
  ingress: u32,
  isExtended: bool,
): bool {
  if (size < UDP_FRAME_BYTES_MIN) {
    return false;
  }
  const typeAndClass = load<u32>(frame, 12);
  const fragment = load<u32>(frame, 20);
  const protocol = fragment >>> 24;
  if ((typeAndClass & 0xff_ff_ff) !== IPV4_PLAIN || (fragment & FRAGMENT_OFFSET) !== 0) {
    return false;
  }
  if (protocol !== UDP && (protocol !== TCP || !hasTcpHeader(frame, size))) {
    return false;
  }
  const classOfService = typeAndClass >>> 24;
  const addresses = load<u64>(frame, 26);
  const ports = load<u32>(frame, 34);
  const dscp = classOfService >>> 2;
  const precedence = classOfService >>> 5;
  const ttl = (fragment >>> 16) & 0xff;
  // The words of the key in pairs, the first word in the lower half.
  store<u64>(slot, <u64>point | ((<u64>load<u32>(frame, 6)) << 32), SLOT_KEY); // 4-9: source MAC address
  store<u64>(slot, <u64>load<u16>(frame, 10) | (load<u64>(frame) << 16), SLOT_KEY + 8); // 10-15: destination MAC address
  store<u64>(
    slot,
    TYPE_WORD | ((<u64>(ttl | (protocol << 8) | (dscp << 16) | (precedence << 24))) << 32),
    SLOT_KEY + 16,
  );
  store<u64>(slot, <u64>classOfService | (addresses << 8), SLOT_KEY + 24); // 25-28 and 29-32: addresses
  store<u64>(slot, (addresses >>> 56) | ((<u64>ports) << 8), SLOT_KEY + 32); // 33-36: ports, then zeros
  if (isExtended) {
    store<u32>(slot, ingress, SLOT_KEY + 40);
    store<u32>(slot, <u32>bswap(load<u16>(frame, IP_LENGTH_AT)), SLOT_IP_LENGTH);
    store<u32>(slot, protocol === TCP ? <u32>load<u8>(frame, TCP_FLAGS_AT) : 0, SLOT_TCP_FLAGS);
  }
  return true;
}

/** Returns whether the whole TCP header is in the frame; it is as long as it says, options included. */
function hasTcpHeader(frame: usize, size: u32): bool {
  if (size < TCP_FRAME_BYTES_MIN) {
    return false;
  }
  const headerBytes = (<u32>load<u8>(frame, TCP_LENGTH_AT) >>> 4) * 4;
  return headerBytes >= TCP_HEADER_BYTES_MIN && headerBytes <= size - TCP_AT;
}
