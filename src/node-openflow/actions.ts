// The codec of lists of actions; actions-table.ts has the codec of each. Because users' flows are rewritten, what was
// decoded is encoded to the same bytes: an action that is not in the table, or that the table would encode differently,
// is kept as bytes.
//
// Used by other codecs: decodeActions, encodeActions.

import { type ActionContext, type ActionRow, placeIn } from './action-rows.ts';
import type { Action } from './action-types.ts';
import { actionRow, actionRowAt } from './actions-table.ts';
import { OpenFlowEncodeError } from './errors.ts';
import { fieldByName } from './fields.ts';
import { matchField } from './match.ts';
import type { OpenFlowVersion } from './version.ts';
import { OpenFlowDecodeError, WireReader, WireWriter } from './wire.ts';

export type { Action, Controller2Action, FieldBits, SampleAction } from './action-types.ts';

const EXPERIMENTER_ACTION = 0xffff;

/** Deepest nesting of actions (clone, ct) that is decoded; deeper ones are kept as bytes. OVS's own limit is far below. */
export const ACTION_DEPTH_MAX = 16;

/*
 * Action                       Experimenter's action (type 0xffff)
 *   u16 type                     u16 0xffff
 *   u16 length, multiple of 8    u16 length, multiple of 8
 *   body                         u32 experimenter
 *                                u16 subtype
 *                                body
 */

/** Decodes the rest of the reader as actions. */
export function decodeActions(version: OpenFlowVersion, reader: WireReader): Action[] {
  return decodeList(reader, contextAt(version, 0));
}

/** Encodes actions. Throws OpenFlowEncodeError when the version lacks one of them. */
export function encodeActions(
  version: OpenFlowVersion,
  actions: readonly Action[],
  writer: WireWriter,
): void {
  encodeList(actions, writer, contextAt(version, 0));
}

/**
 * Returns the action that sets `bitCount` bits of a field, starting at bit `offset`, to `value`: Nicira's register load,
 * or in OpenFlow 1.5, which lacks it, a masked set-field.
 */
export function loadBits(
  version: OpenFlowVersion,
  fieldName: string,
  offset: number,
  bitCount: number,
  value: bigint,
): Action {
  const spec = fieldByName(fieldName);
  if (spec === undefined || offset + bitCount > spec.width * 8 || value >> BigInt(bitCount) !== 0n) {
    throw new RangeError(`cannot load ${value} into ${bitCount} bits of ${fieldName} from bit ${offset}`);
  }
  if (version !== 6) {
    return { type: 'reg_load', target: { field: spec.name, offset, bitCount }, value };
  }
  const shift = BigInt(offset);
  const mask = ((1n << BigInt(bitCount)) - 1n) << shift;
  const isWhole = bitCount === spec.width * 8;
  return { type: 'set_field', field: matchField(fieldName, value << shift, isWhole ? undefined : mask) };
}

/** Yields all actions of a list, nested ones included, in order. */
export function* eachAction(actions: readonly Action[]): Generator<Action> {
  for (const action of actions) {
    yield action;
    if (action.type === 'clone' || action.type === 'ct') {
      yield* eachAction(action.actions);
    }
  }
}

/** Whether two lists have the same encoding in a version. */
export function isSameActions(version: OpenFlowVersion, a: readonly Action[], b: readonly Action[]): boolean {
  const [left, right] = [new WireWriter(), new WireWriter()];
  encodeActions(version, a, left);
  encodeActions(version, b, right);
  return left.finish().equals(right.finish());
}

function contextAt(version: OpenFlowVersion, depth: number): ActionContext {
  return {
    version,
    depth,
    decodeNested: (reader) => decodeList(reader, contextAt(version, depth + 1)),
    encodeNested: (actions, writer) => {
      encodeList(actions, writer, contextAt(version, depth + 1));
    },
  };
}

function decodeList(reader: WireReader, context: ActionContext): Action[] {
  const actions: Action[] = [];
  while (reader.remaining > 0) {
    actions.push(decodeAction(reader, context));
  }
  return actions;
}

function decodeAction(list: WireReader, context: ActionContext): Action {
  const start = list.offset;
  const type = list.u16('action.type');
  const length = list.u16('action.length');
  if (length < 8 || length % 8 !== 0) {
    throw new OpenFlowDecodeError('action.length', start + 2, `an action cannot have ${length} bytes`);
  }
  list.offset = start;
  const bytes = list.view(length, 'action');
  const reader = new WireReader(list.bytes, start + 4, start + length);
  const row =
    type === EXPERIMENTER_ACTION ? vendorRow(reader, context.version) : actionRowAt(context.version, 0, type);
  const known =
    row === undefined || context.depth >= ACTION_DEPTH_MAX ? undefined : tryRow(row, reader, context);
  return known !== undefined && isWrittenAs(known, bytes, context)
    ? known
    : { type: 'unknown', bytes: Buffer.from(bytes) };
}

function vendorRow(reader: WireReader, version: OpenFlowVersion): ActionRow | undefined {
  const vendor = reader.u32('action.experimenter');
  // The shortest action has 8 bytes: an experimenter and no subtype.
  return reader.remaining < 2 ? undefined : actionRowAt(version, vendor, reader.u16('action.subtype'));
}

/** Decodes an action by its row; returns undefined if its bytes have another layout, and it is kept as bytes. */
function tryRow(row: ActionRow, reader: WireReader, context: ActionContext): Action | undefined {
  try {
    return row.decode(reader, context);
  } catch (error) {
    if (error instanceof OpenFlowDecodeError) {
      return undefined;
    }
    throw error;
  }
}

function isWrittenAs(action: Action, bytes: Buffer, context: ActionContext): boolean {
  const writer = new WireWriter(bytes.length + 8);
  encodeAction(action, writer, context);
  return writer.finish().equals(bytes);
}

function encodeList(actions: readonly Action[], writer: WireWriter, context: ActionContext): void {
  for (const action of actions) {
    encodeAction(action, writer, context);
  }
}

function encodeAction(action: Action, writer: WireWriter, context: ActionContext): void {
  if (action.type === 'unknown') {
    writer.put(action.bytes);
    return;
  }
  const row = actionRow(action.type);
  const place = placeIn(row, context.version);
  if (place === undefined) {
    throw new OpenFlowEncodeError(
      `action ${action.type}`,
      context.version,
      'this version does not have the action',
    );
  }
  const start = writer.size;
  writer.u16(place.vendor === 0 ? place.number : EXPERIMENTER_ACTION).u16(0);
  if (place.vendor !== 0) {
    writer.u32(place.vendor).u16(place.number);
  }
  row.encode(action, writer, context);
  writer.align8(start);
  const length = writer.size - start;
  if (length > 0xffff) {
    throw new OpenFlowEncodeError(
      `action ${action.type}`,
      context.version,
      `${length} bytes exceed the length field`,
    );
  }
  writer.setU16(start + 2, length);
}
