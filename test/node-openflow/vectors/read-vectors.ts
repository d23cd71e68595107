// Reads the vectors that generate.ts wrote.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MessageHeader, readHeader } from '../../../src/node-openflow/header.ts';
import { isOpenFlowVersion, type OpenFlowVersion } from '../../../src/node-openflow/version.ts';
import { OpenFlowDecodeError, WireReader } from '../../../src/node-openflow/wire.ts';
import { withShortStacks } from '../../support/short-stacks.ts';

/** One message. */
export interface Vector {
  readonly version: OpenFlowVersion;
  /** The arguments of ovs-ofctl, or "live" for messages between ovs-ofctl and a switch. */
  readonly text: string;
  /** What ovs-ofctl prints for the bytes. */
  readonly printed: string;
  readonly bytes: Buffer;
  readonly header: MessageHeader;
  /** Offset of the body, after all headers. */
  readonly bodyStart: number;
}

interface StoredVector {
  readonly version: number;
  readonly text: string;
  readonly printed: string;
  readonly hex: string;
}

/** Reads the vectors of a file in this folder whose printed text matches. */
export function readVectors(file: string, printed: RegExp): readonly Vector[] {
  const stored = JSON.parse(readFileSync(join(import.meta.dirname, file), 'utf8')) as readonly StoredVector[];
  return stored.filter((vector) => printed.test(vector.printed)).map(toVector);
}

/** Returns a reader of the body. */
export function bodyReader(vector: Vector): WireReader {
  return new WireReader(vector.bytes, vector.bodyStart);
}

/** Returns the bytes of the body. */
export function body(vector: Vector): Buffer {
  return vector.bytes.subarray(vector.bodyStart);
}

/** Decodes each prefix of the body, which must succeed (at the end of an entry) or throw OpenFlowDecodeError. */
export function tryPrefixes(vector: Vector, decode: (reader: WireReader) => unknown): void {
  for (let end = vector.bodyStart; end < vector.bytes.length; end += 1) {
    try {
      withShortStacks(() => decode(new WireReader(vector.bytes, vector.bodyStart, end)));
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
