// The names of OpenFlow errors, as Open vSwitch prints them, by the numbers on the wire. OpenFlow 1.0 has other numbers
// than later versions; Nicira's and the ONF's errors have their own number spaces.
import { VENDOR } from './header.ts';
import type { OpenFlowVersion } from './version.ts';

/** ofp_error_msg.type of an experimenter's error in OpenFlow 1.2 and later; the code is the experimenter's. */
export const ERROR_TYPE_EXPERIMENTER = 0xffff;
/** ofp_error_msg.type of Nicira's errors in OpenFlow 1.0; their own type and code follow the vendor. */
export const ERROR_TYPE_NICIRA_10 = 0xb0c2;

/** The codes of one error type: names without their prefix, code 0 first. */
type Codes = readonly [prefix: string, codes: string];

const HELLO_FAILED: Codes = ['OFPHFC', 'INCOMPATIBLE EPERM'];
const BAD_REQUEST_10 =
  'BAD_VERSION BAD_TYPE BAD_STAT BAD_VENDOR BAD_SUBTYPE EPERM BAD_LEN BUFFER_EMPTY BUFFER_UNKNOWN';
const BAD_ACTION_10 =
  'BAD_TYPE BAD_LEN BAD_VENDOR BAD_VENDOR_TYPE BAD_OUT_PORT BAD_ARGUMENT EPERM TOO_MANY BAD_QUEUE';
const GROUP_MOD_FAILED: Codes = [
  'OFPGMFC',
  'GROUP_EXISTS INVALID_GROUP WEIGHT_UNSUPPORTED OUT_OF_GROUPS OUT_OF_BUCKETS CHAINING_UNSUPPORTED WATCH_UNSUPPORTED ' +
    'LOOP UNKNOWN_GROUP CHAINED_GROUP BAD_TYPE BAD_COMMAND BAD_BUCKET BAD_WATCH EPERM UNKNOWN_BUCKET BUCKET_EXISTS',
];

/** OpenFlow 1.0, by ofp_error_msg.type. */
const ERRORS_10: readonly Codes[] = [
  HELLO_FAILED,
  ['OFPBRC', BAD_REQUEST_10],
  ['OFPBAC', BAD_ACTION_10],
  ['OFPFMFC', 'TABLE_FULL OVERLAP EPERM BAD_EMERG_TIMEOUT BAD_COMMAND UNSUPPORTED'],
  ['OFPPMFC', 'BAD_PORT BAD_HW_ADDR'],
  ['OFPQOFC', 'BAD_PORT BAD_QUEUE EPERM'],
];

/** OpenFlow 1.1 and later, by ofp_error_msg.type. */
const ERRORS_13: readonly Codes[] = [
  HELLO_FAILED,
  [
    'OFPBRC',
    `${BAD_REQUEST_10} BAD_TABLE_ID IS_SECONDARY BAD_PORT BAD_PACKET MULTIPART_BUFFER_OVERFLOW ` +
      'MULTIPART_REQUEST_TIMEOUT MULTIPART_REPLY_TIMEOUT MULTIPART_BAD_SCHED PIPELINE_FIELDS_ONLY UNKNOWN',
  ],
  [
    'OFPBAC',
    `${BAD_ACTION_10} BAD_OUT_GROUP MATCH_INCONSISTENT UNSUPPORTED_ORDER BAD_TAG BAD_SET_TYPE BAD_SET_LEN ` +
      'BAD_SET_ARGUMENT BAD_SET_MASK BAD_METER',
  ],
  [
    'OFPBIC',
    'UNKNOWN_INST UNSUP_INST BAD_TABLE_ID UNSUP_METADATA UNSUP_METADATA_MASK BAD_EXPERIMENTER BAD_EXP_TYPE BAD_LEN ' +
      'EPERM DUP_INST',
  ],
  [
    'OFPBMC',
    'BAD_TYPE BAD_LEN BAD_TAG BAD_DL_ADDR_MASK BAD_NW_ADDR_MASK BAD_WILDCARDS BAD_FIELD BAD_VALUE BAD_MASK BAD_PREREQ ' +
      'DUP_FIELD EPERM',
  ],
  [
    'OFPFMFC',
    'UNKNOWN TABLE_FULL BAD_TABLE_ID OVERLAP EPERM BAD_TIMEOUT BAD_COMMAND BAD_FLAGS CANT_SYNC BAD_PRIORITY IS_SYNC',
  ],
  GROUP_MOD_FAILED,
  ['OFPPMFC', 'BAD_PORT BAD_HW_ADDR BAD_CONFIG BAD_ADVERTISE EPERM'],
  ['OFPTMFC', 'BAD_TABLE BAD_CONFIG EPERM'],
  ['OFPQOFC', 'BAD_PORT BAD_QUEUE EPERM'],
  ['OFPSCFC', 'BAD_FLAGS BAD_LEN EPERM'],
  ['OFPRRFC', 'STALE UNSUP BAD_ROLE ID_UNSUP ID_IN_USE'],
  [
    'OFPMMFC',
    'UNKNOWN METER_EXISTS INVALID_METER UNKNOWN_METER BAD_COMMAND BAD_FLAGS BAD_RATE BAD_BURST BAD_BAND BAD_BAND_VALUE ' +
      'OUT_OF_METERS OUT_OF_BANDS',
  ],
  [
    'OFPTFFC',
    'BAD_TABLE BAD_METADATA BAD_TYPE BAD_LEN BAD_ARGUMENT EPERM BAD_CAPA BAD_MAX_ENT BAD_FEATURES BAD_COMMAND TOO_MANY',
  ],
  [
    'OFPBPC',
    'BAD_TYPE BAD_LEN BAD_VALUE TOO_MANY DUP_TYPE BAD_EXPERIMENTER BAD_EXP_TYPE BAD_EXP_VALUE EPERM',
  ],
  ['OFPACFC', 'INVALID UNSUPPORTED EPERM'],
  [
    'OFPMOFC',
    'UNKNOWN MONITOR_EXISTS INVALID_MONITOR UNKNOWN_MONITOR BAD_COMMAND BAD_FLAGS BAD_TABLE_ID BAD_OUT',
  ],
  [
    'OFPBFC',
    'UNKNOWN EPERM BAD_ID BUNDLE_EXIST BUNDLE_CLOSED OUT_OF_BUNDLES BAD_TYPE BAD_FLAGS MSG_BAD_LEN MSG_BAD_XID MSG_UNSUP ' +
      'MSG_CONFLICT MSG_TOO_MANY MSG_FAILED TIMEOUT BUNDLE_IN_PROGRESS SCHED_NOT_SUPPORTED SCHED_FUTURE SCHED_PAST',
  ],
];

/** Nicira's errors in OpenFlow 1.0, by type and code. */
const NICIRA_10: Readonly<Record<string, string>> = {
  '0,263': 'OFPBMC_BAD_FIELD',
  '1,256': 'NXBRC_NXM_INVALID',
  '1,257': 'NXBRC_NXM_BAD_TYPE',
  '1,258': 'OFPBMC_BAD_VALUE',
  '1,259': 'OFPBMC_BAD_MASK',
  '1,260': 'OFPBMC_BAD_PREREQ',
  '1,261': 'OFPBMC_DUP_FIELD',
  '1,262': 'OFPBMC_BAD_WILDCARDS',
  '1,264': 'NXBMC_CT_DATAPATH_SUPPORT',
  '1,265': 'NXBAC_CT_DATAPATH_SUPPORT',
  '1,512': 'OFPBRC_BAD_TABLE_ID',
  '1,513': 'OFPRRFC_BAD_ROLE',
  '1,514': 'OFPBRC_BAD_PORT',
  '1,515': 'NXBRC_MUST_BE_ZERO',
  '1,516': 'NXBRC_BAD_REASON',
  '1,517': 'OFPMOFC_MONITOR_EXISTS',
  '1,518': 'OFPMOFC_BAD_FLAGS',
  '1,519': 'OFPMOFC_UNKNOWN_MONITOR',
  '1,520': 'NXBRC_FM_BAD_EVENT',
  '1,521': 'NXBRC_UNENCODABLE_ERROR',
  '1,522': 'OFPBAC_MATCH_INCONSISTENT',
  '1,523': 'OFPBAC_BAD_SET_TYPE',
  '1,524': 'OFPBAC_BAD_SET_LEN',
  '1,525': 'OFPBAC_BAD_SET_ARGUMENT',
  '1,527': 'NXTTMFC_BAD_COMMAND',
  '1,528': 'NXTTMFC_BAD_OPT_LEN',
  '1,529': 'NXTTMFC_BAD_FIELD_IDX',
  '1,530': 'NXTTMFC_TABLE_FULL',
  '1,531': 'NXTTMFC_ALREADY_MAPPED',
  '1,532': 'NXTTMFC_DUP_ENTRY',
  '1,533': 'NXR_NOT_SUPPORTED',
  '1,534': 'NXR_STALE',
  '1,535': 'NXST_NOT_CONFIGURED',
  '1,536': 'NXFMFC_INVALID_TLV_FIELD',
  '1,537': 'NXTTMFC_INVALID_TLV_DEL',
  '2,9': 'OFPBAC_BAD_OUT_GROUP',
  '2,256': 'NXBAC_MUST_BE_ZERO',
  '2,257': 'OFPBIC_UNSUP_INST',
  '2,526': 'NXBAC_BAD_CONJUNCTION',
  '3,258': 'OFPFMFC_BAD_FLAGS',
  '5,256': 'NXFMFC_HARDWARE',
  '5,257': 'NXFMFC_BAD_TABLE_ID',
  '13,2': 'OFPBPC_BAD_TYPE',
  '13,3': 'OFPBPC_BAD_LEN',
  '13,4': 'OFPBPC_BAD_VALUE',
  '14,3': 'OFPBPC_TOO_MANY',
  '14,4': 'OFPBPC_DUP_TYPE',
  '14,5': 'OFPBPC_BAD_EXPERIMENTER',
  '14,6': 'OFPBPC_BAD_EXP_TYPE',
  '14,7': 'OFPBPC_BAD_EXP_VALUE',
  '14,8': 'OFPBPC_EPERM',
};

/** Nicira's errors in OpenFlow 1.3 and later, by code. */
const NICIRA_13: Readonly<Record<number, string>> = {
  2: 'NXBRC_NXM_INVALID',
  3: 'NXBRC_NXM_BAD_TYPE',
  4: 'NXBRC_MUST_BE_ZERO',
  5: 'NXBRC_BAD_REASON',
  6: 'OFPMOFC_MONITOR_EXISTS',
  7: 'OFPMOFC_BAD_FLAGS',
  8: 'OFPMOFC_UNKNOWN_MONITOR',
  9: 'NXBRC_FM_BAD_EVENT',
  10: 'NXBRC_UNENCODABLE_ERROR',
  11: 'NXBAC_MUST_BE_ZERO',
  12: 'NXFMFC_HARDWARE',
  13: 'NXFMFC_BAD_TABLE_ID',
  15: 'NXBAC_BAD_CONJUNCTION',
  16: 'NXTTMFC_BAD_COMMAND',
  17: 'NXTTMFC_BAD_OPT_LEN',
  18: 'NXTTMFC_BAD_FIELD_IDX',
  19: 'NXTTMFC_TABLE_FULL',
  20: 'NXTTMFC_ALREADY_MAPPED',
  21: 'NXTTMFC_DUP_ENTRY',
  22: 'OFPBFC_BAD_VERSION',
  23: 'NXQOFC_QUEUE_ERROR',
  34: 'NXR_NOT_SUPPORTED',
  35: 'NXR_STALE',
  36: 'NXST_NOT_CONFIGURED',
  37: 'NXFMFC_INVALID_TLV_FIELD',
  38: 'NXTTMFC_INVALID_TLV_DEL',
  39: 'NXBAC_BAD_HEADER_TYPE',
  40: 'NXBAC_UNKNOWN_ED_PROP',
  41: 'NXBAC_BAD_ED_PROP',
  42: 'NXBAC_CT_DATAPATH_SUPPORT',
  43: 'NXBMC_CT_DATAPATH_SUPPORT',
  44: 'NXTFFC_DUP_TABLE',
};

/** Errors of the ONF's extensions to OpenFlow 1.3, which are part of OpenFlow 1.4, by code. */
const ONF_13: Readonly<Record<number, string>> = {
  2360: 'OFPFMFC_BAD_PRIORITY',
  2370: 'OFPACFC_INVALID',
  2371: 'OFPACFC_UNSUPPORTED',
  2372: 'OFPACFC_EPERM',
  2600: 'OFPBIC_DUP_INST',
  2640: 'OFPBRC_MULTIPART_REQUEST_TIMEOUT',
  2641: 'OFPBRC_MULTIPART_REPLY_TIMEOUT',
  4250: 'OFPBAC_BAD_SET_MASK',
  4443: 'OFPBPC_TOO_MANY',
  4444: 'OFPBPC_DUP_TYPE',
  4445: 'OFPBPC_BAD_EXPERIMENTER',
  4446: 'OFPBPC_BAD_EXP_TYPE',
  4447: 'OFPBPC_BAD_EXP_VALUE',
  4448: 'OFPBPC_EPERM',
};
/** The first code of the ONF's bundle errors in OpenFlow 1.3, which follow the order of type 17. */
const ONF_BUNDLE_FAILED_13 = 2300;
const TYPE_BUNDLE_FAILED = 17;
/** The error type TABLE_FEATURES_FAILED of OpenFlow 1.3, whose codes OVS prints by their names of 1.4. */
const TYPE_TABLE_FEATURES_FAILED = 13;
const TABLE_FEATURES_AS_PROPERTY: Readonly<Record<number, string>> = {
  2: 'OFPBPC_BAD_TYPE',
  3: 'OFPBPC_BAD_LEN',
  4: 'OFPBPC_BAD_VALUE',
};

/** Returns the name of an error, such as "OFPBMC_BAD_FIELD"; null for unknown numbers. */
export function errorName(
  version: OpenFlowVersion,
  vendor: number,
  errorType: number,
  errorCode: number,
): string | null {
  if (vendor === VENDOR.nicira) {
    return (
      (version === 1
        ? (NICIRA_10[`${errorType},${errorCode}`] ?? niciraGroup(errorType, errorCode))
        : NICIRA_13[errorCode]) ?? null
    );
  }
  if (vendor === VENDOR.onf) {
    return ONF_13[errorCode] ?? nameIn(ERRORS_13[TYPE_BUNDLE_FAILED], errorCode - ONF_BUNDLE_FAILED_13);
  }
  if (vendor !== 0) {
    return null;
  }
  if (version !== 1 && errorType === TYPE_TABLE_FEATURES_FAILED) {
    const asProperty = TABLE_FEATURES_AS_PROPERTY[errorCode];
    if (asProperty !== undefined) {
      return asProperty;
    }
  }
  return nameIn((version === 1 ? ERRORS_10 : ERRORS_13)[errorType], errorCode);
}

function niciraGroup(errorType: number, errorCode: number): string | null {
  return errorType === 6 ? nameIn(GROUP_MOD_FAILED, errorCode) : null;
}

function nameIn(codes: Codes | undefined, code: number): string | null {
  const name = codes?.[1].split(' ')[code];
  return codes === undefined || name === undefined ? null : `${codes[0]}_${name}`;
}
