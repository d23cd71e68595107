// Numbers and sizes of the IPFIX message format (RFC 7011, section 3), shared by writer and reader.

/** Version number of IPFIX in each message (RFC 7011, section 3.1). */
export const IPFIX_VERSION = 10;

/** Bytes of a message header and of a set header (RFC 7011, sections 3.1 and 3.3.2). */
export const MESSAGE_HEADER_SIZE = 16;
export const SET_HEADER_SIZE = 4;

/** Where the sequence number stands in a message; each session writes its own there. */
export const SEQUENCE_NUMBER_OFFSET = 8;

/** The longest message that the 16 bits of its length field can say. */
export const MESSAGE_SIZE_MAX = 65_535;

/** Set numbers (RFC 7011, section 3.3.2); those from 256 on are Data Sets, numbered as their templates. */
export const TEMPLATE_SET_ID = 2;
export const OPTIONS_TEMPLATE_SET_ID = 3;
export const DATA_SET_ID_MIN = 256;

/** A field of this length has its length in each record instead (RFC 7011, section 7). */
export const VARIABLE_LENGTH = 65_535;
