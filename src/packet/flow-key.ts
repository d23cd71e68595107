// The scratch object between the dissector and the flow cache. A source of samples owns one and uses it for
// every frame, so that a sample costs no memory.

import { FrameView } from './frame-view.ts';
import { KEY_SIZE_MAX } from './template-id.ts';

/**
 * What the dissector found to be wrong with a frame, as bits of `FlowKey.faults`. None keeps it from being
 * counted.
 */
export const FrameFault = {
  /** The frame is shorter than an Ethernet header: the key is zeros but for the observation point. */
  ethernet: 1,
  /** The IPv4 or IPv6 header is impossible or not all there: addresses, protocol, TTL and class are zeros. */
  ipHeader: 2,
  /** The chain of IPv6 extension headers runs past the end: the protocol is 59, "no next header". */
  ipv6Extension: 4,
  /** The TCP or UDP header is not all there: the ports are 0. */
  transport: 8,
} as const;

const WORD_COUNT_MAX = Math.ceil(KEY_SIZE_MAX / 4) + 1;

/** The flow key of one frame, in wire order; overwritten by each `dissect`. */
export class FlowKey {
  /** The key is `bytes[0, size)`. It is followed by zeros up to a multiple of 4. */
  readonly bytes: Buffer;
  /** The same memory by words of the machine's byte order, to hash and compare by. */
  readonly words: Int32Array;
  /** How many bytes of `bytes` are the key: always `keySize(templateId)`. */
  size = 0;
  /** The template of records with this key. */
  templateId = 0;
  /** 14, or 18 with a VLAN tag. */
  ethernetHeaderLength = 0;
  /** Whether the template's layer 3 is IPv4 or IPv6. */
  isIp = false;
  /** The IP protocol number of the key; 0 when not IP. */
  protocol = 0;
  /** Bits of `FrameFault`; 0 for a sound frame. */
  faults = 0;

  /** The memory that frames come from. */
  readonly frames: FrameView;

  /** Keys that are filled from the same memory may share its view. */
  constructor(frames = new FrameView()) {
    this.frames = frames;
    const memory = new ArrayBuffer(WORD_COUNT_MAX * 4);
    this.bytes = Buffer.from(memory);
    this.words = new Int32Array(memory);
  }
}
