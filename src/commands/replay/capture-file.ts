// One capture that is being read: its bytes, its reader, and the fault that ended it.

import { CaptureReader } from '../../capture/capture-reader.ts';
import { CaptureError } from '../../capture/captured-packet.ts';
import { type CaptureSource, CaptureSourceError } from './capture-source.ts';

/** What reading waits for, and what ends it. */
export interface ReadingControl {
  /** Called before each read; resolves when the packets of another one can be taken. */
  beforeRead(): Promise<void>;
  /** Whether the user has ended the replay. */
  isInterrupted(): boolean;
}

/** What remains of a capture when it was read. */
export type CaptureResult = Pick<CaptureFile, 'file' | 'fault' | 'fileBytes' | 'readBytes' | 'skipped'>;

/** See the head of the file. */
export class CaptureFile {
  readonly file: string;
  readonly reader: CaptureReader;
  readonly #source: CaptureSource;
  #hasPacket = false;
  #fault: string | undefined;
  #isOtherFormat = false;
  #isClosed = false;

  /** Reads in `memory`, if it is given. */
  constructor(file: string, source: CaptureSource, memory?: Buffer) {
    this.file = file;
    this.reader = new CaptureReader(memory);
    this.#source = source;
  }

  /** Whether the reader stands at a packet; the owner moves on when it has taken it. */
  get hasPacket(): boolean {
    return this.#hasPacket;
  }

  /** Microseconds since 1970 of that packet. */
  get timeMicros(): number {
    return this.reader.packet.timeMicros[0]!;
  }

  /** Why it cannot be read on. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Whether it could be read, and is not a capture. */
  get isOtherFormat(): boolean {
    return this.#isOtherFormat;
  }

  get fileBytes(): number | undefined {
    return this.#source.fileBytes;
  }

  get readBytes(): number {
    return this.#source.readBytes;
  }

  /** Packets that were skipped because their link type is not read, by link type. */
  get skipped(): ReadonlyMap<number, number> {
    return this.reader.skipped;
  }

  /** Moves to the next packet that has been read; false when there is none. */
  moveOn(): boolean {
    try {
      this.#hasPacket = this.reader.next();
    } catch (error) {
      this.#setFault(error);
    }
    return this.#hasPacket;
  }

  /** Reads until there is a packet; false at the end of the file, at its fault, or when the user ends the replay. */
  async readOn(control: ReadingControl): Promise<boolean> {
    try {
      while (this.#fault === undefined && !control.isInterrupted()) {
        await control.beforeRead();
        if (this.#isClosed) {
          return false;
        }
        const filled = this.#source.fill(this.reader);
        if (!(typeof filled === 'boolean' ? filled : await filled)) {
          this.reader.finish();
          return false;
        }
        if (this.moveOn()) {
          return true;
        }
      }
    } catch (error) {
      // The end of a wait for bytes is an error of the stream.
      if (!(this.#isClosed && error instanceof CaptureSourceError)) {
        this.#setFault(error);
      }
    }
    return false;
  }

  /** Ends the reading, and a wait of `readOn` with it. Safe to repeat. */
  close(): void {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#source.close();
    }
  }

  #setFault(error: unknown): void {
    if (!(error instanceof CaptureError || error instanceof CaptureSourceError)) {
      throw error;
    }
    this.#hasPacket = false;
    this.#fault = error.message;
    this.#isOtherFormat = error instanceof CaptureError && !this.reader.isRecognised;
  }
}
