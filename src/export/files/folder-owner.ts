// Tells the processes apart that write files into one folder: the temporary name of a file has a token of its process, and the process
// listens at a socket in the folder, named after the token, as long as it writes files. No process listens at that of one that has
// died. A UNIX domain socket does so across network namespaces and containers, not across hosts.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { codeOf } from '../../runtime/error-code.ts';

/** The ends of connections that are refused for good: no such socket, or one that no process listens at. */
const DEAD = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK']);

/** The name of the socket of a token. */
function socketName(token: string): string {
  return `.ovs-ipfix-${token}.sock`;
}

export class FolderOwner {
  readonly token = randomBytes(8).toString('hex');
  readonly #folder: string;
  /** How many files need the socket. */
  #uses = 0;
  #server: Server | undefined;
  #handle: FileHandle | undefined;
  /** The last of the steps that open and close the socket, which follow each other. */
  #step: Promise<void> = Promise.resolve();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Listens, before a file gets its temporary name. Rejects when the folder cannot have the socket. */
  async acquire(): Promise<void> {
    this.#uses += 1;
    try {
      await this.#next();
    } catch (error) {
      this.#uses -= 1;
      throw error;
    }
  }

  /** Ends listening, when no file has its temporary name any more. */
  async release(): Promise<void> {
    this.#uses -= 1;
    await this.#next();
  }

  #next(): Promise<void> {
    const step = this.#step.then(() => this.#apply());
    this.#step = step.catch(() => undefined);
    return step;
  }

  async #apply(): Promise<void> {
    if (this.#uses > 0 && this.#server === undefined) {
      this.#handle = await openFolder(this.#folder);
      const server = createServer((socket) => socket.destroy());
      try {
        server.listen(pathIn(this.#handle, socketName(this.token)));
        await once(server, 'listening');
      } catch (error) {
        await this.#handle.close();
        throw error;
      }
      // A connection that cannot be accepted was made all the same, which is what counts.
      server.on('error', () => {});
      // The process may end without having completed its files.
      server.unref();
      this.#server = server;
    } else if (this.#uses === 0 && this.#server !== undefined) {
      const closed = once(this.#server, 'close');
      this.#server.close();
      this.#server = undefined;
      await closed;
      await this.#handle?.close();
    }
  }
}

/** Returns whether the process of a token may be writing files in the folder. */
export async function mayBeAlive(folder: string, token: string): Promise<boolean> {
  const handle = await openFolder(folder);
  try {
    const socket = connect(pathIn(handle, socketName(token)));
    await once(socket, 'connect');
    socket.destroy();
    return true;
  } catch (error) {
    return !DEAD.has(codeOf(error) ?? '');
  } finally {
    await handle.close();
  }
}

/** Removes the socket of a process that has died. */
export async function removeSocket(folder: string, token: string): Promise<void> {
  const handle = await openFolder(folder);
  try {
    await unlink(pathIn(handle, socketName(token)));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') {
      throw error;
    }
  } finally {
    await handle.close();
  }
}

function openFolder(folder: string): Promise<FileHandle> {
  return open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
}

/** A path of a few characters, as those of sockets have 107 at most (unix(7)). */
function pathIn(folder: FileHandle, name: string): string {
  return `/proc/self/fd/${folder.fd}/${name}`;
}
