// A shortcut of the dissector for the most frequent frames: TCP or UDP in IPv4 without options, untagged and not a fragment.
// It reads and writes words instead of bytes and returns the same key; all other frames are left to dissect.ts.

import { endianness } from 'node:os';
import { keySize, Layer2, Layer3, Layer4, templateId } from '../ipfix/record-layout.ts';
import type { FlowKey } from './flow-key.ts';

/** Keys are compared and hashed by words in the byte order of the machine; here they are composed as little-endian words. */
const IS_LITTLE_ENDIAN = endianness() === 'LE';

const UDP = 17;
const TCP = 6;
/** Bytes of Ethernet, IPv4 without options, and the smallest header of each. */
const UDP_FRAME_SIZE_MIN = 42;
const TCP_FRAME_SIZE_MIN = 54;
/** Offset of the TCP header's length (upper half of the byte, in words), and of the header. */
const TCP_LENGTH_AT = 46;
const TCP_AT = 34;
/** The type 0x0800, then version 4 and a header of 5 words, as the low three bytes of a little-endian word. */
const IPV4_PLAIN = 0x45_00_08;
/** The bits of the fragment offset in the two bytes at the beginning of a little-endian word. */
const FRAGMENT_OFFSET = 0xff1f;

/** The last byte of the common part and the first of the IP part, after the type: 14 bytes of header, version 4. */
const TYPE_WORD = 0x04_0e_00_08;
const TEMPLATE_ID = templateId(Layer2.untagged, Layer3.ipv4, Layer4.ports);
const KEY_SIZE = keySize(TEMPLATE_ID);

/**
 * Writes the key of the frame of `size` bytes at `start`. Returns false, and writes nothing, if it is not such a frame. The
 * words are composed by hand in the order of the record layout; the comments say which bytes of the key they are.
 */
export function dissectPlain(
  view: DataView,
  start: number,
  size: number,
  observationPointId: number,
  key: FlowKey,
): boolean {
  if (size < UDP_FRAME_SIZE_MIN || !IS_LITTLE_ENDIAN) {
    return false;
  }
  const typeAndClass = view.getInt32(start + 12, true);
  const fragment = view.getInt32(start + 20, true);
  const protocol = fragment >>> 24;
  if ((typeAndClass & 0xff_ff_ff) !== IPV4_PLAIN || (fragment & FRAGMENT_OFFSET) !== 0) {
    return false;
  }
  if (protocol !== UDP && (protocol !== TCP || !hasTcpHeader(view, start, size))) {
    return false;
  }
  const { words } = key;
  const classOfService = typeAndClass >>> 24;
  const source = view.getInt32(start + 26, true);
  const destination = view.getInt32(start + 30, true);
  const ports = view.getInt32(start + 34, true);
  words[0] = swapped(observationPointId); // 0-3
  words[1] = view.getInt32(start + 6, true); // 4-7: source MAC address
  words[2] = view.getUint16(start + 10, true) | (view.getUint16(start, true) << 16);
  words[3] = view.getInt32(start + 2, true); // 12-15: destination MAC address
  words[4] = TYPE_WORD; // 16-19
  words[5] =
    ((fragment >>> 16) & 0xff) |
    (protocol << 8) |
    ((classOfService >>> 2) << 16) |
    ((classOfService >>> 5) << 24); // 20-23
  words[6] = classOfService | (source << 8); // 24-27
  words[7] = (source >>> 24) | (destination << 8);
  words[8] = (destination >>> 24) | (ports << 8);
  words[9] = ports >>> 24; // 36, and zeros after the key
  key.size = KEY_SIZE;
  key.templateId = TEMPLATE_ID;
  key.ethernetHeaderLength = 14;
  key.isIp = true;
  key.protocol = protocol;
  key.faults = 0;
  return true;
}

/** Returns whether the whole TCP header is in the frame; it is as long as it says, options included. */
function hasTcpHeader(view: DataView, start: number, size: number): boolean {
  if (size < TCP_FRAME_SIZE_MIN) {
    return false;
  }
  const headerSize = (view.getUint8(start + TCP_LENGTH_AT) >>> 4) * 4;
  return headerSize >= TCP_FRAME_SIZE_MIN - TCP_AT && headerSize <= size - TCP_AT;
}

/** Returns a word with its bytes reversed. */
function swapped(word: number): number {
  return (word >>> 24) | ((word >>> 8) & 0xff00) | ((word & 0xff00) << 8) | (word << 24);
}
