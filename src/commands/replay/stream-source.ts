// A capture that is read as a stream: from standard input, a pipe or a device, or unpacked from a compressed file.

import type { Readable } from 'node:stream';
import type { CaptureReader } from '../../capture/capture-reader.ts';
import { reasonOf } from '../../runtime/sentence.ts';
import { type CaptureSource, CaptureSourceError, captureName } from './capture-source.ts';
import {
  COMPRESSION_MAGIC_SIZE,
  compressionOf,
  GZIP,
  gunzip,
  unpackAdvice,
  unpackTwiceAdvice,
} from './compression.ts';

/** See the head of the file. */
export class StreamSource implements CaptureSource {
  readonly fileBytes: number | undefined;
  readonly #input: Readable;
  readonly #file: string;
  readonly #chunks: AsyncIterator<Buffer>;
  #readBytes = 0;
  /** Bytes that have arrived and not been copied yet. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(input: Readable, fileBytes: number | undefined, file: string) {
    this.#input = input;
    this.fileBytes = fileBytes;
    this.#file = file;
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
      if (error instanceof CaptureSourceError) {
        throw error;
      }
      throw new CaptureSourceError(`${captureName(this.#file)} cannot be read: ${reasonOf(error)}.`, {
        cause: error,
      });
    }
  }

  async *#read(): AsyncGenerator<Buffer> {
    const { head, all } = await withHead(this.#counted());
    const compression = compressionOf(head);
    if (compression === undefined) {
      yield* all;
    } else if (compression === GZIP) {
      const unpacked = await withHead(gunzip(all));
      const inner = compressionOf(unpacked.head);
      if (inner !== undefined) {
        throw new CaptureSourceError(unpackTwiceAdvice(this.#file, inner));
      }
      yield* unpacked.all;
    } else {
      throw new CaptureSourceError(unpackAdvice(this.#file, compression));
    }
  }

  async *#counted(): AsyncGenerator<Buffer> {
    for await (const chunk of this.#input as AsyncIterable<Buffer>) {
      this.#readBytes += chunk.length;
      yield chunk;
    }
  }
}

/** Reads the first bytes, by which formats are recognised; `all` has them too. */
async function withHead(
  chunks: AsyncGenerator<Buffer>,
): Promise<{ head: Buffer; all: AsyncGenerator<Buffer> }> {
  let head: Buffer = Buffer.alloc(0);
  let end: Error | undefined;
  while (head.length < COMPRESSION_MAGIC_SIZE && end === undefined) {
    try {
      const { done, value } = await chunks.next();
      if (done === true) {
        break;
      }
      head = Buffer.concat([head, value]);
    } catch (error) {
      // What precedes the damage is read first.
      end = error instanceof Error ? error : new Error(String(error));
    }
  }
  return { head, all: joined(head, chunks, end) };
}

async function* joined(
  head: Buffer,
  rest: AsyncIterable<Buffer>,
  end: Error | undefined,
): AsyncGenerator<Buffer> {
  if (head.length > 0) {
    yield head;
  }
  if (end !== undefined) {
    throw end;
  }
  yield* rest;
}
