// The files that killed processes were writing: cut after their last whole message, and given their name. Those of processes that live
// are left to them.

import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { IPFIX_VERSION, MESSAGE_HEADER_SIZE } from '../../ipfix/protocol.ts';
import { codeOf } from '../../runtime/error-code.ts';
import type { Logger } from '../../runtime/log.ts';
import { reasonOf } from '../../runtime/sentence.ts';
import { nameOfPart, partName } from './file-pattern.ts';
import { type FolderOwner, mayBeAlive, removeSocket } from './folder-owner.ts';
import { publish } from './target-file.ts';

/** Bytes that are read at once. */
const BLOCK_BYTES = 1_048_576;

/** A file with a temporary name. */
interface Part {
  readonly part: string;
  /** The name that it gets. */
  readonly name: string;
  readonly token: string | undefined;
}

/** Completes the files in the folder; a file that cannot be completed stays, and is logged. */
export async function recoverFiles(folder: string, owner: FolderOwner, log: Logger): Promise<void> {
  const parts = (await readdir(folder)).toSorted().flatMap((part): readonly Part[] => {
    const named = nameOfPart(part);
    return named === undefined ? [] : [{ part, ...named }];
  });
  if (parts.length === 0) {
    return;
  }
  const alive = await aliveTokens(folder, parts);
  // Two processes may recover at the same time.
  await owner.acquire();
  try {
    for (const part of parts) {
      if (part.token !== undefined && alive.has(part.token)) {
        log.info(`file ${join(folder, part.part)}: another process writes it`);
      } else {
        await tryToRecover(folder, part, owner.token, log);
      }
    }
  } finally {
    await owner.release();
  }
}

/** Returns the tokens of processes that may be writing; removes the sockets of others. */
async function aliveTokens(folder: string, parts: readonly Part[]): Promise<ReadonlySet<string>> {
  const alive = new Set<string>();
  for (const token of new Set(parts.map((part) => part.token))) {
    if (token === undefined) {
      continue;
    }
    if (await mayBeAlive(folder, token)) {
      alive.add(token);
    } else {
      await removeSocket(folder, token);
    }
  }
  return alive;
}

async function tryToRecover(folder: string, part: Part, ownToken: string, log: Logger): Promise<void> {
  try {
    log.info(await recoverFile(folder, part, ownToken));
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && !(await isThere(join(folder, part.part)))) {
      log.info(`file ${join(folder, part.part)}: another process completes it`);
      return;
    }
    log.warn(`file ${join(folder, part.part)}: it was not complete and stays as it is: ${reasonOf(error)}`);
  }
}

/** Returns what was done, as a log line. */
async function recoverFile(folder: string, { part, name }: Part, ownToken: string): Promise<string> {
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
    const claimed = await claim(folder, part, partName(name, ownToken));
    const bytes = await wholeBytes(handle);
    if (bytes === 0) {
      await unlink(join(folder, claimed));
      return `file ${path}: removed, it had no whole message`;
    }
    await handle.truncate(bytes);
    await handle.datasync();
    const published = await publish(folder, claimed, name, name);
    return `file ${join(folder, published)}: completed, ${bytes} of ${status.size} bytes are whole messages`;
  } finally {
    await handle.close();
  }
}

/** Gives a file the temporary name of this process: only one of several processes can do so. */
async function claim(folder: string, part: string, claimed: string): Promise<string> {
  const to = join(folder, claimed);
  if (await isThere(to)) {
    throw new Error(`${claimed} is there already`);
  }
  await rename(join(folder, part), to);
  return claimed;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      return false;
    }
    throw error;
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
