// The folder of `--file-targets`, which all targets of a process share: it is bounded by bytes and files. A target that needs space
// removes the oldest files of its own. Other processes may write into the folder as well.

import { lstat, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../runtime/clock.ts';
import { codeOf } from '../../runtime/error-code.ts';
import type { Logger } from '../../runtime/log.ts';
import { fileName, namesOf } from './file-pattern.ts';
import { recoverFiles } from './file-recovery.ts';
import { FolderOwner } from './folder-owner.ts';
import { TargetFile } from './target-file.ts';

/** Bytes after which a file is complete, by default. */
export const FILE_BYTES_DEFAULT = 16_777_216;
/** Bytes of all files in the folder, by default. */
export const FOLDER_BYTES_DEFAULT = 1_073_741_824;
/** Files in the folder. */
export const FOLDER_FILES_MAX = 10_000;
/** Milliseconds after which the folder is read again, because others may remove files. */
const SCAN_MS = 10_000;

/** The folder and its limits. */
export interface FileFolderOptions {
  /** An absolute path without symbolic links. */
  readonly path: string;
  readonly fileBytesMax: number;
  /** At least twice `fileBytesMax`. */
  readonly folderBytesMax: number;
}

/** What the folder needs from outside. */
export interface FileFolderParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether files that a killed process was writing are completed at first. */
  readonly recovers: boolean;
}

interface Entry {
  readonly bytes: number;
  readonly changedMs: number;
}

/** A new file, and how many files of the target were removed for it. */
export interface CreatedFile {
  readonly file: TargetFile;
  readonly filesRemoved: number;
}

export class FileFolder {
  readonly path: string;
  readonly fileBytesMax: number;
  readonly #bytesMax: number;
  readonly #parts: FileFolderParts;
  readonly #owner: FolderOwner;
  #entries = new Map<string, Entry>();
  /** The names of files that are being written: each may become as long as `fileBytesMax`. */
  readonly #written = new Set<string>();
  #scanMicros: number | undefined;
  #recovery: Promise<void> | undefined;
  /** The last of the creations, which follow each other. */
  #creation: Promise<unknown> = Promise.resolve();

  constructor({ path, fileBytesMax, folderBytesMax }: FileFolderOptions, parts: FileFolderParts) {
    this.path = path;
    this.fileBytesMax = fileBytesMax;
    this.#bytesMax = folderBytesMax;
    this.#parts = parts;
    this.#owner = new FolderOwner(path);
  }

  /** Resolves when files can be created, as far as the folder shows it. */
  async ready(): Promise<void> {
    if (this.#parts.recovers) {
      this.#recovery ??= recoverFiles(this.path, this.#owner, this.#parts.log).catch((error: unknown) => {
        this.#recovery = undefined;
        throw error;
      });
      await this.#recovery;
    }
    await readdir(this.path);
  }

  /** Returns the name that a file of the pattern has now, without a number. */
  slotOf(pattern: string): string {
    return fileName(pattern, this.#parts.clock.wallMicros() / 1000);
  }

  /** Creates the next file of a pattern. */
  create(pattern: string): Promise<CreatedFile> {
    const created = this.#creation.then(() => this.#create(pattern));
    this.#creation = created.catch(() => undefined);
    return created;
  }

  /** Completes a file; one that cannot be completed keeps its temporary name until the next start. */
  async complete(file: TargetFile): Promise<void> {
    let name = file.part;
    try {
      await file.complete();
      ({ name } = file);
    } finally {
      this.#written.delete(file.part);
      if (file.bytes > 0) {
        this.#entries.set(name, { bytes: file.bytes, changedMs: this.#parts.clock.wallMicros() / 1000 });
      }
      await this.#owner.release();
    }
  }

  async #create(pattern: string): Promise<CreatedFile> {
    await this.#scan();
    const filesRemoved = await this.#makeRoom(namesOf(pattern));
    await this.#owner.acquire();
    try {
      const { token } = this.#owner;
      const isTaken = (name: string) => this.#entries.has(name);
      const file = await TargetFile.create(this.path, this.slotOf(pattern), token, isTaken);
      this.#written.add(file.part);
      return { file, filesRemoved };
    } catch (error) {
      await this.#owner.release();
      throw error;
    }
  }

  /** Removes the oldest files of a target until there is room for another one; returns their number. */
  async #makeRoom(own: RegExp): Promise<number> {
    let bytes = this.#written.size * this.fileBytesMax;
    for (const entry of this.#entries.values()) {
      bytes += entry.bytes;
    }
    const oldest = [...this.#entries]
      .filter(([name]) => own.test(name))
      .toSorted(
        ([a, { changedMs: first }], [b, { changedMs: second }]) => first - second || (a < b ? -1 : 1),
      );
    let filesRemoved = 0;
    const isFull = () =>
      bytes + this.fileBytesMax > this.#bytesMax ||
      this.#entries.size + this.#written.size >= FOLDER_FILES_MAX;
    while (isFull()) {
      const [name, entry] = oldest[filesRemoved] ?? [];
      if (name === undefined || entry === undefined) {
        this.#scanMicros = undefined;
        throw Object.assign(
          new Error(
            `${this.path} is full (${bytes} bytes of other files or of files that are being written; the limit is ${this.#bytesMax} bytes or ${FOLDER_FILES_MAX} files)`,
          ),
          { code: 'EDQUOT' },
        );
      }
      await unlinked(join(this.path, name));
      this.#entries.delete(name);
      bytes -= entry.bytes;
      filesRemoved += 1;
    }
    return filesRemoved;
  }

  /** Reads what is in the folder, unless it was read just now. */
  async #scan(): Promise<void> {
    const { clock } = this.#parts;
    const nowMicros = clock.monotonicMicros();
    if (this.#scanMicros !== undefined && nowMicros - this.#scanMicros < SCAN_MS * 1000) {
      return;
    }
    const entries = new Map<string, Entry>();
    for (const name of await readdir(this.path)) {
      const status = this.#written.has(name) ? undefined : await statusOf(join(this.path, name));
      if (status?.isFile() === true) {
        entries.set(name, { bytes: status.size, changedMs: status.mtimeMs });
      }
    }
    this.#entries = entries;
    this.#scanMicros = nowMicros;
  }
}

/** Returns the status of a file; undefined when it was removed meanwhile. */
function statusOf(path: string) {
  return unlessGone(lstat(path));
}

/** Removes a file; another process may have been faster. */
async function unlinked(path: string): Promise<void> {
  await unlessGone(unlink(path));
}

async function unlessGone<Value>(done: Promise<Value>): Promise<Value | undefined> {
  try {
    return await done;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}
