// The flow key between the dissector and the flow cache. Its owner uses one object for every frame, so that a sample allocates
// nothing.

import { KEY_SIZE_MAX } from '../ipfix/record-layout.ts';
import { FrameView } from './frame-view.ts';

/** Faults that the dissector found in a frame, as bits of `FlowKey.faults`. The frame is counted all the same. */
export const FrameFault = {
  /** The frame is shorter than an Ethernet header: the key is zeros but for the observation point. */
  ethernet: 1,
  /** The IPv4 or IPv6 header is malformed or truncated: addresses, protocol, TTL and class are zeros. */
  ipHeader: 2,
  /** The chain of IPv6 extension headers exceeds the frame: the protocol is 59, "no next header". */
  ipv6Extension: 4,
  /** The TCP or UDP header is malformed or truncated: the ports are 0. */
  transport: 8,
} as const;

const WORD_COUNT_MAX = Math.ceil(KEY_SIZE_MAX / 4) + 1;

/** The flow key of one frame, in wire order; overwritten by each `dissect`. */
export class FlowKey {
  /** The key is `bytes[0, size)`, followed by zeros up to a multiple of 4. */
  readonly bytes: Buffer;
  /** The same memory as words in the byte order of the machine, for hashing and comparing. */
  readonly words: Int32Array;
  /** Bytes of the key: always `keySize(templateId)`. */
  size = 0;
  /** The template of records with this key. */
  templateId = 0;
  /** 14, or 18 with a VLAN tag. */
  ethernetHeaderLength = 0;
  /** Whether the template's layer 3 is IPv4 or IPv6. */
  isIp = false;
  /** The IP protocol number of the key; 0 when not IP. */
  protocol = 0;
  /** Bits of `FrameFault`; 0 for a well-formed frame. */
  faults = 0;

  /** The view of the memory in which frames lie. */
  readonly frames: FrameView;

  /** Keys of frames in the same memory may share its view. */
  constructor(frames = new FrameView()) {
    this.frames = frames;
    const memory = new ArrayBuffer(WORD_COUNT_MAX * 4);
    this.bytes = Buffer.from(memory);
    this.words = new Int32Array(memory);
  }
}
