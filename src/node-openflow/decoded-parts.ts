// Parts of messages that recur: tens of thousands of flows have the same fields and actions. What occurs a second time is kept, and
// shared by all that have it, which saves time and memory: what is decoded is never modified. What occurs once is not kept, because
// a small buffer keeps the whole block of memory that it is a part of.

/** Parts of one kind and context that are kept, those that have occurred once included. */
export const DECODED_PARTS_MAX = 1024;
/** The size of the largest part that is kept, in bytes. */
const PART_BYTES_MAX = 256;

/** Decoded parts of one kind; `Context` is what else decides how bytes are decoded, such as the version. */
export class DecodedParts<Context, Part> {
  readonly #parts = new Map<Context, Map<string, Part | undefined>>();

  /** Returns what `bytes[start, end)` is decoded to: by `decode`, unless it is kept. */
  get(context: Context, bytes: Buffer, start: number, end: number, decode: () => Part): Part {
    if (end - start > PART_BYTES_MAX) {
      return decode();
    }
    const parts = this.#ofContext(context);
    const key = bytes.toString('latin1', start, end);
    const known = parts.get(key);
    if (known !== undefined) {
      return known;
    }
    const part = decode();
    if (parts.has(key)) {
      parts.set(key, part);
    } else {
      if (parts.size >= DECODED_PARTS_MAX) {
        parts.clear();
      }
      parts.set(key, undefined);
    }
    return part;
  }

  #ofContext(context: Context): Map<string, Part | undefined> {
    let parts = this.#parts.get(context);
    if (parts === undefined) {
      parts = new Map();
      this.#parts.set(context, parts);
    }
    return parts;
  }
}
