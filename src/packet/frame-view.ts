// The memory that frames lie in, as a view that reads several bytes at once. Frames come many to a piece of memory, so
// the view is made for the piece and kept as long as frames come from it.

/** One piece of memory at a time: see the head of the file. */
export class FrameView {
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** The view of these bytes, at the same offsets. */
  of(bytes: Uint8Array): DataView {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    return this.#view;
  }
}
