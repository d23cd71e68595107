// Dissects the most frequent frames into the key of a slot: TCP or UDP in IPv4 without options, untagged and not a fragment. See
// packet/dissect-plain.ts and packet/dissect-extended.ts, whose keys it has; all other frames are left to them.

import {
  FRAME_OF_EXTENDED,
  SLOT_HEADER_BYTES,
  SLOT_IP_LENGTH,
  SLOT_IS_IP,
  SLOT_KEY,
  SLOT_TCP_FLAGS,
  SLOT_TEMPLATE,
} from '../flow/engine-memory';

const TCP: u32 = 6;
const UDP: u32 = 17;
/** Bytes of Ethernet, IPv4 without options, and the smallest header of each. */
const UDP_FRAME_BYTES_MIN: u32 = 42;
const TCP_FRAME_BYTES_MIN: u32 = 54;
const TCP_HEADER_BYTES_MIN: u32 = 20;
const ETHERNET_HEADER_BYTES: u32 = 14;
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
const TYPE_WORD: u32 = 0x04_0e_00_08;

/** Templates of the key of such a frame. */
let templateOfOriginal: i32 = 0;
let templateOfExtended: i32 = 0;

/** Sets the templates of TCP and UDP in IPv4, untagged, of both formats. */
export function setTemplates(original: i32, extended: i32): void {
  templateOfOriginal = original;
  templateOfExtended = extended;
}

/**
 * Writes the key of the frame of `size` bytes, and what else a sample has of it, into the slot, which has the format. Returns
 * false, and writes nothing, if it is not such a frame.
 */
export function dissect(slot: usize, frame: usize, size: u32, point: u32, ingress: u32): bool {
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
  const key = slot + SLOT_KEY;
  const classOfService = typeAndClass >>> 24;
  const source = load<u32>(frame, 26);
  const destination = load<u32>(frame, 30);
  const ports = load<u32>(frame, 34);
  store<u32>(key, bswap(point), 0); // 0-3
  store<u32>(key, load<u32>(frame, 6), 4); // 4-7: source MAC address
  store<u32>(key, <u32>load<u16>(frame, 10) | ((<u32>load<u16>(frame)) << 16), 8);
  store<u32>(key, load<u32>(frame, 2), 12); // 12-15: destination MAC address
  store<u32>(key, TYPE_WORD, 16); // 16-19
  const dscp = classOfService >>> 2;
  const precedence = classOfService >>> 5;
  store<u32>(key, ((fragment >>> 16) & 0xff) | (protocol << 8) | (dscp << 16) | (precedence << 24), 20); // 20-23
  store<u32>(key, classOfService | (source << 8), 24); // 24-27
  store<u32>(key, (source >>> 24) | (destination << 8), 28);
  store<u32>(key, (destination >>> 24) | (ports << 8), 32);
  store<u32>(key, ports >>> 24, 36); // 36, and zeros after the key
  store<u32>(slot, ETHERNET_HEADER_BYTES, SLOT_HEADER_BYTES);
  store<u32>(slot, 1, SLOT_IS_IP);
  if (load<i32>(slot, SLOT_TEMPLATE) === FRAME_OF_EXTENDED) {
    addExtended(slot, frame, protocol, ingress);
  } else {
    store<i32>(slot, templateOfOriginal, SLOT_TEMPLATE);
  }
  return true;
}

/** Writes what the format `extended` has in addition: the interface, the flags of TCP and the length that the IP header says. */
function addExtended(slot: usize, frame: usize, protocol: u32, ingress: u32): void {
  store<u32>(slot + SLOT_KEY, ingress, 40);
  store<u32>(slot, <u32>bswap(load<u16>(frame, IP_LENGTH_AT)), SLOT_IP_LENGTH);
  store<u32>(slot, protocol === TCP ? <u32>load<u8>(frame, TCP_FLAGS_AT) : 0, SLOT_TCP_FLAGS);
  store<i32>(slot, templateOfExtended, SLOT_TEMPLATE);
}

/** Returns whether the whole TCP header is in the frame; it is as long as it says, options included. */
function hasTcpHeader(frame: usize, size: u32): bool {
  if (size < TCP_FRAME_BYTES_MIN) {
    return false;
  }
  const headerBytes = (<u32>load<u8>(frame, TCP_LENGTH_AT) >>> 4) * 4;
  return headerBytes >= TCP_HEADER_BYTES_MIN && headerBytes <= size - TCP_AT;
}
