// The layout of a flow in the memory of a cache, which both engines have: flow-entry.ts, and src/engine in AssemblyScript. So this
// file has nothing but whole numbers. All are words of 32 bits from the start of the entry; counters and times are two words, the
// low one first. They are exported numbers instead of a table, because the build inlines those.

export const ENTRY_HASH = 0;
export const ENTRY_DOMAIN = 1;
export const ENTRY_TEMPLATE = 2;
/** The minimum IP total length in the upper half, the maximum in the lower. */
export const ENTRY_LENGTHS = 3;
export const ENTRY_START = 4;
export const ENTRY_END = 6;
export const ENTRY_PACKETS = 8;
export const ENTRY_OCTETS = 10;
export const ENTRY_SQUARES = 12;
export const ENTRY_KEY = 14;

// Words behind the key of an entry of the format `extended`, from the end of the key.
export const EXTENDED_OCTETS = 0;
/** The flags of all samples. */
export const EXTENDED_TCP_FLAGS = 2;
export const EXTENDED_WORD_COUNT = 3;

/**
 * The largest length of an IP packet in minimum, maximum and sum of squares, which have 16 bits for it; a longer one
 * (offloaded, or a jumbogram of RFC 2675) is limited to it there. Octets are not limited.
 */
export const IP_TOTAL_LENGTH_MAX = 0xffff;

/** Words of a segment of the memory of entries, and where its first entry begins: not at 0, as an address of 0 means "none". */
export const SEGMENT_WORDS = 65_536;
export const SEGMENT_FIRST_WORD = 16;
