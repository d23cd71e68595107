// A session whose collector is a series of files (RFC 5655). Each file is a connection of its own: templates come first, and sequence
// numbers begin at 0, so that it can be read by itself. Messages wait in memory until they are written. An error of the disk
// ends the file behind its last whole message; what was not written waits for the next one.

import { codeOf } from '../runtime/error-code.ts';
import { settlesWithin } from '../runtime/within.ts';
import type { CollectorTarget, SessionListener, SessionStatus } from './collector-session.ts';
import { faultText } from './fault-text.ts';
import type { FileFolder } from './files/file-folder.ts';
import type { TargetFile } from './files/target-file.ts';
import { QueuedSession, type QueuedSessionOptions, type QueuedSessionParts } from './queued-session.ts';
import { RELIABLE_SESSION_DEFAULTS } from './reliable-session.ts';

/** Messages that are written at once; templates and options records before them are added. */
const BATCH_MAX = 64;
/** Milliseconds between two checks whether the time of the open file is over. */
const SLOT_CHECK_MS = 1000;
/** Milliseconds that the end of a session waits for a disk that does not answer. */
const CLOSE_MS_MAX = 1000;

export class FileSession extends QueuedSession {
  protected readonly transport = 'file';
  readonly #folder: FileFolder;
  readonly #pattern: string;
  #file: TargetFile | undefined;
  #filesWritten = 0;
  #filesRemoved = 0;
  #hasFile = false;
  #isReady = false;
  #isClosed = false;
  /** Messages of the queue that are being appended to the file. */
  #appending = 0;
  /** Whether the session has ended without an answer of the disk: what it does later is not counted. */
  #isAbandoned = false;
  /** Set while something is written, completed or created. */
  #work: Promise<void> | undefined;
  /** Bytes of the messages that are being written. */
  #batchBytes = 0;
  readonly #add = (bytes: Buffer, size: number, recordCount: number) => {
    this.#batchBytes += size;
    return this.traffic.add(bytes, size, recordCount);
  };

  constructor(
    target: CollectorTarget,
    listener: SessionListener,
    parts: QueuedSessionParts & { readonly folder: FileFolder },
    options: Partial<QueuedSessionOptions> = {},
  ) {
    super(target, listener, parts, { ...RELIABLE_SESSION_DEFAULTS, sendBacklogMax: 1024, ...options });
    this.#folder = parts.folder;
    this.#pattern = target.host;
  }

  protected get address(): undefined {
    return undefined;
  }

  protected get sourceAddress(): undefined {
    return undefined;
  }

  override status(): SessionStatus {
    return {
      ...super.status(),
      files: { current: this.#file?.name, written: this.#filesWritten, removed: this.#filesRemoved },
    };
  }

  protected connect(): void {
    this.#folder.ready().then(
      () => {
        if (!this.#isClosed) {
          this.#isReady = true;
          this.opened();
        }
      },
      (error: unknown) => {
        if (!this.#isClosed) {
          this.failed(error);
        }
      },
    );
  }

  protected override handOver(): void {
    if (!this.#isReady || this.#isClosed || this.#work !== undefined) {
      return;
    }
    if (this.waiting.count === 0) {
      this.endDrain();
    } else {
      this.#begin(() => this.#writeAll());
    }
  }

  /** Completes the open file, as far as the disk answers in time; otherwise it is completed at the next start. */
  protected async close(): Promise<void> {
    this.#isClosed = true;
    const completed = (this.#work ?? Promise.resolve()).then(() => this.#endFile());
    const isDone = await settlesWithin(
      this.clock,
      CLOSE_MS_MAX,
      completed.catch((error) => this.#noteFault(error)),
    );
    if (!isDone) {
      this.#abandon();
      this.log.warn(
        `collector ${this.target.text}: the disk does not answer, ${this.#file?.part} is not complete`,
      );
    }
  }

  /** Runs one piece of work at a time. An error of it is one of the disk. */
  #begin(work: () => Promise<void>): void {
    this.#work = work().then(
      () => {
        this.#work = undefined;
        this.handOver();
        this.#watchSlot();
      },
      async (error: unknown) => {
        this.#isReady = false;
        this.#appending = 0;
        await this.#endFile().catch((second: unknown) => this.#noteFault(second));
        this.#work = undefined;
        if (this.#isClosed) {
          this.#noteFault(error);
        } else {
          this.failed(error);
        }
      },
    );
  }

  async #writeAll(): Promise<void> {
    while (this.waiting.count > 0 && !this.#isClosed) {
      const file = await this.#fileForNext();
      if (this.#isClosed) {
        return;
      }
      this.#appending = this.#collect(file);
      await file.append(this.#handed());
      this.#written();
    }
  }

  /** Returns the open file, or the next one if its time is over or it is full. */
  async #fileForNext(): Promise<TargetFile> {
    const file = this.#file;
    const size = this.waiting.oldest?.size ?? 0;
    if (file !== undefined && !this.#isOver(file) && file.bytes + size <= this.#folder.fileBytesMax) {
      return file;
    }
    await this.#endFile();
    const created = await this.#folder.create(this.#pattern);
    this.#filesRemoved += created.filesRemoved;
    if (this.#hasFile) {
      this.listener.restarted();
    }
    this.#hasFile = true;
    this.#file = created.file;
    return created.file;
  }

  /** Puts messages together that fit the file, each with what precedes it; returns the number of those that have waited. */
  #collect(file: TargetFile): number {
    const bytesMax = this.#folder.fileBytesMax - file.bytes;
    this.#batchBytes = 0;
    let count = 0;
    for (;;) {
      const message = this.waiting.at(count);
      const isFull = count > 0 && this.#batchBytes + (message?.size ?? 0) > bytesMax;
      if (message === undefined || isFull || this.traffic.backlogCount >= BATCH_MAX) {
        return count;
      }
      this.listener.stamp(message, this.#add);
      this.#add(message.bytes, message.size, message.recordCount);
      count += 1;
    }
  }

  /** Returns the bytes of the messages that were put together. */
  #handed(): Buffer {
    const messages: Buffer[] = [];
    for (let bytes = this.traffic.hand(); bytes !== undefined; bytes = this.traffic.hand()) {
      messages.push(bytes);
    }
    return Buffer.concat(messages);
  }

  #written(): void {
    if (this.#isAbandoned) {
      return;
    }
    while (this.traffic.backlogCount > 0) {
      this.traffic.sent(true);
    }
    for (; this.#appending > 0; this.#appending -= 1) {
      this.shiftWaiting();
    }
  }

  /** Counts messages that are being appended as handed over and of unknown delivery: they may be written later. */
  #abandon(): void {
    if (this.#appending > 0) {
      let records = 0;
      for (let index = 0; index < this.#appending; index += 1) {
        records += this.waiting.at(index)?.recordCount ?? 0;
      }
      this.#written();
      this.traffic.countDeliveryUnknown(records);
    }
    this.#isAbandoned = true;
  }

  #isOver(file: TargetFile): boolean {
    return this.#folder.slotOf(this.#pattern) !== file.slot;
  }

  /** Completes the open file when its time is over, also if no records follow. */
  #watchSlot(): void {
    if (this.isOpen && this.#file !== undefined) {
      this.setTimer(() => {
        if (this.#file !== undefined && this.#work === undefined && this.#isOver(this.#file)) {
          this.#begin(() => this.#endFile());
        } else {
          this.#watchSlot();
        }
      }, SLOT_CHECK_MS);
    }
  }

  /** Completes the open file. */
  async #endFile(): Promise<void> {
    const file = this.#file;
    if (file !== undefined) {
      this.#file = undefined;
      await this.#folder.complete(file);
      this.#filesWritten += file.bytes > 0 ? 1 : 0;
    }
  }

  #noteFault(error: unknown): void {
    const text = faultText(error);
    this.traffic.countError(codeOf(error), text);
    this.log.warn(`collector ${this.target.text}: a file is not complete, ${text}`);
  }
}
