// The packets of one or several captures in the order of time, as mergecap(1) merges files. A file is open from its first packet
// to its last one, so that the parts of a long capture are read one after the other.

import { readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf } from '../../runtime/sentence.ts';
import { CaptureFile, type CaptureResult, type ReadingControl } from './capture-file.ts';
import { CaptureSourceError, captureName, STANDARD_INPUT } from './capture-source.ts';
import { openCapture } from './open-capture.ts';

/** Captures of one replay; more are refused. */
export const CAPTURES_MAX = 10_000;
/** Captures that are read at the same time, each with a buffer of half a megabyte; others wait, and their packets may be late. */
export const OPEN_CAPTURES_MAX = 64;

/** A capture by name. */
interface NamedCapture {
  readonly file: string;
  readonly isOfFolder: boolean;
}

/** A capture whose first packet is not due yet. */
interface WaitingCapture {
  readonly file: string;
  readonly firstMicros: number;
  /** Of what cannot be read twice. */
  readonly opened: CaptureFile | undefined;
}

/** See the head of the file. */
export class CaptureInput {
  readonly #paths: readonly string[];
  readonly #control: ReadingControl;
  /** Memory for one of the captures that are read, and the one that has it. */
  readonly #memory: Buffer | undefined;
  #memoryOwner: CaptureFile | undefined;
  /** In the order of their first packets. */
  #waiting: WaitingCapture[] = [];
  /** Those that have been opened, of which `#open` are being read; without the memory of those that were read. */
  readonly #all: CaptureResult[] = [];
  readonly #open = new Set<CaptureFile>();
  #current: CaptureFile | undefined;
  /** The one that is waited for: a pipe may be idle for ever. */
  #reading: CaptureFile | undefined;
  #isSeveral = false;
  /** Whether the command line does not name the only capture. */
  #isFound = false;
  readonly #ignored: string[] = [];
  /** Time of the earliest packet of the other captures, in microseconds. */
  #otherMicros = Number.POSITIVE_INFINITY;
  /** The time up to which the current capture can be read on, in a cell, because it exceeds a small integer. */
  readonly limitMicros: Float64Array;
  readonly #latestMicros: number;
  #totalBytes: number | undefined = 0;

  /**
   * `paths` are files, folders, or `-` for standard input; packets after `latestMicros` are returned one by one. One capture at
   * a time is read in `memory`.
   */
  constructor(paths: readonly string[], control: ReadingControl, latestMicros: number, memory?: Buffer) {
    this.#memory = memory;
    this.limitMicros = new Float64Array([latestMicros]);
    this.#latestMicros = latestMicros;
    this.#paths = paths;
    this.#control = control;
  }

  /** Finds the captures and their order. Throws a `CaptureSourceError` for one that cannot be opened. */
  async begin(): Promise<void> {
    const { captures: named, others } = namedCaptures(this.#paths);
    this.#ignored.push(...others);
    this.#isSeveral = named.length > 1;
    this.#isFound = named.some(({ isOfFolder }) => isOfFolder);
    if (!this.#isSeveral) {
      this.#waiting = named.map(({ file }) => ({
        file,
        firstMicros: Number.NEGATIVE_INFINITY,
        opened: undefined,
      }));
      return;
    }
    for (const capture of named) {
      if (this.#control.isInterrupted()) {
        return;
      }
      await this.#probe(capture);
    }
    this.#waiting.sort((a, b) => a.firstMicros - b.firstMicros);
  }

  /** Moves to the capture whose packet is next, and returns it; undefined at the end. */
  async next(): Promise<CaptureFile | undefined> {
    const before = this.#current;
    if (before !== undefined && !before.hasPacket && !(await this.#read(before))) {
      this.#retire(before);
    }
    let earliest = this.#earliest();
    while (this.#isDue(earliest)) {
      await this.#openNext();
      earliest = this.#earliest();
    }
    this.#current = earliest;
    this.#setOtherTime();
    return earliest;
  }

  /** Whether the current packet of `file`, the current capture, is before those of all others. */
  isFirst(file: CaptureFile): boolean {
    return file.timeMicros <= this.#otherMicros;
  }

  /** Bytes of all files as stored; undefined when that is unknown. */
  get fileBytes(): number | undefined {
    return this.#isSeveral ? this.#totalBytes : this.#all[0]?.fileBytes;
  }

  get readBytes(): number {
    return this.#all.reduce((sum, file) => sum + file.readBytes, 0);
  }

  /** Why captures could not be read to their ends, as sentences. */
  get faults(): readonly string[] {
    const isNamed = this.#isSeveral || this.#isFound;
    return this.#all.flatMap(({ file, fault }) =>
      fault === undefined
        ? []
        : [isNamed && !fault.includes(captureName(file)) ? `${file}: ${fault}` : fault],
    );
  }

  /** Packets that were skipped because their link type is not read, by link type. */
  get skipped(): ReadonlyMap<number, number> {
    const skipped = new Map<number, number>();
    for (const result of this.#all) {
      for (const [linkType, packets] of result.skipped) {
        skipped.set(linkType, (skipped.get(linkType) ?? 0) + packets);
      }
    }
    return skipped;
  }

  /** What is in folders and not a capture; folders in them are not listed. */
  get ignored(): readonly string[] {
    return this.#ignored;
  }

  /** Ends a wait for the bytes of a capture. */
  interrupt(): void {
    this.#reading?.close();
  }

  close(): void {
    for (const file of this.#open) {
      file.close();
    }
    for (const { opened } of this.#waiting) {
      opened?.close();
    }
  }

  /** Reads the first packet of a capture, for its time. */
  async #probe({ file, isOfFolder }: NamedCapture): Promise<void> {
    const probe = this.#openProbe(file, isOfFolder);
    if (probe === undefined) {
      return;
    }
    const hasPacket = await this.#read(probe);
    const isReadOnce = probe.fileBytes === undefined;
    if (isOfFolder && probe.isOtherFormat) {
      this.#ignored.push(file);
    } else if (hasPacket) {
      const opened = isReadOnce ? probe : undefined;
      this.#waiting.push({ file, firstMicros: probe.timeMicros, opened });
      this.#addBytes(probe);
    } else {
      this.#all.push(resultOf(probe));
      this.#addBytes(probe);
    }
    if (!(hasPacket && isReadOnce)) {
      probe.close();
    }
  }

  /** Undefined for a file of a folder that cannot be read: the others are. */
  #openProbe(file: string, isOfFolder: boolean): CaptureFile | undefined {
    try {
      return new CaptureFile(file, openCapture(file));
    } catch (error) {
      if (!(isOfFolder && error instanceof CaptureSourceError)) {
        throw error;
      }
      const skipped = new Map<number, number>();
      this.#all.push({ file, fault: error.message, fileBytes: undefined, readBytes: 0, skipped });
      return undefined;
    }
  }

  async #read(file: CaptureFile): Promise<boolean> {
    this.#reading = file;
    const hasPacket = await file.readOn(this.#control);
    this.#reading = undefined;
    return hasPacket;
  }

  #addBytes({ fileBytes }: CaptureFile): void {
    this.#totalBytes =
      this.#totalBytes === undefined || fileBytes === undefined ? undefined : this.#totalBytes + fileBytes;
  }

  #earliest(): CaptureFile | undefined {
    let earliest: CaptureFile | undefined;
    for (const file of this.#open) {
      if (earliest === undefined || file.timeMicros < earliest.timeMicros) {
        earliest = file;
      }
    }
    return earliest;
  }

  #isDue(earliest: CaptureFile | undefined): boolean {
    const [next] = this.#waiting;
    return (
      next !== undefined &&
      !this.#control.isInterrupted() &&
      this.#open.size < OPEN_CAPTURES_MAX &&
      (earliest === undefined || next.firstMicros <= earliest.timeMicros)
    );
  }

  async #openNext(): Promise<void> {
    const next = this.#waiting.shift();
    if (next === undefined) {
      return;
    }
    const file = next.opened ?? this.#openFile(next.file);
    this.#all.push(file);
    this.#open.add(file);
    if (!file.hasPacket && !(await this.#read(file))) {
      this.#retire(file);
    }
  }

  #openFile(name: string): CaptureFile {
    if (this.#memory === undefined || this.#memoryOwner !== undefined) {
      return new CaptureFile(name, openCapture(name));
    }
    this.#memoryOwner = new CaptureFile(name, openCapture(name), this.#memory);
    return this.#memoryOwner;
  }

  #setOtherTime(): void {
    let other = this.#open.size < OPEN_CAPTURES_MAX ? this.#waiting[0]?.firstMicros : undefined;
    other ??= Number.POSITIVE_INFINITY;
    for (const file of this.#open) {
      if (file !== this.#current) {
        other = Math.min(other, file.timeMicros);
      }
    }
    this.#otherMicros = other;
    this.limitMicros[0] = Math.min(other, this.#latestMicros);
  }

  #retire(file: CaptureFile): void {
    file.close();
    if (this.#memoryOwner === file) {
      this.#memoryOwner = undefined;
    }
    this.#open.delete(file);
    this.#all[this.#all.indexOf(file)] = resultOf(file);
  }
}

function resultOf({ file, fault, fileBytes, readBytes, skipped }: CaptureFile): CaptureResult {
  return { file, fault, fileBytes, readBytes, skipped };
}

/** The captures of files and folders, and what else is in the folders. */
interface NamedCaptures {
  readonly captures: readonly NamedCapture[];
  readonly others: readonly string[];
}

/** Finds the captures of files and folders; throws `CaptureSourceError`. */
function namedCaptures(paths: readonly string[]): NamedCaptures {
  if (paths.filter((path) => path === STANDARD_INPUT).length > 1) {
    throw new CaptureSourceError('Standard input is named twice, and can be read once: name "-" once.');
  }
  const found = paths.map((path) =>
    isFolder(path) ? filesOf(path) : { captures: [{ file: path, isOfFolder: false }], others: [] },
  );
  const captures = found.flatMap((each) => each.captures);
  if (captures.length > CAPTURES_MAX) {
    throw new CaptureSourceError(
      `There are ${captures.length} captures, more than the possible ${CAPTURES_MAX}; replay them in parts.`,
    );
  }
  return { captures, others: found.flatMap(({ others }) => others) };
}

function isFolder(path: string): boolean {
  // What is not there gets its error where it is opened.
  return path !== STANDARD_INPUT && (statOf(path)?.isDirectory() ?? false);
}

/** Returns what is at a path; undefined where nothing can be reached, as behind a link to itself. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Returns the files of a folder in the order of their names, but those in its folders and those that begin with a dot. */
function filesOf(folder: string): NamedCaptures {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (error) {
    throw new CaptureSourceError(`The folder "${folder}" cannot be read: ${reasonOf(error)}.`, {
      cause: error,
    });
  }
  const entries = names
    .filter((name) => !name.startsWith('.'))
    .map((name) => join(folder, name))
    .map((file) => ({ file, stat: statOf(file) }))
    .filter(({ stat }) => !(stat?.isDirectory() ?? false));
  const files = entries.filter(({ stat }) => stat?.isFile() ?? false);
  if (files.length === 0) {
    throw new CaptureSourceError(
      `The folder "${folder}" has no files. Folders in it are not searched: name them.`,
    );
  }
  return {
    captures: files.map(({ file }) => ({ file, isOfFolder: true })),
    others: entries.filter((entry) => !files.includes(entry)).map(({ file }) => file),
  };
}
