// Converts flows to a form independent of version, and to the form that Open vSwitch shows in each version: what OpenFlow 1.0
// hides, registers in pairs in 1.5, `set_field` where older versions load. Throws for flows whose form is not known here, so
// that no test depends on a guess. test/oracle/scripted-switch.test.ts compares it with Open vSwitch.

import {
  type Action,
  type FieldBits,
  type Instruction,
  type MatchField,
  matchField,
  type OpenFlowVersion,
  versionName,
} from '../../../src/node-openflow/index.ts';
import { splitRegisters } from '../../../src/node-openflow/match.ts';

const OFPP_IN_PORT = 0xffff_fff8;
const REGISTER_COUNT = 16;
const VLAN_VID_BITS = 0x1fff;
const VLAN_PCP_SHIFT = 13;

/** Returns a match in the form independent of version: single registers, in_port in 32 bits, no full masks. */
export function plainMatch(fields: readonly MatchField[]): MatchField[] {
  return fields
    .flatMap((field) => splitRegisters(field))
    .flatMap(splitVlan)
    .map(widenPort)
    .map(dropHeader)
    .flatMap(reduceMask);
}

/** Returns the match as the switch encodes it in a version. */
export function shownMatch(version: OpenFlowVersion, match: readonly MatchField[]): MatchField[] {
  if (version === 1) {
    return joinVlan(match.map(narrowPort));
  }
  return version === 6 ? joinRegisters(match) : [...match];
}

/** Whether `match` is at least as narrow as `filter`: the loose matching of modify, delete and of statistics. */
export function isWithin(match: readonly MatchField[], filter: readonly MatchField[]): boolean {
  return filter.every((wanted) => {
    const field = match.find((candidate) => candidate.field === wanted.field);
    if (field === undefined) {
      return false;
    }
    return wanted.value.every((byte, index) => {
      const bits = wanted.mask?.[index] ?? 0xff;
      const known = field.mask?.[index] ?? 0xff;
      return (known & bits) === bits && ((field.value[index] ?? 0) & bits) === (byte & bits);
    });
  });
}

function dropHeader(field: MatchField): MatchField {
  if (field.field === 'unknown' || field.header === undefined) {
    return field;
  }
  const { header: _header, ...rest } = field;
  return rest;
}

function reduceMask(field: MatchField): MatchField[] {
  const { mask, ...exact } = field;
  if (mask === undefined || mask.every((byte) => byte === 0xff)) {
    return [exact];
  }
  if (mask.every((byte) => byte === 0)) {
    return [];
  }
  const value = Buffer.from(field.value.map((byte, index) => byte & (mask[index] ?? 0)));
  return [{ ...field, value }];
}

function widenPort(field: MatchField): MatchField {
  if (field.field !== 'in_port') {
    return field;
  }
  const port = field.value.readUInt16BE(0);
  return matchField('in_port_oxm', port >= 0xff00 ? port + 0xffff_0000 : port);
}

function narrowPort(field: MatchField): MatchField {
  return field.field === 'in_port_oxm' ? matchField('in_port', field.value.readUInt16BE(2)) : field;
}

function splitVlan(field: MatchField): MatchField[] {
  if (field.field !== 'vlan_tci') {
    return [field];
  }
  const tci = field.value.readUInt16BE(0);
  const mask = field.mask?.readUInt16BE(0) ?? 0xffff;
  const vid =
    (mask & VLAN_VID_BITS) === 0
      ? []
      : [matchField('vlan_vid', tci & VLAN_VID_BITS & mask, mask & VLAN_VID_BITS)];
  return mask >> VLAN_PCP_SHIFT === 0 ? vid : [...vid, matchField('vlan_pcp', tci >> VLAN_PCP_SHIFT)];
}

function joinVlan(match: readonly MatchField[]): MatchField[] {
  const vid = match.find(({ field }) => field === 'vlan_vid');
  const pcp = match.find(({ field }) => field === 'vlan_pcp');
  if (vid === undefined && pcp === undefined) {
    return [...match];
  }
  const vidMask = vid === undefined ? 0 : (vid.mask?.readUInt16BE(0) ?? VLAN_VID_BITS);
  const value = (vid?.value.readUInt16BE(0) ?? 0) | ((pcp?.value[0] ?? 0) << VLAN_PCP_SHIFT);
  const tci = matchField('vlan_tci', value, vidMask | (pcp === undefined ? 0 : 7 << VLAN_PCP_SHIFT));
  const at = match.findIndex(({ field }) => field === 'vlan_vid' || field === 'vlan_pcp');
  const rest = match.filter(({ field }) => field !== 'vlan_vid' && field !== 'vlan_pcp');
  return [...rest.slice(0, at), ...reduceMask(tci), ...rest.slice(at)];
}

/** Joins registers to pairs, as in OpenFlow 1.5, at the position of the first of the two. */
function joinRegisters(match: readonly MatchField[]): MatchField[] {
  const joined = new Set<number>();
  return match.flatMap((field) => {
    const name = /^reg(\d+)$/.exec(field.field);
    if (name === null) {
      return [field];
    }
    const pair = Number(name[1]) >> 1;
    if (joined.has(pair) || pair * 2 >= REGISTER_COUNT) {
      return [];
    }
    joined.add(pair);
    const halves = [0, 1].map((half) => match.find(({ field }) => field === `reg${pair * 2 + half}`));
    const zeros = Buffer.alloc(4);
    const value = Buffer.concat(halves.map((half) => half?.value ?? zeros));
    const mask = Buffer.concat(
      halves.map((half) => (half === undefined ? zeros : (half.mask ?? Buffer.alloc(4, 0xff)))),
    );
    return reduceMask(matchField(`xreg${pair}`, value, mask));
  });
}

/** The order in which the switch stores instructions. */
const INSTRUCTION_ORDER = [
  'meter',
  'apply_actions',
  'clear_actions',
  'write_actions',
  'write_metadata',
  'goto_table',
  'unknown',
];

/** Returns instructions as they are stored: `meter` and `write_metadata` as instructions, in the order of the switch. */
export function plainInstructions(instructions: readonly Instruction[]): Instruction[] {
  return instructions
    .flatMap((instruction) =>
      instruction.type === 'apply_actions' ? splitActions(instruction.actions) : [instruction],
    )
    .sort((a, b) => INSTRUCTION_ORDER.indexOf(a.type) - INSTRUCTION_ORDER.indexOf(b.type));
}

function splitActions(actions: readonly Action[]): Instruction[] {
  const rest = actions.filter(({ type }) => type !== 'meter' && type !== 'write_metadata');
  const instructions: Instruction[] = actions.flatMap((action): Instruction[] => {
    if (action.type === 'meter') {
      return [{ type: 'meter', meterId: action.value }];
    }
    if (action.type !== 'write_metadata') {
      return [];
    }
    return [{ type: 'write_metadata', metadata: action.metadata, mask: action.mask }];
  });
  return rest.length === 0 ? instructions : [...instructions, { type: 'apply_actions', actions: rest }];
}

/** Returns the instructions as the switch encodes them in a version. */
export function shownInstructions(
  version: OpenFlowVersion,
  instructions: readonly Instruction[],
): readonly Instruction[] {
  const converted = instructions.map((instruction) =>
    'actions' in instruction
      ? { ...instruction, actions: shownActions(version, instruction.actions) }
      : instruction,
  );
  if (version === 1) {
    return flattened(converted);
  }
  return version === 6 ? withMeterAction(converted) : converted;
}

/** Returns the form of OpenFlow 1.0: actions only, without `meter`, `clear_actions` and `write_actions`; `goto_table` is a resubmit. */
function flattened(instructions: readonly Instruction[]): readonly Instruction[] {
  const actions = instructions.flatMap((instruction): readonly Action[] => {
    switch (instruction.type) {
      case 'apply_actions':
        return instruction.actions;
      case 'write_metadata':
        return [{ type: 'write_metadata', metadata: instruction.metadata, mask: instruction.mask }];
      case 'goto_table':
        return [{ type: 'resubmit_table', port: OFPP_IN_PORT, tableId: instruction.tableId }];
      case 'meter':
      case 'clear_actions':
      case 'write_actions':
        return [];
      case 'unknown':
        throw new Error('The scripted switch does not know how OpenFlow 1.0 shows an unknown instruction.');
    }
  });
  return actions.length === 0 ? [] : [{ type: 'apply_actions', actions }];
}

/** Returns the form of OpenFlow 1.5: `meter` is the first of the applied actions. */
function withMeterAction(instructions: readonly Instruction[]): readonly Instruction[] {
  const [first, ...rest] = instructions;
  if (first?.type !== 'meter') {
    return instructions;
  }
  const meter: Action = { type: 'meter', value: first.meterId };
  const [second, ...others] = rest;
  return second?.type === 'apply_actions'
    ? [{ type: 'apply_actions', actions: [meter, ...second.actions] }, ...others]
    : [{ type: 'apply_actions', actions: [meter] }, ...rest];
}

/** Returns actions as the switch encodes them in a version. */
export function shownActions(version: OpenFlowVersion, actions: readonly Action[]): readonly Action[] {
  return actions.flatMap((action): readonly Action[] => {
    switch (action.type) {
      case 'clone':
      case 'ct':
        return [{ ...action, actions: shownActions(version, action.actions) }];
      case 'reg_load':
        return version === 6 ? [loadAsSetField(action)] : [action];
      case 'reg_load2':
        return version === 6 ? [{ ...action, type: 'set_field' }] : [action];
      case 'set_field':
        return shownSetField(version, action.field);
      case 'reg_move':
        return version === 6 ? [{ ...action, type: 'copy_field' }] : [action];
      case 'copy_field':
        return version === 6 ? [action] : [{ ...action, type: 'reg_move' }];
      default:
        return [action];
    }
  });
}

function loadAsSetField({ target, value }: Extract<Action, { readonly type: 'reg_load' }>): Action {
  const name = target.field;
  const shift = BigInt(target.offset);
  const mask = ((1n << BigInt(target.bitCount)) - 1n) << shift;
  const field = matchField(name, value << shift, mask);
  return { type: 'set_field', field: reduceMask(field)[0] ?? field };
}

/** Fields that OpenFlow 1.0 sets by separate actions, which are not imitated. */
const LEGACY_FIELDS = /^(vlan_|eth_|ip_|ipv4_|nw_|tcp_|udp_|tp_)/;

function shownSetField(version: OpenFlowVersion, given: MatchField): readonly Action[] {
  const field = dropHeader(given);
  if (version === 6 || (version !== 1 && field.mask === undefined)) {
    return [{ type: 'set_field', field }];
  }
  if (version === 1 && (field.field === 'eth_src' || field.field === 'eth_dst') && field.mask === undefined) {
    return [{ type: field.field === 'eth_src' ? 'set_eth_src' : 'set_eth_dst', address: field.value }];
  }
  if (field.field === 'unknown' || (version === 1 && LEGACY_FIELDS.test(field.field))) {
    throw new Error(
      `The scripted switch does not know how ${versionName(version)} shows the setting of ${field.field}.`,
    );
  }
  return loadSegments(field);
}

/** Returns a load for each run of bits of the mask. */
function loadSegments(field: MatchField): Action[] {
  const width = field.value.length * 8;
  const value = BigInt(`0x${field.value.toString('hex')}`);
  const mask =
    field.mask === undefined ? (1n << BigInt(width)) - 1n : BigInt(`0x${field.mask.toString('hex')}`);
  const loads: Action[] = [];
  for (let offset = 0; offset < width; ) {
    let bitCount = 0;
    while (offset + bitCount < width && bitCount < 64 && ((mask >> BigInt(offset + bitCount)) & 1n) === 1n) {
      bitCount += 1;
    }
    if (bitCount > 0) {
      const target = { field: field.field, offset, bitCount } as FieldBits;
      loads.push({
        type: 'reg_load',
        target,
        value: (value >> BigInt(offset)) & ((1n << BigInt(bitCount)) - 1n),
      });
    }
    offset += Math.max(1, bitCount);
  }
  return loads;
}
