// Reads the vectors that generate.ts has written.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MessageHeader, readHeader } from '../../../src/node-openflow/header.ts';
import { isOpenFlowVersion, type OpenFlowVersion } from '../../../src/node-openflow/version.ts';
import { OpenFlowDecodeError, WireReader } from '../../../src/node-openflow/wire.ts';

/** One message. */
export interface Vector {
  readonly version: OpenFlowVersion;
  /** What ovs-ofctl was asked for; "live" for what passed between ovs-ofctl and a switch. */
  readonly text: string;
  /** What ovs-ofctl prints for the bytes. */
  readonly printed: string;
  readonly bytes: Buffer;
  readonly header: MessageHeader;
  /** Where the body begins, behind all headers. */
  readonly bodyStart: number;
}

interface StoredVector {
  readonly version: number;
  readonly text: string;
  readonly printed: string;
  readonly hex: string;
}

/** The vectors of a file beside this one, of those messages that ovs-ofctl prints with such a beginning. */
export function readVectors(file: string, printed: RegExp): readonly Vector[] {
  const stored = JSON.parse(readFileSync(join(import.meta.dirname, file), 'utf8')) as readonly StoredVector[];
  return stored.filter((vector) => printed.test(vector.printed)).map(toVector);
}

/** A reader of the body. */
export function bodyReader(vector: Vector): WireReader {
  return new WireReader(vector.bytes, vector.bodyStart);
}

/** The bytes of the body. */
export function body(vector: Vector): Buffer {
  return vector.bytes.subarray(vector.bodyStart);
}

/** Decodes the body cut off at each length: that must succeed (at a border of entries) or be the named error. */
export function tryPrefixes(vector: Vector, decode: (reader: WireReader) => unknown): void {
  for (let end = vector.bodyStart; end < vector.bytes.length; end += 1) {
    try {
      decode(new WireReader(vector.bytes, vector.bodyStart, end));
    } catch (error) {
      if (!(error instanceof OpenFlowDecodeError)) {
        throw error;
      }
    }
  }
}

function toVector({ version, text, printed, hex }: StoredVector): Vector {
  if (!isOpenFlowVersion(version)) {
    throw new Error(`a vector of version ${version}`);
  }
  const bytes = Buffer.from(hex, 'hex');
  const reader = new WireReader(bytes);
  const header = readHeader(reader);
  return { version, text, printed, bytes, header, bodyStart: reader.offset };
}
