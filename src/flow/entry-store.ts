// The memory of the flow cache: entries of different sizes, first in, first out. Flows leave a cache only from its old end, so
// the order of the entries in memory is the list by flow start, and needs neither links nor a free list. The memory consists
// of segments of equal size, chained in the order in which they were filled: growing adds one and moves nothing.

import { SEGMENT_FIRST_WORD as FIRST_WORD, SEGMENT_WORDS } from './entry-layout.ts';

/** Words of a segment; an address is the segment's number and, in the low 16 bits, the word where the entry begins. */
const SEGMENT_BITS = 16;
const SEGMENT_BYTES = SEGMENT_WORDS * 4;
/** Larger numbers would not be small integers once shifted. It limits a store to 8 GiB. */
const SEGMENT_COUNT_MAX = 1 << 15;

/** Returns how many segments a store for `bytesMax` bytes of entries may have: most of the first and of the last may be unused. */
export function segmentCountMaxOf(bytesMax: number): number {
  return Math.min(Math.ceil(bytesMax / SEGMENT_BYTES) + 1, SEGMENT_COUNT_MAX);
}

/** Returns the number of the segment of an address. */
export function segmentOf(address: number): number {
  return address >>> SEGMENT_BITS;
}

/** Returns the word of an address in its segment. */
export function wordOf(address: number): number {
  return address & (SEGMENT_WORDS - 1);
}

/** Segmented first-in-first-out memory. The owner of an entry knows its size, and passes it again to remove the entry. */
export class EntryStore {
  /** The memory of each segment as words, and (below) as bytes; empty where it was released. */
  readonly segments: Int32Array[] = [];
  readonly segmentBytes: Buffer[] = [];
  /** Where a segment's last entry ends, and which segment follows it. */
  readonly #ends: number[] = [];
  readonly #nexts: number[] = [];
  /** Unused segments: those that keep their memory, and numbers without memory. */
  readonly #spares: number[] = [];
  readonly #vacant: number[] = [];
  readonly #segmentCountMax: number;
  #headSegment = -1;
  #headWord = FIRST_WORD;
  #tailSegment = -1;
  #tailWord = FIRST_WORD;
  #usedSegmentCount = 0;
  #liveWordCount = 0;
  #removedCount = 0;

  /** The store has room for `bytesMax` bytes of entries; in the segment beyond, `append` starts to refuse. */
  constructor(bytesMax: number) {
    this.#segmentCountMax = segmentCountMaxOf(bytesMax);
  }

  /** Bytes of all entries. */
  get liveBytes(): number {
    return this.#liveWordCount * 4;
  }

  /** Bytes of memory: the segments in use and the spare ones. */
  get memoryBytes(): number {
    return (this.#usedSegmentCount + this.#spares.length) * SEGMENT_BYTES;
  }

  /** Entries that have been removed, modulo 2^32 and signed. */
  get removedCount(): number {
    return this.#removedCount;
  }

  /** Address of the oldest entry; 0 without one. */
  get head(): number {
    return this.#liveWordCount === 0 ? 0 : (this.#headSegment << SEGMENT_BITS) | this.#headWord;
  }

  /** Returns the address of the entry behind one of `wordCount` words; 0 when that is the newest. */
  after(address: number, wordCount: number): number {
    const segment = segmentOf(address);
    const next = wordOf(address) + wordCount;
    if (segment === this.#tailSegment) {
      return next === this.#tailWord ? 0 : (segment << SEGMENT_BITS) | next;
    }
    return next === this.#ends[segment]
      ? (this.#nexts[segment]! << SEGMENT_BITS) | FIRST_WORD
      : (segment << SEGMENT_BITS) | next;
  }

  /** Reserves an entry of `wordCount` words behind the newest one; returns its address, or 0 when the store is full. */
  append(wordCount: number): number {
    if (this.#tailSegment < 0 || this.#tailWord + wordCount > SEGMENT_WORDS) {
      if (!this.#extend()) {
        return 0;
      }
    }
    const address = (this.#tailSegment << SEGMENT_BITS) | this.#tailWord;
    this.#tailWord += wordCount;
    this.#liveWordCount += wordCount;
    return address;
  }

  /** Removes the oldest entry. Its words stay as they are until the next `append`. */
  removeHead(wordCount: number): void {
    this.#headWord += wordCount;
    this.#liveWordCount -= wordCount;
    this.#removedCount = (this.#removedCount + 1) | 0;
    if (this.#headSegment === this.#tailSegment) {
      if (this.#liveWordCount === 0) {
        this.#headWord = FIRST_WORD;
        this.#tailWord = FIRST_WORD;
      }
    } else if (this.#headWord === this.#ends[this.#headSegment]) {
      this.#releaseHeadSegment();
    }
  }

  #extend(): boolean {
    if (this.#usedSegmentCount === this.#segmentCountMax) {
      return false;
    }
    const segment = this.#spares.pop() ?? this.#allocate();
    if (this.#tailSegment < 0) {
      this.#headSegment = segment;
    } else {
      this.#ends[this.#tailSegment] = this.#tailWord;
      this.#nexts[this.#tailSegment] = segment;
    }
    this.#usedSegmentCount += 1;
    this.#tailSegment = segment;
    this.#tailWord = FIRST_WORD;
    return true;
  }

  #allocate(): number {
    const segment = this.#vacant.pop() ?? this.segments.length;
    const memory = new ArrayBuffer(SEGMENT_BYTES);
    this.segments[segment] = new Int32Array(memory);
    this.segmentBytes[segment] = Buffer.from(memory);
    return segment;
  }

  /** Keeps some emptied segments for reuse, in proportion to those in use, and releases the memory of the others. */
  #releaseHeadSegment(): void {
    const segment = this.#headSegment;
    this.#headSegment = this.#nexts[segment]!;
    this.#headWord = FIRST_WORD;
    this.#usedSegmentCount -= 1;
    this.#spares.push(segment);
    const spareCountMax = 1 + (this.#usedSegmentCount >> 2);
    while (this.#spares.length > spareCountMax) {
      const surplus = this.#spares.pop()!;
      this.segments[surplus] = NO_WORDS;
      this.segmentBytes[surplus] = NO_BYTES;
      this.#vacant.push(surplus);
    }
  }
}

const NO_WORDS = new Int32Array(0);
const NO_BYTES = Buffer.alloc(0);
