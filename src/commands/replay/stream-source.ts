// A capture that is read as a stream: from standard input, a pipe or a device, or unpacked from a compressed file.

import type { Readable } from 'node:stream';
import type { CaptureReader } from '../../capture/capture-reader.ts';
import { reasonOf } from '../../runtime/sentence.ts';
import { type CaptureSource, CaptureSourceError, captureName } from './capture-source.ts';
import { COMPRESSION_MAGIC_SIZE, compressionOf, GZIP, gunzip, unpackAdvice } from './compression.ts';

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
    const counted = this.#counted();
    let head: Buffer = Buffer.alloc(0);
    while (head.length < COMPRESSION_MAGIC_SIZE) {
      const { done, value } = await counted.next();
      if (done === true) {
        break;
      }
      head = Buffer.concat([head, value]);
    }
    const compression = compressionOf(head);
    const all = joined(head, counted);
    if (compression === undefined) {
      yield* all;
    } else if (compression === GZIP) {
      yield* gunzip(all);
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

async function* joined(head: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) {
    yield head;
  }
  yield* rest;
}
