// Folders with the files of targets, read as a strict collector would: each file by itself.

import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CollectorTarget } from '../../src/export/collector-session.ts';
import { FileFolder, type FileFolderOptions } from '../../src/export/files/file-folder.ts';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import type { DecodedRecord, ReaderProblem } from '../../src/ipfix/reader-types.ts';
import { type Clock, systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import type { DeliveryCollector } from './delivery.ts';

/** What files have. */
export interface FilesContent {
  readonly records: readonly DecodedRecord[];
  readonly problems: readonly ReaderProblem[];
}

/** Returns a new folder for files. */
export function openFolder(
  options: Partial<FileFolderOptions> = {},
  clock: Clock = systemClock,
  recovers = true,
): FileFolder {
  const path = options.path ?? mkdtempSync(join(tmpdir(), 'files-'));
  const limits = { fileBytesMax: 1_000_000, folderBytesMax: 10_000_000, ...options, path };
  return new FileFolder(limits, { clock, log: silentLogger, recovers });
}

/** Returns the names in a folder: without the token of the process that writes a file, and without its socket. */
export function namesIn(path: string): readonly string[] {
  return readdirSync(path)
    .filter((name) => !SOCKET.test(name))
    .map((name) => name.replace(TOKEN, ''))
    .toSorted();
}

/** Returns the name of the only file that is being written. */
export function partIn(path: string): string {
  const [part, ...others] = readdirSync(path).filter((name) => name.endsWith('.part'));
  if (part === undefined || others.length > 0) {
    throw new Error(`${path} has ${readdirSync(path).join(' ')}`);
  }
  return part;
}

const SOCKET = /^\.ovs-ipfix-[0-9a-f]{16}\.sock$/u;
const TOKEN = /\.[0-9a-f]{16}(?=\.part$)/u;

/** Divides a file into its messages. */
export function messagesOf(file: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const size = file.readUInt16BE(at + 2);
    messages.push(file.subarray(at, at + size));
    at += Math.max(size, 16);
  }
  return messages;
}

/** Reads one file. */
export function readFileRecords(path: string): FilesContent {
  const reader = new MessageReader();
  const decoded = messagesOf(readFileSync(path)).map((message) => reader.read(path, message, 'tcp'));
  return {
    records: decoded.flatMap(({ records }) => records),
    problems: decoded.flatMap(({ problems }) => problems),
  };
}

/** Reads all files of a folder, also those that are being written. */
export function readFiles(path: string): FilesContent {
  const names = existsSync(path) ? readdirSync(path).toSorted() : [];
  const files = names.filter((name) => !SOCKET.test(name)).map((name) => readFileRecords(join(path, name)));
  return {
    records: files.flatMap(({ records }) => records),
    problems: files.flatMap(({ problems }) => problems),
  };
}

/** Collectors that are folders; each has a target of its own. */
export class FileCollectors {
  readonly #folders: FileFolder[] = [];

  open(): Promise<DeliveryCollector> {
    const folder = openFolder();
    const port = this.#folders.push(folder) - 1;
    return Promise.resolve({
      port,
      records: () => readFiles(folder.path).records,
      problems: () => readFiles(folder.path).problems,
      close: () => rm(folder.path, { recursive: true, force: true }),
    });
  }

  targetText(port: number): string {
    return `file:c${port}.ipfix`;
  }

  folderOf({ host }: CollectorTarget): FileFolder {
    const folder = this.#folders[Number(/\d+/u.exec(host)?.[0])];
    if (folder === undefined) {
      throw new Error(`no collector writes ${host}`);
    }
    return folder;
  }
}
