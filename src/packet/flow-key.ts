// The flow key between the dissector and the flow cache. Its owner uses one object for every frame, so that a sample allocates
// nothing.

import { KEY_WORD_COUNT_MAX } from '../ipfix/record-layout.ts';
import { FrameView } from './frame-view.ts';

/** Faults that the dissector found in a frame, as bits of `FlowKey.faults`. The frame is counted all the same. */
export const FrameFault = {
  /** The frame is shorter than an Ethernet header: the key is zeros but for the observation point. */
  ethernet: 1,
  /** The IPv4 or IPv6 header is malformed or truncated: addresses, protocol, TTL and class are zeros. */
  ipHeader: 2,
  /** The chain of IPv6 extension headers exceeds the frame: the protocol is 59, "no next header". */
  ipv6Extension: 4,
  /**
   * The TCP or UDP header is malformed or truncated: the ports are 0. In the format `extended` also that of SCTP, and of ICMP:
   * type and code are 0.
   */
  transport: 8,
} as const;

/** Bytes of the memory of a key: the longest one, and a word behind it. */
const KEY_BYTES = (KEY_WORD_COUNT_MAX + 1) * 4;

/** In place of the offset of a header: the frame does not have it. */
export const NO_HEADER = -1;

/**
 * The flow key of one frame, overwritten by each dissection: its leading part in the order of the record and, in the format
 * `extended`, a word for each element behind it (ingressInterface, type and code of ICMP, then what is known of a tunnel).
 */
export class FlowKey {
  /** The leading part is `bytes[0, size)`, followed by zeros up to a multiple of 4 and the words of the trailing part. */
  readonly bytes: Buffer;
  /** The same memory as words in the byte order of the machine, for hashing and comparing. */
  readonly words: Int32Array;
  /** Bytes of the leading part: always `keySize(templateId)`. */
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
  /** Format `extended`: the flags of the TCP header, 0 without one. */
  tcpControlBits = 0;
  /** Format `extended`: the length of the packet that the IP header says; 0 without one, or when the header has no number. */
  ipTotalLength = 0;
  /** Where dissect.ts has found the IP header and the header behind it, in bytes of the frame's memory, or `NO_HEADER`. */
  networkAt = NO_HEADER;
  transportAt = NO_HEADER;

  /** The view of the memory in which frames lie. */
  readonly frames: FrameView;

  /** Keys of frames in the same memory may share its view. The key lies in `memory` at `offset`: in `KEY_BYTES` bytes. */
  constructor(
    frames = new FrameView(),
    memory: ArrayBuffer | SharedArrayBuffer = new ArrayBuffer(KEY_BYTES),
    offset = 0,
  ) {
    this.frames = frames;
    this.bytes = Buffer.from(memory, offset, KEY_BYTES);
    this.words = new Int32Array(memory, offset, KEY_BYTES / 4);
  }
}
