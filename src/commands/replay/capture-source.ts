// The interface of where the bytes of a capture come from, and its error.

import type { CaptureReader } from '../../capture/capture-reader.ts';

/** A file that cannot be opened or read; the message is a sentence. */
export class CaptureSourceError extends Error {
  readonly code = 'CAPTURE_SOURCE';
}

/** Where a capture comes from. */
export interface CaptureSource {
  /** Size of the file as stored, in bytes; undefined when it is unknown. */
  readonly fileBytes: number | undefined;
  /** How many of them have been read. */
  readonly readBytes: number;
  /** Reads the next bytes; false at the end. Rejects with a `CaptureSourceError`. */
  fill(reader: CaptureReader): boolean | Promise<boolean>;
  /** Ends the reading, and a wait for bytes with it. */
  close(): void;
}

/** The name of standard input on the command line. */
export const STANDARD_INPUT = '-';

/** Returns a file's name for a sentence: `The capture "FILE"`. */
export function captureName(file: string): string {
  return file === STANDARD_INPUT ? 'Standard input' : `The capture "${file}"`;
}
