// Formats actions and instructions for messages and logs, in the syntax of ovs-actions(7), which ovs-ofctl accepts.
// Actions that are kept as bytes are shown in hex, with the name if OVS has one.
import type { Action, Controller2Action, FieldBits, SampleAction } from './action-types.ts';
import type { Instruction } from './instructions.ts';
import type { FieldTarget } from './match.ts';
import { fieldName, formatPort, formatValue } from './match-text.ts';

const VENDOR_NICIRA = 0x2320;
const TABLE_NONE = 0xff;
const CT_COMMIT = 1;
const CT_FORCE = 2;

/** Names of Nicira's actions that are not in the table of actions. */
const BYTES_NAMES: ReadonlyMap<number, string> = new Map([
  [10, 'multipath'],
  [12, 'bundle'],
  [13, 'bundle_load'],
  [16, 'learn'],
  [45, 'learn'],
  [36, 'nat'],
  [46, 'encap'],
  [47, 'decap'],
]);

/** Formats actions, separated by commas; "drop" when there are none. */
export function formatActions(actions: readonly Action[]): string {
  return actions.length === 0 ? 'drop' : actions.map(formatAction).join(',');
}

/** Formats instructions as ovs-ofctl does: apply_actions is not named. */
export function formatInstructions(instructions: readonly Instruction[]): string {
  return instructions.length === 0 ? 'drop' : instructions.map(formatInstruction).join(',');
}

function formatInstruction(instruction: Instruction): string {
  switch (instruction.type) {
    case 'goto_table':
      return `goto_table:${instruction.tableId}`;
    case 'write_metadata':
      return `write_metadata:${hex(instruction.metadata)}/${hex(instruction.mask)}`;
    case 'write_actions':
      return `write_actions(${formatActions(instruction.actions)})`;
    case 'apply_actions':
      return formatActions(instruction.actions);
    case 'clear_actions':
      return 'clear_actions';
    case 'meter':
      return `meter:${instruction.meterId}`;
    case 'unknown':
      return `unknown(${instruction.bytes.toString('hex')})`;
  }
}

/** Formats one action. */
function formatAction(action: Action): string {
  switch (action.type) {
    case 'output':
      return action.port === 0xffff_fffd
        ? `CONTROLLER:${action.maxLength}`
        : `output:${formatPort(action.port)}`;
    case 'output_reg':
    case 'output_reg2':
      return `output:${bits(action.source)}`;
    case 'output_trunc':
      return `output(port=${formatPort(action.port)},max_len=${action.maxLength})`;
    case 'enqueue':
      return `enqueue:${formatPort(action.port)}:${action.queueId}`;
    case 'controller':
      return `controller(reason=${reason(action.reason)},max_len=${action.maxLength},id=${action.controllerId})`;
    case 'controller2':
      return formatController2(action);
    case 'sample':
    case 'sample2':
    case 'sample3':
    case 'sample4':
      return formatSample(action);
    case 'resubmit':
      return `resubmit:${formatPort(action.port)}`;
    case 'resubmit_table':
    case 'resubmit_table_ct':
      return formatResubmit(action);
    case 'ct':
      return formatConntrack(action);
    case 'clone':
      return `clone(${action.actions.map(formatAction).join(',')})`;
    default:
      return formatValueAction(action);
  }
}

type StructuredType = `output${string}` | `controller${string}` | `sample${string}` | `resubmit${string}`;
type ValueAction = Exclude<Action, { readonly type: StructuredType | 'enqueue' | 'ct' | 'clone' }>;

function formatValueAction(action: ValueAction): string {
  switch (action.type) {
    case 'reg_load':
      return `load:${hex(action.value)}->${bits(action.target)}`;
    case 'reg_load2':
    case 'set_field':
      return `set_field:${formatValue(action.field)}->${fieldName(action.field)}`;
    case 'reg_move':
    case 'copy_field':
    case 'onf_copy_field': {
      const { source, sourceOffset, target, targetOffset, bitCount } = action;
      const from = bits({ ...source, offset: sourceOffset, bitCount });
      return `move:${from}->${bits({ ...target, offset: targetOffset, bitCount })}`;
    }
    case 'stack_push':
    case 'stack_pop':
      return `${action.type === 'stack_push' ? 'push' : 'pop'}:${bits(action.target)}`;
    case 'delete_field':
      return `delete_field:${fieldName(action.target)}`;
    case 'check_pkt_larger':
      return `check_pkt_larger(${action.size})->${bits({ ...action.target, offset: action.offset, bitCount: 1 })}`;
    case 'write_metadata':
      return `write_metadata:${hex(action.metadata)}/${hex(action.mask)}`;
    case 'conjunction':
      return `conjunction(${action.id},${action.clause + 1}/${action.clauseCount})`;
    case 'note':
      return `note:${octets(action.data)}`;
    case 'fin_timeout':
      return `fin_timeout(idle_timeout=${action.idleTimeout},hard_timeout=${action.hardTimeout})`;
    case 'dec_ttl_ids':
      return `dec_ttl(${action.controllerIds.join(',')})`;
    case 'set_eth_src':
    case 'set_eth_dst':
      return `${action.type === 'set_eth_src' ? 'mod_dl_src' : 'mod_dl_dst'}:${octets(action.address).replaceAll('.', ':')}`;
    case 'unknown':
      return formatBytes(action.bytes);
    case 'set_tunnel64':
      return `set_tunnel64:${hex(action.value)}`;
    default:
      return 'value' in action ? formatNumberAction(action.type, action.value) : action.type;
  }
}

/** Actions whose names in ovs-ofctl differ from the protocol's. */
const OFCTL_NAMES: ReadonlyMap<string, string> = new Map([
  ['set_vlan_vid', 'mod_vlan_vid'],
  ['set_vlan_pcp', 'mod_vlan_pcp'],
  ['set_nw_src', 'mod_nw_src'],
  ['set_nw_dst', 'mod_nw_dst'],
  ['set_nw_tos', 'mod_nw_tos'],
  ['set_nw_ecn', 'mod_nw_ecn'],
  ['set_nw_ttl', 'mod_nw_ttl'],
  ['set_tp_src', 'mod_tp_src'],
  ['set_tp_dst', 'mod_tp_dst'],
]);

function formatNumberAction(type: string, value: number): string {
  const name = OFCTL_NAMES.get(type) ?? type;
  if (type === 'set_nw_src' || type === 'set_nw_dst') {
    return `${name}:${[24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.')}`;
  }
  return type === 'push_vlan' || type.endsWith('_mpls') ? `${name}:${hex(value)}` : `${name}:${value}`;
}

function formatController2(action: Controller2Action): string {
  const parts: string[] = [];
  if (action.reason !== undefined) {
    parts.push(`reason=${reason(action.reason)}`);
  }
  if (action.maxLength !== undefined) {
    parts.push(`max_len=${action.maxLength}`);
  }
  if (action.controllerId !== undefined) {
    parts.push(`id=${action.controllerId}`);
  }
  if (action.userdata !== undefined) {
    parts.push(`userdata=${octets(action.userdata)}`);
  }
  if (action.isPausing === true) {
    parts.push('pause');
  }
  if (action.meterId !== undefined) {
    parts.push(`meter_id=${action.meterId}`);
  }
  return `controller(${parts.join(',')})`;
}

function formatSample(action: SampleAction): string {
  const parts = [
    `probability=${action.probability}`,
    `collector_set_id=${action.collectorSetId}`,
    `obs_domain_id=${numberOrBits(action.observationDomainId)}`,
    `obs_point_id=${numberOrBits(action.observationPointId)}`,
  ];
  if (action.samplingPort !== 0xffff_ffff) {
    parts.push(`sampling_port=${formatPort(action.samplingPort)}`);
  }
  if (action.direction !== 0) {
    parts.push(
      action.direction === 1
        ? 'ingress'
        : action.direction === 2
          ? 'egress'
          : `direction=${action.direction}`,
    );
  }
  return `sample(${parts.join(',')})`;
}

function formatResubmit(action: Extract<Action, { readonly type: `resubmit${string}` }>): string {
  const port = action.port === 0xffff_fff8 ? '' : formatPort(action.port);
  const table = action.tableId === TABLE_NONE ? '' : String(action.tableId);
  return `resubmit(${port},${table}${action.type === 'resubmit_table_ct' ? ',ct' : ''})`;
}

function formatConntrack(action: Extract<Action, { readonly type: 'ct' }>): string {
  const parts: string[] = [];
  if ((action.flags & CT_COMMIT) !== 0) {
    parts.push('commit');
  }
  if ((action.flags & CT_FORCE) !== 0) {
    parts.push('force');
  }
  if (action.tableId !== TABLE_NONE) {
    parts.push(`table=${action.tableId}`);
  }
  if (action.zone !== 0) {
    parts.push(`zone=${numberOrBits(action.zone)}`);
  }
  const nested = action.actions.filter((nested) => nested.type !== 'unknown');
  if (nested.length !== 0) {
    parts.push(`exec(${nested.map(formatAction).join(',')})`);
  }
  // In text nat() is an argument of ct(); on the wire it is one of its actions.
  parts.push(...action.actions.filter((nested) => nested.type === 'unknown').map(formatAction));
  if (action.alg !== 0) {
    parts.push(`alg=${action.alg === 21 ? 'ftp' : action.alg === 69 ? 'tftp' : action.alg}`);
  }
  return `ct(${parts.join(',')})`;
}

function formatBytes(bytes: Buffer): string {
  const isNicira =
    bytes.length >= 10 && bytes.readUInt16BE(0) === 0xffff && bytes.readUInt32BE(4) === VENDOR_NICIRA;
  const name = isNicira ? BYTES_NAMES.get(bytes.readUInt16BE(8)) : undefined;
  return `${name ?? 'unknown'}(${bytes.toString('hex')})`;
}

const REASONS: readonly string[] = ['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out'];

function reason(number: number): string {
  return REASONS[number] ?? String(number);
}

function numberOrBits(value: number | FieldBits): string {
  return typeof value === 'number' ? String(value) : bits(value);
}

function bits(field: FieldBits): string {
  const { offset, bitCount } = field;
  const range = bitCount === 1 ? `${offset}` : `${offset}..${offset + bitCount - 1}`;
  return `${targetName(field)}[${range}]`;
}

function targetName(target: FieldTarget): string {
  return target.field === 'in_port_oxm' ? 'in_port_oxm' : fieldName(target);
}

function octets(bytes: Buffer): string {
  return bytes.toString('hex').replace(/..(?=.)/g, '$&.');
}

function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}
