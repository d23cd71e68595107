// Compressed captures: gzip is unpacked here, the other formats are named together with the command that unpacks them.

import { createGunzip } from 'node:zlib';
import { captureName, STANDARD_INPUT } from './capture-source.ts';

/** A format of compression. */
export interface Compression {
  readonly name: string;
  /** The command that unpacks to standard output. */
  readonly command: string;
  /** The first bytes of a file, in hex. */
  readonly magic: string;
}

/** The format that is unpacked here. */
export const GZIP: Compression = { name: 'gzip', command: 'gzip -dc', magic: '1f8b' };
const FORMATS: readonly Compression[] = [
  GZIP,
  { name: 'zstd', command: 'zstd -dc', magic: '28b52ffd' },
  { name: 'xz', command: 'xz -dc', magic: 'fd377a58' },
  { name: 'bzip2', command: 'bzip2 -dc', magic: '425a68' },
  { name: 'lz4', command: 'lz4 -dc', magic: '04224d18' },
];

/** Bytes of a file that `compressionOf` needs. */
export const COMPRESSION_MAGIC_SIZE = 4;
/**
 * Bytes that the decompressor gets at a time. It returns nothing of the piece in which it finds damage, so that this is what
 * damage within a file may cost in addition.
 */
const PIECE_BYTES = 4096;
/** The checksum and the size at the end of a gzip member (RFC 1952, section 2.3.1), in bytes. */
const TRAILER_BYTES = 8;

/** Returns the format of a file that begins with these bytes; undefined when it is not compressed. */
export function compressionOf(head: Buffer): Compression | undefined {
  const hex = head.toString('hex');
  return FORMATS.find(({ magic }) => hex.startsWith(magic));
}

/** Returns the sentence about a capture in a format that is not unpacked here, with the command that reads it all the same. */
export function unpackAdvice(file: string, { name, command }: Compression): string {
  const unpack = file === STANDARD_INPUT ? command : `${command} ${quoted(file)}`;
  return (
    `${captureName(file)} is compressed by ${name}, which is not unpacked here. ` +
    `Unpack it on the way: ${unpack} | ovs-ipfix replay - --to COLLECTOR.`
  );
}

/** Returns the sentence about a gzip file whose content is compressed again. */
export function unpackTwiceAdvice(file: string, { name, command }: Compression): string {
  const unpack = file === STANDARD_INPUT ? GZIP.command : `${GZIP.command} ${quoted(file)}`;
  // Gzip on standard input is unpacked here.
  const rest = name === GZIP.name ? '' : ` | ${command}`;
  return (
    `${captureName(file)} is compressed twice, by ${name} and then by gzip. ` +
    `Unpack it on the way: ${unpack}${rest} | ovs-ipfix replay - --to COLLECTOR.`
  );
}

/** Returns a word as it is typed in a shell. */
function quoted(word: string): string {
  return /^[\w./:-]+$/u.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * Unpacks gzip. Damage rejects after everything before it was returned; the last bytes are unpacked one by one, so that a wrong
 * checksum costs nothing of the data.
 */
export async function* gunzip(packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const unpack = createGunzip();
  const ready: Buffer[] = [];
  unpack.on('data', (bytes: Buffer) => ready.push(bytes));
  // It ends by itself at zeros behind the last member, and then calls no callback; neither does it after an error.
  const state: { outcome?: Error | 'end'; settle: () => void } = { settle: () => {} };
  const note = (outcome: Error | 'end'): void => {
    state.outcome ??= outcome;
    state.settle();
  };
  unpack.once('error', note).once('end', () => note('end'));
  const settled = (begin: (done: () => void) => void): Promise<void> =>
    new Promise((resolve) => {
      state.settle = resolve;
      if (state.outcome === undefined) {
        begin(resolve);
      } else {
        resolve();
      }
    });
  try {
    for await (const chunk of withSingleEnd(packed)) {
      for (let at = 0; at < chunk.length && state.outcome === undefined; at += PIECE_BYTES) {
        const piece = chunk.subarray(at, at + PIECE_BYTES);
        await settled((done) => unpack.write(piece, () => done()));
      }
      yield* ready.splice(0);
      if (state.outcome !== undefined) {
        break;
      }
    }
    if (state.outcome === undefined) {
      await settled(() => unpack.end());
      yield* ready.splice(0);
    }
    if (state.outcome instanceof Error) {
      throw state.outcome;
    }
  } finally {
    unpack.destroy();
  }
}

/** Returns the chunks, with the last bytes of all singly. */
async function* withSingleEnd(packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of packed) {
    const bytes = Buffer.concat([held, chunk]);
    const end = Math.max(0, bytes.length - TRAILER_BYTES);
    yield bytes.subarray(0, end);
    held = bytes.subarray(end);
  }
  for (let at = 0; at < held.length; at += 1) {
    yield held.subarray(at, at + 1);
  }
}
