// Reads files up to a limit, and replaces files atomically.

import { randomBytes } from 'node:crypto';
import { chmod, chown, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { reasonOf } from '../runtime/sentence.ts';

/** A file that cannot be read or written; the message is a sentence. */
export class WholeFileError extends Error {
  readonly code = 'WHOLE_FILE';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'WholeFileError';
  }
}

/** Reads a file, or standard input for `-`; refuses more than `bytesMax`. */
export async function readWhole(file: string, bytesMax: number): Promise<Buffer> {
  const handle = file === '-' ? undefined : await open(file).catch((error) => fail('read', file, error));
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of handle?.createReadStream() ?? process.stdin) {
      bytes += (chunk as Buffer).length;
      if (bytes > bytesMax) {
        throw new WholeFileError(`${nameOf(file)} has more than ${bytesMax} bytes, too many for a schema.`);
      }
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    throw error instanceof WholeFileError ? error : fail('read', file, error);
  } finally {
    await handle?.close();
  }
  return Buffer.concat(chunks);
}

/** Returns the name of a file in sentences. */
export function nameOf(file: string): string {
  return file === '-' ? 'standard input' : file;
}

/**
 * Replaces a file atomically: writes a new file beside it, syncs it and renames it, so that a reader finds the old bytes or the new
 * ones. Keeps mode and owner; replaces the target of a symbolic link. Does nothing when the file has these bytes already.
 */
export async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  try {
    await replace(file, bytes);
  } catch (error) {
    throw error instanceof WholeFileError ? error : fail('write', file, error);
  }
}

async function replace(file: string, bytes: Uint8Array): Promise<void> {
  const target = await realpath(file).catch(ignoreMissing);
  const path = target ?? file;
  const before = target === undefined ? undefined : await stat(target);
  if (before !== undefined && !before.isFile()) {
    throw new WholeFileError(
      `${file} is not a regular file, so it cannot be replaced. Write to standard output instead.`,
    );
  }
  if (before !== undefined && (await readFile(path)).equals(bytes)) {
    return;
  }
  const draft = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.new`);
  const handle = await open(draft, 'wx', before?.mode ?? 0o666);
  try {
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (before !== undefined) {
      await keepOwner(draft, before);
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

async function keepOwner(draft: string, before: { uid: number; gid: number; mode: number }): Promise<void> {
  const { uid, gid } = await stat(draft);
  if (uid !== before.uid || gid !== before.gid) {
    await chown(draft, before.uid, before.gid);
  }
  await chmod(draft, before.mode & 0o7777);
}

/** Syncs the folder, which makes the new name durable. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') {
    throw error;
  }
}

function fail(verb: 'read' | 'write', file: string, error: unknown): never {
  throw new WholeFileError(`Cannot ${verb} ${nameOf(file)}: ${reasonOf(error)}.`, error);
}
