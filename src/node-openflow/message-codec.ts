// Whole messages as bytes and back, by the table of messages.
import { OpenFlowEncodeError } from './errors.ts';
import { HEADER_SIZE, MESSAGE_BYTES_MAX } from './framing.ts';
import { type MessageHeader, placeKey, readHeader, writeHeader } from './header.ts';
import type { OpenFlowMessage } from './message-types.ts';
import { type Codec, type DecodeInner, MESSAGES } from './messages.ts';
import { OPENFLOW_VERSIONS, type OpenFlowVersion, versionName } from './version.ts';
import { WireReader, WireWriter } from './wire.ts';

/** A message as it was received. */
export interface ReceivedMessage {
  readonly header: MessageHeader;
  readonly message: OpenFlowMessage;
}

type Decode = (version: OpenFlowVersion, reader: WireReader, decodeInner: DecodeInner) => object;

/** The table as the code below uses it: the types of name and codec no longer belong together. */
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

/** The bytes of a message. Throws `OpenFlowEncodeError` when the version cannot express it. */
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
    throw new OpenFlowEncodeError(message.type, version, 'there is no such message to send');
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
 * The message in `bytes[start, end)`. Throws `OpenFlowDecodeError` when its bytes are not what the specification allows;
 * a message that this library does not know is `unknown`. Nothing in the result refers to `bytes`.
 */
export function decodeMessage(
  version: OpenFlowVersion,
  bytes: Buffer,
  start = 0,
  end = bytes.length,
): ReceivedMessage {
  // Memory of its own, so that offsets in errors count from the start of the message.
  return decode(version, bytes.subarray(start, end), (inner) => {
    // A message within a message within a message exists only in hostile bytes, which could nest them thousands deep.
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

/** The bytes of the message that the reader stands at, as long as its own header says. */
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
  throw reader.fault('inner message', 'holds a message itself');
}
