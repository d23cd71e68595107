// The codecs of actions that load, move, push, test or delete bits of fields: rows of the table of actions.
import { type ActionRow, nicira, of13, of15, onf, readBits, row, writeBits } from './action-rows.ts';
import type { FieldContext } from './fields.ts';
import { decodeField, decodeFieldTarget, encodeField, encodeFieldTarget } from './match.ts';

/** Returns the place of a Nicira action that OpenFlow 1.5 replaced with set-field or copy-field. */
function before15(number: number): ReturnType<typeof nicira> {
  return nicira(number, 1, 5);
}

/*
 * reg_load                 reg_load2, set_field      stack_push, stack_pop    delete_field
 *   u16 ofs_nbits            field with value          u16 offset               field header
 *   u32 field header         and mask                  field header             zeros up to 24
 *   u64 value                                          u16 bit count
 */
const loadRows: readonly ActionRow[] = [
  row('reg_load', [before15(7)], {
    decode: (reader) => {
      const bits = readBits(reader, 'reg_load.ofs_nbits');
      const target = { ...decodeFieldTarget(reader, 'nxm', 'reg_load.dst'), ...bits };
      return { target, value: reader.u64('reg_load.value') };
    },
    encode: ({ target, value }, writer) => {
      writeBits(target, writer);
      encodeFieldTarget(target, 'nxm', writer);
      writer.u64(value);
    },
  }),
  row('reg_load2', [before15(33)], {
    decode: (reader) => ({ field: decodeField(reader, 'nxm', 'reg_load2') }),
    encode: ({ field }, writer) => {
      encodeField(field, 'nxm', writer);
    },
  }),
  row('set_field', [of13(25)], {
    decode: (reader, { version }) => ({ field: decodeField(reader, version, 'set_field') }),
    encode: ({ field }, writer, { version }) => {
      encodeField(field, version, writer);
    },
  }),
  row('delete_field', [nicira(50)], {
    decode: (reader) => ({ target: decodeFieldTarget(reader, 'nxm', 'delete_field') }),
    encode: ({ target }, writer) => {
      const start = writer.size;
      encodeFieldTarget(target, 'nxm', writer);
      writer.zeros(14 - (writer.size - start));
    },
  }),
];

function stackRow(type: 'stack_push' | 'stack_pop', number: number): ActionRow {
  return row<'stack_push' | 'stack_pop'>(type, [nicira(number)], {
    decode: (reader) => {
      const offset = reader.u16(type);
      const target = decodeFieldTarget(reader, 'nxm', type);
      return { target: { ...target, offset, bitCount: reader.u16(type) } };
    },
    encode: ({ target }, writer) => {
      writer.u16(target.offset);
      encodeFieldTarget(target, 'nxm', writer);
      writer.u16(target.bitCount);
    },
  });
}

/*
 * reg_move                 copy_field (1.5)          onf_copy_field
 *   u16 bit count            u16 bit count             u16 zero
 *   u16 source offset        u16 source offset         u16 bit count
 *   u16 target offset        u16 target offset         u16 source offset
 *   source header            u16 zero                  u16 target offset
 *   target header            source header             u16 zero
 *                            target header             source header
 *                                                      target header
 */
type MoveType = 'reg_move' | 'copy_field' | 'onf_copy_field';

function moveRow(
  type: MoveType,
  places: ActionRow['places'],
  zerosBefore: number,
  zerosAfter: number,
): ActionRow {
  return row<MoveType>(type, places, {
    decode: (reader, { version }) => {
      reader.skip(zerosBefore, type);
      const bitCount = reader.u16(type);
      const sourceOffset = reader.u16(type);
      const targetOffset = reader.u16(type);
      reader.skip(zerosAfter, type);
      const context = moveContext(type, version);
      const source = decodeFieldTarget(reader, context, type);
      return {
        bitCount,
        source,
        sourceOffset,
        target: decodeFieldTarget(reader, context, type),
        targetOffset,
      };
    },
    encode: (action, writer, { version }) => {
      const context = moveContext(type, version);
      writer
        .zeros(zerosBefore)
        .u16(action.bitCount)
        .u16(action.sourceOffset)
        .u16(action.targetOffset)
        .zeros(zerosAfter);
      encodeFieldTarget(action.source, context, writer);
      encodeFieldTarget(action.target, context, writer);
    },
  });
}

function moveContext(type: MoveType, version: FieldContext): FieldContext {
  return type === 'reg_move' ? 'nxm' : version;
}

/*
 * output_reg               output_reg2               check_pkt_larger
 *   u16 ofs_nbits            u16 ofs_nbits             u16 size
 *   u32 field header         u16 max length            u16 bit offset
 *   u16 max length           field header              field header
 *   u8  zero[6]
 */
const testRows: readonly ActionRow[] = [
  row('output_reg', [nicira(15)], {
    decode: (reader) => {
      const bits = readBits(reader, 'output_reg.ofs_nbits');
      const source = { ...decodeFieldTarget(reader, 'nxm', 'output_reg.src'), ...bits };
      return { source, maxLength: reader.u16('output_reg.max_len') };
    },
    encode: ({ source, maxLength }, writer) => {
      writeBits(source, writer);
      encodeFieldTarget(source, 'nxm', writer);
      writer.u16(maxLength).zeros(6);
    },
  }),
  row('output_reg2', [nicira(32)], {
    decode: (reader) => {
      const bits = readBits(reader, 'output_reg2.ofs_nbits');
      const maxLength = reader.u16('output_reg2.max_len');
      return { source: { ...decodeFieldTarget(reader, 'nxm', 'output_reg2.src'), ...bits }, maxLength };
    },
    encode: ({ source, maxLength }, writer) => {
      writeBits(source, writer);
      writer.u16(maxLength);
      encodeFieldTarget(source, 'nxm', writer);
    },
  }),
  row('check_pkt_larger', [nicira(49)], {
    decode: (reader) => {
      const size = reader.u16('check_pkt_larger.pkt_len');
      const offset = reader.u16('check_pkt_larger.offset');
      return { size, target: decodeFieldTarget(reader, 'nxm', 'check_pkt_larger.dst'), offset };
    },
    encode: ({ size, target, offset }, writer) => {
      writer.u16(size).u16(offset);
      encodeFieldTarget(target, 'nxm', writer);
    },
  }),
];

/** The rows of this file. */
export const FIELD_ACTION_ROWS: readonly ActionRow[] = [
  ...loadRows,
  stackRow('stack_push', 27),
  stackRow('stack_pop', 28),
  moveRow('reg_move', [before15(6)], 0, 0),
  moveRow('copy_field', [of15(28)], 0, 2),
  moveRow('onf_copy_field', [onf(3200)], 2, 2),
  ...testRows,
];
