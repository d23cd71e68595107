// A small file system in a mount namespace of its own, which can be filled: for what a program does on a full disk. Needs root.

import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { BackgroundProgram } from './process.ts';
import { waitFor } from './wait.ts';

const FILLER = 'filler';

export class SmallDisk {
  /** Where it is mounted, in its namespace. */
  readonly folder: string;
  readonly #bytes: number;
  readonly #holder: BackgroundProgram;

  private constructor(folder: string, bytes: number, holder: BackgroundProgram) {
    this.folder = folder;
    this.#bytes = bytes;
    this.#holder = holder;
  }

  /** Mounts a file system of so many bytes at a new folder. */
  static async mount(folder: string, bytes: number): Promise<SmallDisk> {
    await mkdir(folder);
    // An idle process keeps the namespace while the program is restarted.
    const script = 'mount -t tmpfs -o size="$2" none "$1" && exec sleep infinity';
    const holder = await BackgroundProgram.start('unshare', [
      '--mount',
      'sh',
      '-c',
      script,
      'sh',
      folder,
      `${bytes}`,
    ]);
    await waitFor(
      async () => {
        if (holder.exit !== undefined) {
          throw new Error(`The file system could not be mounted: ${holder.stderr}`);
        }
        return (await readFile(`/proc/${holder.pid}/comm`, 'utf8')).trim() === 'sleep';
      },
      { what: `a file system at ${folder}` },
    );
    return new SmallDisk(folder, bytes, holder);
  }

  /** Arguments of nsenter(1) for a program that uses it. */
  get arguments(): readonly string[] {
    return [`--target=${this.#holder.pid}`, '--mount', '--'];
  }

  /** The path of its folder from outside of the namespace. */
  get outside(): string {
    return `/proc/${this.#holder.pid}/root${this.folder}`;
  }

  /** Copies a file into it, under the same name. */
  async copy(file: string): Promise<void> {
    await copyFile(file, this.#path(basename(file)));
  }

  /** Leaves no byte free. */
  async fill(): Promise<void> {
    const filler = Buffer.alloc(this.#bytes);
    await writeFile(this.#path(FILLER), filler).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOSPC') {
        throw error;
      }
    });
  }

  async free(): Promise<void> {
    await rm(this.#path(FILLER));
  }

  /** Ends the namespace, and with it the file system. */
  async unmount(): Promise<void> {
    await this.#holder.stop();
  }

  /** The path of a file in it, from outside of the namespace. */
  #path(name: string): string {
    return join(this.outside, name);
  }
}
