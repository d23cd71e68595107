// Parts of messages that recur: tens of thousands of flows have the same fields and actions. Each is decoded once and shared by all
// that have it, which saves time and memory: what is decoded is never modified.

/** Parts of one kind and context that are remembered. */
export const DECODED_PARTS_MAX = 1024;
/** The size of the largest part that is remembered, in bytes. */
const PART_BYTES_MAX = 256;

/** Decoded parts of one kind; `Context` is what else decides how bytes are decoded, such as the version. */
export class DecodedParts<Context, Part> {
  readonly #parts = new Map<Context, Map<string, Part>>();

  /** Returns what `bytes[start, end)` is decoded to: by `decode`, unless the same bytes are remembered. */
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
    if (parts.size >= DECODED_PARTS_MAX) {
      parts.clear();
    }
    parts.set(key, part);
    return part;
  }

  #ofContext(context: Context): Map<string, Part> {
    let parts = this.#parts.get(context);
    if (parts === undefined) {
      parts = new Map();
      this.#parts.set(context, parts);
    }
    return parts;
  }
}
