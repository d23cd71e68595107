// The named errors of this library, and the codec of the OpenFlow message that carries the switch's errors.
import { ERROR_TYPE_EXPERIMENTER, ERROR_TYPE_NICIRA_10, errorName } from './error-names.ts';
import { VENDOR } from './header.ts';
import { type OpenFlowVersion, versionName } from './version.ts';
import { WireReader, type WireWriter } from './wire.ts';

const OFP_HEADER_SIZE = 8;

/** What the switch says about a request that it refuses. */
export interface OpenFlowErrorReport {
  /** ofp_error_msg.type; for Nicira's errors in OpenFlow 1.0 the type inside the wrapping. */
  readonly errorType: number;
  /** ofp_error_msg.code, or the experimenter's own code. */
  readonly errorCode: number;
  /** 0, or the experimenter whose number space type and code belong to. */
  readonly vendor: number;
  /** "OFPBMC_BAD_FIELD", or numbers when the error is not known to this library. */
  readonly name: string;
  /** At least the first 64 bytes of the request as the switch saw it; text for OFPET_HELLO_FAILED. */
  readonly data: Buffer;
}

/** The switch refused a request of ours. */
export class OpenFlowRequestError extends Error implements OpenFlowErrorReport {
  readonly code = 'OPENFLOW_REQUEST';
  readonly errorType: number;
  readonly errorCode: number;
  readonly vendor: number;
  /** The OpenFlow name of the error, which is what to branch on: "OFPMMFC_METER_EXISTS". */
  readonly errorName: string;
  readonly data: Buffer;
  /** `type` of the message that was refused: "meter_mod". */
  readonly requestType: string;
  readonly xid: number;
  /** Which of the messages given to `transact` or `bundle` it was; -1 when the request was a single one. */
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
 * Why a connection could not do what it was asked:
 * - `OPENFLOW_VERSION`: the peers have no version in common, or one arrived that was not agreed.
 * - `OPENFLOW_PROTOCOL`: the switch sent what a switch must not send here (no hello at first, a reply of the wrong type).
 * - `OPENFLOW_NOT_READY`: something was sent before the versions were negotiated.
 * - `OPENFLOW_PENDING`: too many requests wait for their reply (`pendingRequestsMax`).
 * - `OPENFLOW_BACKLOG`: the switch does not read what we send (`sendBacklogBytesMax`).
 * - `OPENFLOW_MULTIPART`: a reply in parts became larger than `multipartBytesMax`.
 * - `OPENFLOW_ENDED`: the connection is over; the cause says why.
 */
export type OpenFlowConnectionErrorCode =
  | 'OPENFLOW_VERSION'
  | 'OPENFLOW_PROTOCOL'
  | 'OPENFLOW_NOT_READY'
  | 'OPENFLOW_PENDING'
  | 'OPENFLOW_BACKLOG'
  | 'OPENFLOW_MULTIPART'
  | 'OPENFLOW_ENDED';

/** An error of the connection itself, told apart by `code`. */
export class OpenFlowConnectionError extends Error {
  readonly code: OpenFlowConnectionErrorCode;

  constructor(code: OpenFlowConnectionErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'OpenFlowConnectionError';
    this.code = code;
  }
}

/** A message that the negotiated version cannot express: a mistake of the caller. */
export class OpenFlowEncodeError extends Error {
  readonly code = 'OPENFLOW_ENCODE';

  constructor(what: string, version: OpenFlowVersion, fault: string) {
    super(`${what} in ${versionName(version)}: ${fault}`);
    this.name = 'OpenFlowEncodeError';
  }
}

/**
 * Reads a whole error message of another version than the connection's. OVS before 3.0 answers some requests that it cannot
 * parse with an error of OpenFlow 1.0 whose transaction id is not the request's, so that it can be assigned to none.
 */
export function decodeForeignError(bytes: Buffer): { report: OpenFlowErrorReport; version: number } {
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
