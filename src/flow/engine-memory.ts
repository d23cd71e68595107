// The fixed part of the memory that wasm-engine.ts shares with the engine in src/engine: where TypeScript writes samples and reads
// flows that have expired. Both import this file, so it has nothing but whole numbers; all but the words of a flow are bytes.

/** Secret words of the hash: one for each word that is hashed. */
export const SECRETS_AT = 1024;
/** Words of the flow key of each template, a byte each, by template id less `TEMPLATE_ID_FIRST`. */
export const KEY_WORDS_AT = 2048;
export const TEMPLATE_ID_FIRST = 256;
/** The first template id of the format `extended`. */
export const EXTENDED_ID_FIRST = 512;

/** Samples of a batch, one slot each. */
export const SLOTS_AT = 4096;
export const SLOT_COUNT = 32;
export const SLOT_BYTES = 256;
// What a slot has, in bytes from its start: the time as an integer of 64 bits, octets as a double, then words.
export const SLOT_TIME = 0;
export const SLOT_OCTETS = 8;
/** Where the frame lies in the memory, and its bytes: only of a sample that the engine dissects. */
export const SLOT_FRAME = 16;
export const SLOT_FRAME_BYTES = 20;
/** Bytes of the whole frame, even if it was truncated. */
export const SLOT_FRAME_SIZE = 24;
export const SLOT_WEIGHT = 28;
export const SLOT_POINT = 32;
export const SLOT_INGRESS = 36;
export const SLOT_HEADER_BYTES = 40;
export const SLOT_IS_IP = 44;
export const SLOT_TCP_FLAGS = 48;
export const SLOT_IP_LENGTH = 52;
// Of the engine itself: the hash of the flow, and the probable address of its entry.
export const SLOT_HASH = 56;
export const SLOT_ADDRESS = 60;
// What is hashed, side by side. The template is that of the key; of a frame that the engine dissects, first one of those below.
export const SLOT_DOMAIN = 72;
export const SLOT_TEMPLATE = 76;
export const SLOT_KEY = 80;

/** In place of a template: the format of the record that the frame is dissected for. */
export const FRAME_OF_ORIGINAL = 0;
export const FRAME_OF_EXTENDED = 1;

/** Flows that have expired, each in `EXPIRED_WORDS` words: its entry and, in the last word, why it ended. */
export const EXPIRED_AT = 16_384;
/** Twice what a batch can expire: 16 for each sample. */
export const EXPIRED_COUNT = 1024;
export const EXPIRED_WORDS = 48;
export const EXPIRED_REASON = 47;

/** Records that the engine has encoded, side by side. */
export const RECORDS_AT = 212_992;
export const RECORDS_BYTES = 8192;
/**
 * The layout of the records of each template, by template id less `TEMPLATE_ID_FIRST`: the bytes of a record, 0 where TypeScript encodes
 * them, then what follows, a byte each.
 */
export const LAYOUTS_AT = 221_184;
export const LAYOUT_BYTES = 16;
export const LAYOUT_KEY_SIZE = 1;
export const LAYOUT_IS_IP = 2;
// Offsets in the record of what the format `extended` has in addition, 0 without it: octetDeltaCount is in each such record.
export const LAYOUT_INGRESS = 3;
export const LAYOUT_EGRESS = 4;
export const LAYOUT_DIRECTION = 5;
export const LAYOUT_TCP_FLAGS = 6;
export const LAYOUT_ICMP = 7;
export const LAYOUT_OCTETS = 8;
export const LAYOUT_SAMPLING = 9;
export const LAYOUT_START = 10;
export const LAYOUT_END = 11;

/** Bytes of captures, in which frames lie that the engine dissects: `CAPTURE_BUFFER_BYTES` fit. */
export const FRAMES_AT = 229_376;
export const FRAMES_BYTES = 655_360;

/** Tables of the index up to 2^14 slots, one behind the other, and what is allocated as needed, in blocks. */
export const SMALL_TABLES_AT = 917_504;
export const BLOCKS_AT = 1_310_720;
export const BLOCK_BYTES = 262_144;
