// Encodes and decodes whole messages by the table of messages.
import { OpenFlowEncodeError } from './errors.ts';
import { HEADER_SIZE, MESSAGE_BYTES_MAX } from './framing.ts';
import { type MessageHeader, placeKey, readHeader, writeHeader } from './header.ts';
import type { OpenFlowMessage } from './message-types.ts';
import { type Codec, type DecodeInner, MESSAGES } from './messages.ts';
import { OPENFLOW_VERSIONS, type OpenFlowVersion, versionName } from './version.ts';
import { WireReader, WireWriter } from './wire.ts';

/** A received message. */
export interface ReceivedMessage {
  readonly header: MessageHeader;
  readonly message: OpenFlowMessage;
}

type Decode = (version: OpenFlowVersion, reader: WireReader, decodeInner: DecodeInner) => object;

/** A codec of the table without the type of its body. */
type AnyCodec = Codec<never> & {
  readonly decode: Decode | null;
};
const CODECS = new Map<string, AnyCodec>(Object.entries(MESSAGES) as [string, AnyCodec][]);

interface NamedDecoder {
  readonly type: string;
  readonly decode: Decode;
}
const DECODERS: ReadonlyMap<OpenFlowVersion, ReadonlyMap<number, NamedDecoder>> = new Map(
  OPENFLOW_VERSIONS.map((version) => [version, decodersOf(version)]),
);

function decodersOf(version: OpenFlowVersion): ReadonlyMap<number, NamedDecoder> {
  const decoders = new Map<number, NamedDecoder>();
  for (const [type, codec] of CODECS) {
    const { decode } = codec;
    for (const place of decode === null ? [] : codec.places) {
      if (decode === null || version < place.versionMin || version > place.versionMax) {
        continue;
      }
      const key = placeKey(version, place);
      const other = decoders.get(key);
      if (other !== undefined) {
        throw new Error(`${type} and ${other.type} have the same number in ${versionName(version)}`);
      }
      decoders.set(key, { type, decode });
    }
  }
  return decoders;
}

/** Encodes a message. Throws `OpenFlowEncodeError` when the version cannot express it. */
export function encodeMessage(version: OpenFlowVersion, message: OpenFlowMessage, xid: number): Buffer {
  const writer = new WireWriter();
  writeMessage(version, message, xid, writer);
  return writer.finish();
}

function writeMessage(
  version: OpenFlowVersion,
  message: OpenFlowMessage,
  xid: number,
  writer: WireWriter,
): void {
  const codec = CODECS.get(message.type);
  const place = codec?.places.find(
    ({ versionMin, versionMax }) => version >= versionMin && version <= versionMax,
  );
  if (codec === undefined || codec.encode === null || place === undefined) {
    throw new OpenFlowEncodeError(message.type, version, 'this version does not have the message');
  }
  const start = writer.size;
  writeHeader(writer, version, place, xid);
  codec.encode(version, message as never, writer, (inner) => writeMessage(version, inner, xid, writer));
  const size = writer.size - start;
  if (size > MESSAGE_BYTES_MAX) {
    throw new OpenFlowEncodeError(
      message.type,
      version,
      `takes ${size} bytes; a message has at most ${MESSAGE_BYTES_MAX}`,
    );
  }
  writer.setU16(start + 2, size);
}

/**
 * Decodes the message `bytes[start, end)`; one without a codec becomes `unknown`. Throws `OpenFlowDecodeError` when it is
 * malformed. The result does not refer to `bytes`.
 */
export function decodeMessage(
  version: OpenFlowVersion,
  bytes: Buffer,
  start = 0,
  end = bytes.length,
): ReceivedMessage {
  // A buffer of the message alone, so that offsets in errors count from its start.
  return decode(version, bytes.subarray(start, end), (inner) => {
    // Messages are nested at most once; hostile bytes could nest them thousands deep.
    return decode(version, innerMessage(inner), refuseInner).message;
  });
}

function decode(version: OpenFlowVersion, bytes: Buffer, decodeInner: DecodeInner): ReceivedMessage {
  const reader = new WireReader(bytes);
  const header = readHeader(reader);
  const decoder = DECODERS.get(version)?.get(header.key);
  if (decoder === undefined) {
    return {
      header,
      message: { type: 'unknown', messageType: bytes.readUInt8(1), bytes: Buffer.from(bytes) },
    };
  }
  const body = decoder.decode(version, reader, decodeInner);
  return { header, message: { type: decoder.type, ...body } as OpenFlowMessage };
}

/** Reads the bytes of a nested message, whose header has its length. */
function innerMessage(reader: WireReader): Buffer {
  if (reader.remaining < HEADER_SIZE) {
    throw reader.fault('inner message', `needs ${HEADER_SIZE} bytes, but ${reader.remaining} are left`);
  }
  const size = reader.bytes.readUInt16BE(reader.offset + 2);
  if (size < HEADER_SIZE) {
    throw reader.fault('inner message', `is ${size} bytes long, less than a header`);
  }
  return reader.view(size, 'inner message');
}

function refuseInner(reader: WireReader): never {
  throw reader.fault('inner message', 'contains another message');
}
