// The files that a killed process was writing: cut after their last whole message, and given their name.

import { constants } from 'node:fs';
import { type FileHandle, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { IPFIX_VERSION, MESSAGE_HEADER_SIZE } from '../../ipfix/protocol.ts';
import { codeOf } from '../../runtime/error-code.ts';
import type { Logger } from '../../runtime/log.ts';
import { reasonOf } from '../../runtime/sentence.ts';
import { nameOfPart } from './file-pattern.ts';
import { publish } from './target-file.ts';

/** Bytes that are read at once. */
const BLOCK_BYTES = 1_048_576;

/** Completes the files in the folder; a file that cannot be completed stays, and is logged. */
export async function recoverFiles(folder: string, log: Logger): Promise<void> {
  for (const part of (await readdir(folder)).toSorted()) {
    const name = nameOfPart(part);
    if (name !== undefined) {
      try {
        log.info(await recoverFile(folder, part, name));
      } catch (error) {
        log.warn(`file ${join(folder, part)}: it was not complete and stays as it is: ${reasonOf(error)}`);
      }
    }
  }
}

/** Returns what was done, as a log line. */
async function recoverFile(folder: string, part: string, name: string): Promise<string> {
  const path = join(folder, part);
  const handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const status = await handle.stat();
    if (!status.isFile()) {
      throw new Error('it is not a file');
    }
    if (status.nlink > 1) {
      // The process was killed after the file had its name.
      if (!(await isSameFile(join(folder, name), status.ino))) {
        throw new Error('it has another name elsewhere');
      }
      await unlink(path);
      return `file ${join(folder, name)}: it was complete`;
    }
    const bytes = await wholeBytes(handle);
    if (bytes === 0) {
      await unlink(path);
      return `file ${path}: removed, it had no whole message`;
    }
    await handle.truncate(bytes);
    await handle.datasync();
    const published = await publish(folder, part, name, name);
    return `file ${join(folder, published)}: completed, ${bytes} of ${status.size} bytes are whole messages`;
  } finally {
    await handle.close();
  }
}

async function isSameFile(path: string, inode: number): Promise<boolean> {
  try {
    return (await stat(path)).ino === inode;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      return false;
    }
    throw error;
  }
}

/** Returns the length of the whole messages at the beginning of a file, in bytes. */
async function wholeBytes(handle: FileHandle): Promise<number> {
  const block = Buffer.alloc(BLOCK_BYTES);
  let whole = 0;
  for (;;) {
    const { bytesRead } = await handle.read(block, 0, BLOCK_BYTES, whole);
    const inBlock = wholeBytesOf(block.subarray(0, bytesRead));
    whole += inBlock;
    if (inBlock === 0) {
      return whole;
    }
  }
}

function wholeBytesOf(bytes: Buffer): number {
  let at = 0;
  while (at + MESSAGE_HEADER_SIZE <= bytes.length && bytes.readUInt16BE(at) === IPFIX_VERSION) {
    const size = bytes.readUInt16BE(at + 2);
    if (size < MESSAGE_HEADER_SIZE || at + size > bytes.length) {
      break;
    }
    at += size;
  }
  return at;
}
