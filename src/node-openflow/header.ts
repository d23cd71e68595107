// The codec of headers: ofp_header, and for extensions and multipart messages the headers that follow it. A `Place` is
// the number of a message in some versions; messages.ts has the places of each message.
import { HEADER_SIZE } from './framing.ts';
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

/** Experimenter (vendor) numbers of Open vSwitch's extensions. */
export const VENDOR = { nicira: 0x0000_2320, onf: 0x4f4e_4600 } as const;

const OFPT_EXPERIMENTER = 4;
const OFPMP_EXPERIMENTER = 0xffff;
/** OFPMPF_REPLY_MORE: more parts of the multipart message follow. */
const MULTIPART_MORE = 1;

/** The number of a message in one or more versions. */
export interface Place {
  readonly versionMin: OpenFlowVersion;
  readonly versionMax: OpenFlowVersion;
  /** 0 for messages of the standard. */
  readonly vendor: number;
  /** Multipart requests and replies share their numbers; `plain` is any other message. */
  readonly layout: 'plain' | 'multipart_request' | 'multipart_reply';
  /** ofp_header.type, the subtype of an extension, or the multipart type. */
  readonly number: number;
}

/** A decoded header. */
export interface MessageHeader {
  readonly version: number;
  /** The key of the message in the table; see `placeKey`. */
  readonly key: number;
  readonly xid: number;
  /** Whether more parts of the multipart message follow. */
  readonly more: boolean;
  readonly multipart: boolean;
}

/** Returns ofp_header.type of OFPT_MULTIPART_REQUEST (OFPT_STATS_REQUEST in 1.0); the reply's is one more. */
function multipartRequestType(version: number): number {
  return version === 1 ? 16 : 18;
}

/** Returns a number below 2^53 for (type, vendor, subtype), unique among the messages of a version. */
export function placeKey(version: OpenFlowVersion, place: Place): number {
  if (place.layout === 'plain') {
    return place.vendor === 0 ? place.number : key(OFPT_EXPERIMENTER, place.vendor, place.number);
  }
  const type = multipartRequestType(version) + (place.layout === 'multipart_reply' ? 1 : 0);
  return key(type, place.vendor, place.number);
}

function key(type: number, vendor: number, subtype: number): number {
  const vendorIndex = vendor === 0 ? 0 : vendor === VENDOR.nicira ? 1 : vendor === VENDOR.onf ? 2 : 3;
  return (vendorIndex * 0x1_0000_0000 + subtype) * 256 + type;
}

/*
 * ofp_header                        experimenter            multipart, OpenFlow 1.3+       extension multipart
 *   u8  version                       u32 vendor              u16 type                       u16 0xffff
 *   u8  type                          u32 subtype             u16 flags                      u16 flags
 *   u16 length                                                u32 zero (absent in 1.0)       u32 zero (absent in 1.0)
 *   u32 xid                                                                                  u32 vendor
 *                                                                                            u32 subtype
 *                                                                                            u32 zero (only in 1.0)
 */

/** Decodes all headers, and leaves the reader at the body. The reader must cover exactly one message. */
export function readHeader(reader: WireReader): MessageHeader {
  const version = reader.u8('ofp_header.version');
  const type = reader.u8('ofp_header.type');
  reader.skip(2, 'ofp_header.length');
  const xid = reader.u32('ofp_header.xid');
  if (type === OFPT_EXPERIMENTER) {
    const vendor = reader.u32('experimenter.vendor');
    // The vendor defines what follows; the extensions here have a subtype.
    const subtype = reader.remaining < 4 ? 0 : reader.u32('experimenter.subtype');
    return { version, key: key(type, vendor, subtype), xid, more: false, multipart: false };
  }
  const requestType = multipartRequestType(version);
  if (type !== requestType && type !== requestType + 1) {
    return { version, key: type, xid, more: false, multipart: false };
  }
  const multipartType = reader.u16('multipart.type');
  const more = (reader.u16('multipart.flags') & MULTIPART_MORE) !== 0;
  if (version !== 1) {
    reader.skip(4, 'multipart.pad');
  }
  if (multipartType !== OFPMP_EXPERIMENTER) {
    return { version, key: key(type, 0, multipartType), xid, more, multipart: true };
  }
  const vendor = reader.u32('multipart.vendor');
  const subtype = reader.u32('multipart.subtype');
  if (version === 1) {
    reader.skip(4, 'multipart.pad');
  }
  return { version, key: key(type, vendor, subtype), xid, more, multipart: true };
}

/** Encodes all headers; the length is filled in after the body. */
export function writeHeader(writer: WireWriter, version: OpenFlowVersion, place: Place, xid: number): void {
  const isPlain = place.layout === 'plain';
  const requestType = multipartRequestType(version);
  const plainType = place.vendor === 0 ? place.number : OFPT_EXPERIMENTER;
  const multipartType = place.layout === 'multipart_request' ? requestType : requestType + 1;
  writer
    .u8(version)
    .u8(isPlain ? plainType : multipartType)
    .u16(0)
    .u32(xid);
  if (!isPlain) {
    writer.u16(place.vendor === 0 ? place.number : OFPMP_EXPERIMENTER).u16(0);
    if (version !== 1) {
      writer.u32(0);
    }
  }
  if (place.vendor !== 0) {
    writer.u32(place.vendor).u32(place.number);
    if (!isPlain && version === 1) {
      writer.u32(0);
    }
  }
}

/** Size of an extension's headers in bytes: ofp_header, vendor, subtype. */
export const EXPERIMENTER_HEADER_SIZE = HEADER_SIZE + 8;

/** Whether `bytes[start, end)` is a Nicira message of that subtype. Allocates nothing. */
export function isNiciraMessage(bytes: Buffer, start: number, end: number, subtype: number): boolean {
  return (
    end - start >= EXPERIMENTER_HEADER_SIZE &&
    bytes[start + 1] === OFPT_EXPERIMENTER &&
    bytes.readUInt32BE(start + HEADER_SIZE) === VENDOR.nicira &&
    bytes.readUInt32BE(start + HEADER_SIZE + 4) === subtype
  );
}
