// The errors of this library, and the codec of OFPT_ERROR.
import { ERROR_TYPE_EXPERIMENTER, ERROR_TYPE_NICIRA_10, errorName } from './error-names.ts';
import { VENDOR } from './header.ts';
import { type OpenFlowVersion, versionName } from './version.ts';
import { WireReader, type WireWriter } from './wire.ts';

const OFP_HEADER_SIZE = 8;

/** The content of OFPT_ERROR. */
export interface OpenFlowErrorReport {
  /** ofp_error_msg.type; for Nicira's errors in OpenFlow 1.0 their own type. */
  readonly errorType: number;
  /** ofp_error_msg.code, or the experimenter's code. */
  readonly errorCode: number;
  /** The experimenter of type and code, or 0. */
  readonly vendor: number;
  /** The name, such as "OFPBMC_BAD_FIELD", or the numbers of an error without name. */
  readonly name: string;
  /** At least the first 64 bytes of the request; a text for OFPET_HELLO_FAILED. */
  readonly data: Buffer;
}

/** The switch refused a request or a message. */
export class OpenFlowRequestError extends Error implements OpenFlowErrorReport {
  readonly code = 'OPENFLOW_REQUEST';
  readonly errorType: number;
  readonly errorCode: number;
  readonly vendor: number;
  /** The OpenFlow name of the error, to branch on: "OFPMMFC_METER_EXISTS". */
  readonly errorName: string;
  readonly data: Buffer;
  /** `type` of the refused message: "meter_mod". */
  readonly requestType: string;
  readonly xid: number;
  /** Index of the message in the argument of `transact` or `bundle`; -1 for a single request. */
  readonly index: number;

  constructor(report: OpenFlowErrorReport, requestType: string, xid: number, index = -1) {
    const position = index < 0 ? '' : ` (message ${index} of its batch)`;
    super(`the switch refused ${requestType}${position} with ${report.name}`);
    this.name = 'OpenFlowRequestError';
    this.errorType = report.errorType;
    this.errorCode = report.errorCode;
    this.vendor = report.vendor;
    this.errorName = report.name;
    this.data = report.data;
    this.requestType = requestType;
    this.xid = xid;
    this.index = index;
  }
}

/**
 * The codes of {@link OpenFlowConnectionError}:
 * - `OPENFLOW_VERSION`: the peers have no common version, or a message has another version than the negotiated one.
 * - `OPENFLOW_PROTOCOL`: the switch violated the protocol (the first message is not a hello, a reply has the wrong type).
 * - `OPENFLOW_NOT_READY`: a message was to be sent before the version was negotiated.
 * - `OPENFLOW_PENDING`: too many requests are pending (`pendingRequestsMax`).
 * - `OPENFLOW_BACKLOG`: the switch does not read (`sendBacklogBytesMax`).
 * - `OPENFLOW_MULTIPART`: a multipart reply exceeds `multipartBytesMax`.
 * - `OPENFLOW_ENDED`: the connection has ended; the cause says why.
 */
export type OpenFlowConnectionErrorCode =
  | 'OPENFLOW_VERSION'
  | 'OPENFLOW_PROTOCOL'
  | 'OPENFLOW_NOT_READY'
  | 'OPENFLOW_PENDING'
  | 'OPENFLOW_BACKLOG'
  | 'OPENFLOW_MULTIPART'
  | 'OPENFLOW_ENDED';

/** An error of the connection, identified by `code`. */
export class OpenFlowConnectionError extends Error {
  readonly code: OpenFlowConnectionErrorCode;

  constructor(code: OpenFlowConnectionErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'OpenFlowConnectionError';
    this.code = code;
  }
}

/** A message that the negotiated version cannot express: a bug of the caller. */
export class OpenFlowEncodeError extends Error {
  readonly code = 'OPENFLOW_ENCODE';

  constructor(what: string, version: OpenFlowVersion, fault: string) {
    super(`${what} in ${versionName(version)}: ${fault}`);
    this.name = 'OpenFlowEncodeError';
  }
}

/**
 * Decodes a whole OFPT_ERROR of another version than the connection's. OVS before 3.0 answers some requests that it cannot
 * parse with an error of OpenFlow 1.0 with a wrong transaction id, so it cannot be matched to a request.
 */
export function decodeMismatchedError(bytes: Buffer): { report: OpenFlowErrorReport; version: number } {
  const reader = new WireReader(bytes);
  const version = reader.u8('ofp_header.version');
  reader.skip(OFP_HEADER_SIZE - 1, 'ofp_header');
  return { report: decodeError(version === 1 ? 1 : 4, reader), version };
}

/*
 * OFPT_ERROR                        experimenter (1.2+)              Nicira in 1.0
 *   u16 type                          u16 0xffff                       u16 0xb0c2
 *   u16 code                          u16 code                         u16 0
 *   data: the rest                    u32 experimenter                 u32 vendor
 *                                     data                             u16 type
 *                                                                      u16 code
 *                                                                      data
 */
export function decodeError(version: OpenFlowVersion, reader: WireReader): OpenFlowErrorReport {
  let errorType = reader.u16('error.type');
  let errorCode = reader.u16('error.code');
  let vendor = 0;
  if (errorType === ERROR_TYPE_EXPERIMENTER && version !== 1) {
    vendor = reader.u32('error.experimenter');
  } else if (errorType === ERROR_TYPE_NICIRA_10 && version === 1) {
    vendor = reader.u32('error.vendor');
    errorType = reader.u16('error.vendor_type');
    errorCode = reader.u16('error.vendor_code');
  }
  const name = errorName(version, vendor, errorType, errorCode) ?? describe(vendor, errorType, errorCode);
  return { errorType, errorCode, vendor, name, data: reader.copy(reader.remaining, 'error.data') };
}

export function encodeError(version: OpenFlowVersion, report: OpenFlowErrorReport, writer: WireWriter): void {
  if (report.vendor === 0) {
    writer.u16(report.errorType).u16(report.errorCode);
  } else if (version !== 1) {
    writer.u16(ERROR_TYPE_EXPERIMENTER).u16(report.errorCode).u32(report.vendor);
  } else if (report.vendor === VENDOR.nicira) {
    writer.u16(ERROR_TYPE_NICIRA_10).u16(0).u32(report.vendor).u16(report.errorType).u16(report.errorCode);
  } else {
    throw new OpenFlowEncodeError('error', version, `vendor ${report.vendor} has no errors there`);
  }
  writer.put(report.data);
}

function describe(vendor: number, errorType: number, errorCode: number): string {
  const of = vendor === 0 ? '' : ` of vendor 0x${vendor.toString(16).padStart(8, '0')}`;
  return `error type ${errorType} code ${errorCode}${of}`;
}
