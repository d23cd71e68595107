// The codec of bundles (OpenFlow 1.4 and later, and the ONF's extension to 1.3): messages that take effect together or not
// at all. The message inside OFPT_BUNDLE_ADD_MESSAGE is encoded by the table of messages.
import type { OpenFlowVersion } from './version.ts';
import type { WireReader, WireWriter } from './wire.ts';

const BUNDLE_CONTROLS = [
  'open_request',
  'open_reply',
  'close_request',
  'close_reply',
  'commit_request',
  'commit_reply',
  'discard_request',
  'discard_reply',
] as const;
export type BundleControlKind = (typeof BUNDLE_CONTROLS)[number];

/** Bits of `BundleControl.flags`, which all messages of a bundle must share. */
export const BUNDLE_FLAGS = { atomic: 1, ordered: 2 } as const;

/** OFPT_BUNDLE_CONTROL. */
export interface BundleControl {
  readonly bundleId: number;
  readonly control: BundleControlKind;
  readonly flags: number;
}

/*
 * OFPT_BUNDLE_CONTROL and the beginning of OFPT_BUNDLE_ADD_MESSAGE (where the second field is zero)
 *   u32 bundle    u16 control    u16 flags
 */
export function encodeBundleControl(
  _version: OpenFlowVersion,
  message: BundleControl,
  writer: WireWriter,
): void {
  writer.u32(message.bundleId).u16(BUNDLE_CONTROLS.indexOf(message.control)).u16(message.flags);
}

export function decodeBundleControl(_version: OpenFlowVersion, reader: WireReader): BundleControl {
  const bundleId = reader.u32('bundle_control.bundle_id');
  const number = reader.u16('bundle_control.type');
  const control = BUNDLE_CONTROLS[number];
  if (control === undefined) {
    throw reader.fault('bundle_control.type', `${number} is not a valid type of bundle control`);
  }
  return { bundleId, control, flags: reader.u16('bundle_control.flags') };
}
