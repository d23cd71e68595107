// Reads the bytes of a capture from a file or standard input, optionally compressed by gzip, into the reader's memory. Plain
// files are read without a copy.

import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { CaptureReader } from '../../capture/capture-reader.ts';
import { reasonOf } from '../../runtime/sentence.ts';

/** A file that cannot be opened or read; the message is a sentence. */
export class CaptureSourceError extends Error {
  readonly code = 'CAPTURE_SOURCE';
}

const GZIP_MAGIC_SIZE = 2;

/** Where a capture comes from. */
export interface CaptureSource {
  /** Size of the file as stored, in bytes; undefined when it is unknown. */
  readonly fileBytes: number | undefined;
  /** How many of them have been read. */
  readonly readBytes: number;
  /** Reads the next bytes; false at the end. */
  fill(reader: CaptureReader): boolean | Promise<boolean>;
  close(): void;
}

/** Opens a file, or standard input for `-`. Throws `CaptureSourceError`. */
export function openCapture(file: string): CaptureSource {
  if (file === '-') {
    return new StreamSource(process.stdin, undefined, 'Standard input');
  }
  const name = `The capture "${file}"`;
  try {
    const descriptor = openSync(file, 'r');
    const stat = fstatSync(descriptor);
    if (stat.isDirectory()) {
      throw new CaptureSourceError('it is a folder');
    }
    // A pipe cannot be read twice, so it is read as a stream.
    if (!stat.isFile()) {
      return new StreamSource(createReadStream(file, { fd: descriptor }), undefined, name);
    }
    const head = Buffer.alloc(GZIP_MAGIC_SIZE);
    readSync(descriptor, head, 0, GZIP_MAGIC_SIZE, 0);
    return isGzip(head)
      ? new StreamSource(createReadStream(file, { fd: descriptor, start: 0 }), stat.size, name)
      : new FileSource(descriptor, stat.size, name);
  } catch (error) {
    throw new CaptureSourceError(`${name} cannot be opened: ${reasonOf(error)}.`, { cause: error });
  }
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

class StreamSource implements CaptureSource {
  readonly fileBytes: number | undefined;
  readonly #input: Readable;
  readonly #name: string;
  readonly #chunks: AsyncIterator<Buffer>;
  #readBytes = 0;
  /** Bytes that have arrived and not been copied yet. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(input: Readable, fileBytes: number | undefined, name: string) {
    this.#input = input;
    this.fileBytes = fileBytes;
    this.#name = name;
    this.#chunks = this.#read();
  }

  get readBytes(): number {
    return this.#readBytes;
  }

  async fill(reader: CaptureReader): Promise<boolean> {
    if (this.#rest.length === 0 && !(await this.#fetch())) {
      return false;
    }
    const at = reader.makeRoom();
    const count = this.#rest.copy(reader.memory, at);
    this.#rest = this.#rest.subarray(count);
    reader.filled(count);
    return true;
  }

  close(): void {
    this.#input.destroy();
  }

  async #fetch(): Promise<boolean> {
    try {
      const { done, value } = await this.#chunks.next();
      if (done === true) {
        return false;
      }
      this.#rest = value;
      return true;
    } catch (error) {
      throw new CaptureSourceError(`${this.#name} cannot be read: ${reasonOf(error)}.`, { cause: error });
    }
  }

  async *#read(): AsyncGenerator<Buffer> {
    const counted = this.#counted();
    let head: Buffer = Buffer.alloc(0);
    while (head.length < GZIP_MAGIC_SIZE) {
      const { done, value } = await counted.next();
      if (done === true) {
        break;
      }
      head = Buffer.concat([head, value]);
    }
    if (!isGzip(head)) {
      yield head;
      yield* counted;
      return;
    }
    const unpack = createGunzip();
    // What goes wrong on the way ends `unpack` with that error, which whoever reads it is told.
    pipeline(Readable.from(joined(head, counted)), unpack, () => {});
    yield* unpack as AsyncIterable<Buffer>;
  }

  async *#counted(): AsyncGenerator<Buffer> {
    for await (const chunk of this.#input as AsyncIterable<Buffer>) {
      this.#readBytes += chunk.length;
      yield chunk;
    }
  }
}

async function* joined(head: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  yield* rest;
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}
