// Which flows read, write or bypass a register bit: the match and the actions of a flow as far as OVS shows their fields.
// Actions that are kept as bytes (`learn`, `multipath`, `bundle_load`) are not decoded; flows that `learn` adds are read like any other.

import type { RegisterBit } from '../../config/settings.ts';
import type { Action, FieldBits, FieldTarget, FlowUpdate, MatchField } from '../../node-openflow/index.ts';

const REGISTER_BITS = 32;
/** OFPP_TABLE as an output port, which submits the packet to table 0. */
const PORT_TABLE = 0xffff_fff9;
/** The table number of `resubmit` that means the flow's own table, and of `ct` that means none. */
const TABLE_NONE = 255;

/** Bits of fields, by a range or by the mask of a match. */
type Bits = FieldBits | MatchField;

/** Whether the flow's match or actions read the bit. */
export function readsBit(flow: FlowUpdate, mark: RegisterBit): boolean {
  const reads = actionsOf(flow).flatMap(fieldsRead);
  return [...flow.match, ...reads].some((bits) => isBitOf(bits, mark));
}

/** Whether the flow's actions write the bit. */
export function writesBit(flow: FlowUpdate, mark: RegisterBit): boolean {
  return actionsOf(flow)
    .flatMap(fieldsWritten)
    .some((bits) => isBitOf(bits, mark));
}

/** Whether the flow's actions return packets to table 0. */
export function returnsToTable0(flow: FlowUpdate): boolean {
  return actionsOf(flow).some((action) => {
    switch (action.type) {
      case 'output':
        return action.port === PORT_TABLE;
      case 'resubmit':
      case 'resubmit_table':
      case 'resubmit_table_ct':
        return action.tableId === 0 || (action.tableId === TABLE_NONE && flow.tableId === 0);
      case 'ct':
        return action.tableId === 0;
      default:
        return false;
    }
  });
}

/** Returns all actions of a flow, nested ones behind those that contain them. */
function actionsOf({ instructions }: FlowUpdate): readonly Action[] {
  return instructions.flatMap((instruction) =>
    'actions' in instruction ? withInner(instruction.actions) : [],
  );
}

function withInner(actions: readonly Action[]): readonly Action[] {
  return actions.flatMap((action) =>
    action.type === 'clone' || action.type === 'ct' ? [action, ...withInner(action.actions)] : [action],
  );
}

function fieldsRead(action: Action): readonly Bits[] {
  switch (action.type) {
    case 'reg_move':
    case 'copy_field':
    case 'onf_copy_field':
      return [bitsOf(action.source, action.sourceOffset, action.bitCount)];
    case 'stack_push':
      return [action.target];
    case 'output_reg':
    case 'output_reg2':
      return [action.source];
    case 'ct':
      return typeof action.zone === 'number' ? [] : [action.zone];
    case 'sample':
    case 'sample2':
    case 'sample3':
    case 'sample4':
      return [action.observationDomainId, action.observationPointId].filter((id) => typeof id !== 'number');
    default:
      return [];
  }
}

function fieldsWritten(action: Action): readonly Bits[] {
  switch (action.type) {
    case 'reg_load':
    case 'stack_pop':
      return [action.target];
    case 'reg_load2':
    case 'set_field':
      return [action.field];
    case 'reg_move':
    case 'copy_field':
    case 'onf_copy_field':
      return [bitsOf(action.target, action.targetOffset, action.bitCount)];
    case 'check_pkt_larger':
      return [bitsOf(action.target, action.offset, 1)];
    default:
      return [];
  }
}

function bitsOf(target: FieldTarget, offset: number, bitCount: number): FieldBits {
  return { ...target, offset, bitCount };
}

/** Whether the bits contain the bit, under the register's own name or those of the xreg and xxreg that contain it. */
function isBitOf(bits: Bits, { register, bit }: RegisterBit): boolean {
  const names = [
    [`reg${register}`, bit],
    [`xreg${register >> 1}`, (1 - (register % 2)) * REGISTER_BITS + bit],
    [`xxreg${register >> 2}`, (3 - (register % 4)) * REGISTER_BITS + bit],
  ] as const;
  const position = names.find(([name]) => name === bits.field)?.[1];
  if (position === undefined) {
    return false;
  }
  if ('bitCount' in bits) {
    return position >= bits.offset && position < bits.offset + bits.bitCount;
  }
  const { mask } = bits;
  return mask === undefined || ((mask[mask.length - 1 - (position >> 3)] ?? 0) & (1 << (position & 7))) !== 0;
}
