// A file of whole IPFIX messages that is being written (RFC 5655). It has a temporary name until it is complete.

import { constants } from 'node:fs';
import { type FileHandle, link, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../runtime/error-code.ts';
import { FILE_NUMBER_MAX, numberedName, partName } from './file-pattern.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
/** Never an existing file, and never through a symbolic link. */
const CREATE = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY;
/** Flow records say who talks to whom: not for every user. */
const MODE = 0o640;

export class TargetFile {
  /** The name in the pattern's form, without a number: another file is due when it changes. */
  readonly slot: string;
  readonly #folder: string;
  readonly #handle: FileHandle;
  #name: string;
  readonly #part: string;
  #bytes = 0;

  private constructor(folder: string, slot: string, name: string, part: string, handle: FileHandle) {
    this.slot = slot;
    this.#folder = folder;
    this.#name = name;
    this.#part = part;
    this.#handle = handle;
  }

  /** Creates a file of the first number that is free; `token` is that of the process. */
  static async create(
    folder: string,
    slot: string,
    token: string,
    isTaken: (name: string) => boolean,
  ): Promise<TargetFile> {
    for (let number = 1; number <= FILE_NUMBER_MAX; number += 1) {
      const name = numberedName(slot, number);
      const part = partName(name, token);
      if (!isTaken(name)) {
        const handle = await unlessExists(open(join(folder, part), CREATE, MODE));
        if (handle !== undefined) {
          return new TargetFile(folder, slot, name, part, handle);
        }
      }
    }
    throw new Error(`there are ${FILE_NUMBER_MAX} files with the name ${slot} already`);
  }

  /** The name that it has, or will have when it is complete, unless another process takes it before. */
  get name(): string {
    return this.#name;
  }

  /** The name while it is written. */
  get part(): string {
    return this.#part;
  }

  /** Bytes of the messages that are written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Appends whole messages. After an error `bytes` is as before, and `complete` cuts off what was written of them. */
  async append(messages: Buffer): Promise<void> {
    let written = 0;
    while (written < messages.length) {
      const { bytesWritten } = await this.#handle.write(
        messages,
        written,
        messages.length - written,
        this.#bytes + written,
      );
      written += bytesWritten;
    }
    this.#bytes += messages.length;
  }

  /** Gives the file its name, with its bytes on the disk; removes it when it is empty. To be called once. */
  async complete(): Promise<void> {
    try {
      if (this.#bytes > 0) {
        await this.#handle.truncate(this.#bytes);
        await this.#handle.datasync();
        this.#name = await publish(this.#folder, this.#part, this.slot, this.#name);
      } else {
        await unlink(join(this.#folder, this.#part));
      }
    } finally {
      await this.#handle.close();
    }
  }
}

/**
 * Renames a complete file from its temporary name, to that name or, if another file has it, to the next number that is free.
 * rename(2) would replace the other one.
 */
export async function publish(folder: string, part: string, slot: string, first: string): Promise<string> {
  let name = first;
  for (let number = 2; !(await linked(join(folder, part), join(folder, name))); number += 1) {
    if (number > FILE_NUMBER_MAX) {
      throw new Error(`there are ${FILE_NUMBER_MAX} files with the name ${slot} already`);
    }
    name = numberedName(slot, number);
  }
  await unlink(join(folder, part));
  return name;
}

async function linked(from: string, to: string): Promise<boolean> {
  return (await unlessExists(link(from, to).then(() => true))) ?? false;
}

async function unlessExists<Value>(made: Promise<Value>): Promise<Value | undefined> {
  try {
    return await made;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') {
      return undefined;
    }
    throw error;
  }
}
