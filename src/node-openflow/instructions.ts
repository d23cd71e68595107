// The codec of flows' instructions (OpenFlow 1.3 and later). OpenFlow 1.0 has only a list of actions, which is read as
// apply_actions; there goto_table and write_metadata are actions of Nicira.
//
// Used by other codecs: decodeInstructions, encodeInstructions.
import { type Action, decodeActions, encodeActions } from './actions.ts';
import { DecodedParts } from './decoded-parts.ts';
import { OpenFlowEncodeError } from './errors.ts';
import type { OpenFlowVersion } from './version.ts';
import { OpenFlowDecodeError, WireReader, type WireWriter } from './wire.ts';

export type Instruction =
  | { readonly type: 'goto_table'; readonly tableId: number }
  | { readonly type: 'write_metadata'; readonly metadata: bigint; readonly mask: bigint }
  | { readonly type: 'write_actions' | 'apply_actions'; readonly actions: readonly Action[] }
  | { readonly type: 'clear_actions' }
  /** OpenFlow 1.3 and 1.4; an action in 1.5. */
  | { readonly type: 'meter'; readonly meterId: number }
  /** Any other instruction: its bytes, header included. */
  | { readonly type: 'unknown'; readonly bytes: Buffer };

const NUMBERS = {
  goto_table: 1,
  write_metadata: 2,
  write_actions: 3,
  apply_actions: 4,
  clear_actions: 5,
  meter: 6,
} as const;
const HEADER_SIZE = 8;

const decodedInstructions = new DecodedParts<OpenFlowVersion, readonly Instruction[]>();

/** Decodes the rest of the reader: instructions, or in OpenFlow 1.0 actions, which become one apply_actions. */
export function decodeInstructions(version: OpenFlowVersion, reader: WireReader): readonly Instruction[] {
  if (version === 1) {
    const actions = decodeActions(version, reader);
    return actions.length === 0 ? [] : [{ type: 'apply_actions', actions }];
  }
  const { bytes, offset, end } = reader;
  const instructions = decodedInstructions.get(version, bytes, offset, end, () => decodeAll(version, reader));
  reader.offset = end;
  return instructions;
}

function decodeAll(version: OpenFlowVersion, reader: WireReader): readonly Instruction[] {
  const instructions: Instruction[] = [];
  while (reader.remaining > 0) {
    instructions.push(decodeInstruction(version, reader));
  }
  return instructions;
}

/** Encodes instructions, or in OpenFlow 1.0 the actions of apply_actions, the only instruction that it can express. */
export function encodeInstructions(
  version: OpenFlowVersion,
  instructions: readonly Instruction[],
  writer: WireWriter,
): void {
  for (const instruction of instructions) {
    if (version !== 1) {
      encodeInstruction(version, instruction, writer);
    } else if (instruction.type === 'apply_actions') {
      encodeActions(version, instruction.actions, writer);
    } else {
      throw new OpenFlowEncodeError(
        `instruction ${instruction.type}`,
        version,
        'this version only has actions',
      );
    }
  }
}

/** Returns the actions of apply_actions, which are executed immediately. */
export function appliedActions(instructions: readonly Instruction[]): readonly Action[] {
  const [only] = instructions;
  if (instructions.length === 1 && only?.type === 'apply_actions') {
    return only.actions;
  }
  return instructions.flatMap((instruction) =>
    instruction.type === 'apply_actions' ? instruction.actions : [],
  );
}

/*
 * goto_table           write_metadata       write_, apply_actions    clear_actions       meter
 *   u16 1                u16 2                u16 3, 4                 u16 5               u16 6
 *   u16 8                u16 24               u16 length               u16 8               u16 8
 *   u8  table            u32 zero             u32 zero                 u32 zero            u32 meter
 *   u8  zero[3]          u64 metadata         actions
 *                        u64 mask
 */
function decodeInstruction(version: OpenFlowVersion, list: WireReader): Instruction {
  const start = list.offset;
  const type = list.u16('instruction.type');
  const length = list.u16('instruction.length');
  if (length < HEADER_SIZE || length % 8 !== 0) {
    throw new OpenFlowDecodeError(
      'instruction.length',
      start + 2,
      `an instruction cannot have ${length} bytes`,
    );
  }
  list.offset = start;
  const bytes = list.view(length, 'instruction');
  const reader = new WireReader(list.bytes, start + 4, start + length);
  const known = decodeKnown(version, type, reader);
  return known ?? { type: 'unknown', bytes: Buffer.from(bytes) };
}

/** Decodes an instruction; returns undefined if this library would encode it differently, and it is kept as bytes. */
function decodeKnown(version: OpenFlowVersion, type: number, reader: WireReader): Instruction | undefined {
  switch (type) {
    case NUMBERS.goto_table: {
      const tableId = reader.u8('goto_table.table_id');
      return endsWithZeros(reader, 3) ? { type: 'goto_table', tableId } : undefined;
    }
    case NUMBERS.write_metadata:
      if (reader.remaining !== 20 || reader.u32('write_metadata.pad') !== 0) {
        return undefined;
      }
      return {
        type: 'write_metadata',
        metadata: reader.u64('write_metadata.metadata'),
        mask: reader.u64('write_metadata.mask'),
      };
    case NUMBERS.write_actions:
    case NUMBERS.apply_actions:
      if (reader.u32('actions.pad') !== 0) {
        return undefined;
      }
      return {
        type: type === NUMBERS.write_actions ? 'write_actions' : 'apply_actions',
        actions: decodeActions(version, reader),
      };
    case NUMBERS.clear_actions:
      return endsWithZeros(reader, 4) ? { type: 'clear_actions' } : undefined;
    case NUMBERS.meter:
      return version === 6 || reader.remaining !== 4
        ? undefined
        : { type: 'meter', meterId: reader.u32('meter.meter_id') };
    default:
      return undefined;
  }
}

function endsWithZeros(reader: WireReader, count: number): boolean {
  return reader.remaining === count && reader.view(count, 'instruction.pad').every((byte) => byte === 0);
}

function encodeInstruction(version: OpenFlowVersion, instruction: Instruction, writer: WireWriter): void {
  if (instruction.type === 'unknown') {
    writer.put(instruction.bytes);
    return;
  }
  const start = writer.size;
  writer.u16(NUMBERS[instruction.type]).u16(0);
  switch (instruction.type) {
    case 'goto_table':
      writer.u8(instruction.tableId).zeros(3);
      break;
    case 'write_metadata':
      writer.u32(0).u64(instruction.metadata).u64(instruction.mask);
      break;
    case 'write_actions':
    case 'apply_actions':
      encodeActions(version, instruction.actions, writer.zeros(4));
      break;
    case 'clear_actions':
      writer.zeros(4);
      break;
    case 'meter':
      if (version === 6) {
        throw new OpenFlowEncodeError('instruction meter', version, 'this version has an action for it');
      }
      writer.u32(instruction.meterId);
      break;
  }
  const length = writer.size - start;
  if (length > 0xffff) {
    throw new OpenFlowEncodeError(
      `instruction ${instruction.type}`,
      version,
      `${length} bytes exceed the length field`,
    );
  }
  writer.setU16(start + 2, length);
}
