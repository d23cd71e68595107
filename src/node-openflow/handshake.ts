// The handshake: the hello of this side, and the outcome of the switch's first message.
import { decodeError, OpenFlowConnectionError, type OpenFlowErrorReport } from './errors.ts';
import { HEADER_SIZE } from './framing.ts';
import { decodeHello, negotiateVersion } from './hello.ts';
import { encodeMessage } from './message-codec.ts';
import { type OpenFlowVersion, versionName } from './version.ts';
import { WireReader } from './wire.ts';

const OFPT_HELLO = 0;
const OFPT_ERROR = 1;
const OFPET_HELLO_FAILED = 0;
const OFPHFC_INCOMPATIBLE = 0;

/** The negotiated version, or the error and the message that tells the switch about it. */
export type HandshakeOutcome =
  | { readonly version: OpenFlowVersion; readonly peerVersions: readonly number[] }
  | { readonly error: OpenFlowConnectionError; readonly refusal: Buffer | null };

/** Encodes the hello: all versions in a bitmap, and the highest in the header for peers that ignore bitmaps. */
export function encodeFirstMessage(versions: readonly OpenFlowVersion[], xid: number): Buffer {
  const highest = versions.reduce<OpenFlowVersion>((a, b) => (b > a ? b : a), 1);
  return encodeMessage(highest, { type: 'hello', versions }, xid);
}

/**
 * Returns the first of `versions`, which are in order of preference, that the switch's hello allows; all of them when it
 * allows none or is not a hello. Throws `OpenFlowDecodeError` when it is malformed.
 */
export function preferredVersions(
  preference: readonly OpenFlowVersion[],
  bytes: Buffer,
): readonly OpenFlowVersion[] {
  const reader = new WireReader(bytes);
  const peerVersion = reader.u8('ofp_header.version');
  const type = reader.u8('ofp_header.type');
  reader.skip(HEADER_SIZE - 2, 'ofp_header');
  if (type !== OFPT_HELLO) {
    return preference;
  }
  const peerVersions = decodeHello(4, reader).versions;
  const first = preference.find(
    (version) => negotiateVersion([version], peerVersion, peerVersions) === version,
  );
  return first === undefined ? preference : [first];
}

/** Handles the first message of the switch. Throws `OpenFlowDecodeError` when it is malformed. */
export function readFirstMessage(versions: readonly OpenFlowVersion[], bytes: Buffer): HandshakeOutcome {
  const reader = new WireReader(bytes);
  const peerVersion = reader.u8('ofp_header.version');
  const type = reader.u8('ofp_header.type');
  reader.skip(HEADER_SIZE - 2, 'ofp_header');
  if (type === OFPT_HELLO) {
    return negotiate(versions, peerVersion, decodeHello(4, reader).versions);
  }
  if (type === OFPT_ERROR) {
    const report = decodeError(4, reader);
    const text = report.errorType === OFPET_HELLO_FAILED ? `: ${report.data.toString('latin1')}` : '';
    const message = `the switch refused the hello with ${report.name}${text}`;
    return { error: new OpenFlowConnectionError('OPENFLOW_VERSION', message), refusal: null };
  }
  const message = `the first message of the switch has type ${type} and is not a hello`;
  return { error: new OpenFlowConnectionError('OPENFLOW_PROTOCOL', message), refusal: null };
}

function negotiate(
  versions: readonly OpenFlowVersion[],
  peerVersion: number,
  peerVersions: readonly number[] | null,
): HandshakeOutcome {
  const version = negotiateVersion(versions, peerVersion, peerVersions);
  // Without a bitmap the switch supports all versions up to that of its header (OpenFlow 1.3.1, section 6.3.1). OVS omits
  // the bitmap in that case.
  const allowed = peerVersions ?? Array.from({ length: peerVersion }, (_, index) => index + 1);
  if (version !== null) {
    return { version, peerVersions: allowed };
  }
  const ours = versions.map(versionName).join(', ');
  const theirs = allowed.map(versionName).join(', ');
  const message = `no common version: this side supports ${ours}, the switch supports ${theirs}`;
  const report: OpenFlowErrorReport = {
    errorType: OFPET_HELLO_FAILED,
    errorCode: OFPHFC_INCOMPATIBLE,
    vendor: 0,
    name: 'OFPHFC_INCOMPATIBLE',
    data: Buffer.from(message, 'latin1'),
  };
  // In the lowest version of this side that is not below the switch's: most likely the switch can decode it.
  const ascending = [...versions].sort((a, b) => a - b);
  const readable = ascending.find((candidate) => candidate >= peerVersion) ?? ascending.at(-1) ?? 1;
  const refusal = encodeMessage(readable, { type: 'error', ...report }, 0);
  return { error: new OpenFlowConnectionError('OPENFLOW_VERSION', message), refusal };
}
