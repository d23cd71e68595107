// Numbers and sizes of the IPFIX message format (RFC 7011, section 3), for writer and reader.

/** The version in each message (RFC 7011, section 3.1). */
export const IPFIX_VERSION = 10;

/** Bytes of a message header and of a set header (RFC 7011, sections 3.1 and 3.3.2). */
export const MESSAGE_HEADER_SIZE = 16;
export const SET_HEADER_SIZE = 4;

/** Offsets of the export time and of the observation domain in a message, in bytes. */
export const EXPORT_TIME_OFFSET = 4;
export const OBSERVATION_DOMAIN_OFFSET = 12;

/** Offset of the sequence number in a message, in bytes; each session writes its own. */
export const SEQUENCE_NUMBER_OFFSET = 8;

/** The longest message, in bytes: its length field has 16 bits. */
export const MESSAGE_SIZE_MAX = 65_535;

/** Set ids (RFC 7011, section 3.3.2); those from 256 on are Data Sets, and are the ids of their templates. */
export const TEMPLATE_SET_ID = 2;
export const OPTIONS_TEMPLATE_SET_ID = 3;
export const DATA_SET_ID_MIN = 256;

/** The length of a field whose length is in each record instead (RFC 7011, section 7). */
export const VARIABLE_LENGTH = 65_535;

/** Returns what a message of another version may be, by its first four bytes: ` (NetFlow version 9)`. */
export function otherProtocol(bytes: Buffer): string {
  const version = bytes.readUInt16BE(0);
  if (version === 9 || version === 5) {
    return ` (NetFlow version ${version})`;
  }
  // sFlow has 32 bits for its version.
  return bytes.readUInt32BE(0) === 5 ? ' (sFlow version 5)' : '';
}
