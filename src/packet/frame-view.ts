// A view of the memory in which frames lie, which reads several bytes at once. Many frames lie in one buffer, so the view is
// kept until a frame comes from another one.

export class FrameView {
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** Returns the view of these bytes, at the same offsets. */
  of(bytes: Uint8Array): DataView {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    return this.#view;
  }
}
