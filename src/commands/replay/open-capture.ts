// Reads the bytes of a capture from a file, a pipe or standard input, optionally compressed by gzip, into the reader's memory.
// Plain files are read without a copy.

import { closeSync, constants, createReadStream, openSync, readSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import type { CaptureReader } from '../../capture/capture-reader.ts';
import { reasonOf } from '../../runtime/sentence.ts';
import { type CaptureSource, CaptureSourceError, captureName, STANDARD_INPUT } from './capture-source.ts';
import { COMPRESSION_MAGIC_SIZE, compressionOf, GZIP, unpackAdvice } from './compression.ts';
import { StreamSource } from './stream-source.ts';

/** Opens a file, or standard input for `-`. Throws `CaptureSourceError`. */
export function openCapture(file: string): CaptureSource {
  if (file === STANDARD_INPUT) {
    return new StreamSource(process.stdin, undefined, file);
  }
  const name = captureName(file);
  try {
    const stat = statSync(file);
    if (stat.isFIFO()) {
      return openPipe(file);
    }
    const descriptor = openSync(file, 'r');
    // A device cannot be read twice, so it is read as a stream.
    if (!stat.isFile()) {
      return new StreamSource(createReadStream(file, { fd: descriptor }), undefined, file);
    }
    const head = Buffer.alloc(COMPRESSION_MAGIC_SIZE);
    const size = readSync(descriptor, head, 0, head.length, 0);
    const compression = compressionOf(head.subarray(0, size));
    if (compression === undefined) {
      return new FileSource(descriptor, stat.size, name);
    }
    if (compression !== GZIP) {
      closeSync(descriptor);
      throw new CaptureSourceError(unpackAdvice(file, compression));
    }
    return new StreamSource(createReadStream(file, { fd: descriptor, start: 0 }), stat.size, file);
  } catch (error) {
    if (error instanceof CaptureSourceError) {
      throw error;
    }
    throw new CaptureSourceError(`${name} cannot be opened: ${reasonOf(error)}.`, { cause: error });
  }
}

/** Opens a FIFO without waiting for its writer, as a socket, whose reads can be ended: those of a file stream cannot. */
function openPipe(file: string): CaptureSource {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  return new StreamSource(new Socket({ fd, readable: true, writable: false }), undefined, file);
}

class FileSource implements CaptureSource {
  readonly fileBytes: number;
  readonly #descriptor: number;
  readonly #name: string;
  readonly #readBytes = new Float64Array(1);

  constructor(descriptor: number, fileBytes: number, name: string) {
    this.#descriptor = descriptor;
    this.fileBytes = fileBytes;
    this.#name = name;
  }

  get readBytes(): number {
    return this.#readBytes[0]!;
  }

  fill(reader: CaptureReader): boolean {
    const at = reader.makeRoom();
    let count: number;
    try {
      count = readSync(this.#descriptor, reader.memory, at, reader.memory.length - at, this.#readBytes[0]!);
    } catch (error) {
      throw new CaptureSourceError(`${this.#name} cannot be read: ${reasonOf(error)}.`, { cause: error });
    }
    this.#readBytes[0]! += count;
    reader.filled(count);
    return count > 0;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
