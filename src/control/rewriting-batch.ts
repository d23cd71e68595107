// Which flows are rewritten together where each rewriting reads what it replaces (checked-rewriting.ts). A flow statistics
// request returns the flows whose match is at least as specific as its own, so a batch consists of flows that such a
// request can select and that are not many: they have the same fields, and agree in the low bits of one or more of them.

import { fieldByName, type MatchField, matchKey } from '../node-openflow/index.ts';
import type { ObservedFlow } from './flow-rewriting.ts';

/** Flows that are read one by one; with their modifications they are 40 messages (see checked-rewriting.ts). */
export const READ_EACH_MAX = 20;
/** Flows that are looked at to find the field that differs most. */
const SAMPLE_FLOWS = 500;

/** See `kindOf`, by match: matches do not change. */
const kinds = new WeakMap<ObservedFlow['match'], string>();

/** Takes some of the flows with these keys, `max` at most, all of one table; at least one, if there are any. */
export function chooseBatch(
  keys: readonly string[],
  flowsByKey: ReadonlyMap<string, ObservedFlow>,
  max: number,
): readonly string[] {
  const keyByFlow = new Map<ObservedFlow, string>();
  let tableId: number | undefined;
  for (const key of keys) {
    const flow = flowsByKey.get(key);
    tableId ??= flow?.tableId;
    if (flow !== undefined && flow.tableId === tableId) {
      keyByFlow.set(flow, key);
    }
  }
  return chooseFlows([...keyByFlow.keys()], max).map((flow) => keyByFlow.get(flow) ?? '');
}

function chooseFlows(flows: readonly ObservedFlow[], max: number): readonly ObservedFlow[] {
  const [first] = flows;
  if (first === undefined) {
    return [];
  }
  const kind = kindOf(first);
  let chosen: readonly ObservedFlow[] = flows.filter((flow) => kindOf(flow) === kind);
  if (chosen.length <= READ_EACH_MAX) {
    return flows.slice(0, READ_EACH_MAX);
  }
  for (const name of splitOrder(first, chosen)) {
    chosen = split(chosen, name, max);
  }
  return chosen.slice(0, max);
}

/** What all flows have in common, as the match of a request that selects them; empty for flows of several kinds. */
export function commonMatch(flows: readonly ObservedFlow[]): readonly MatchField[] {
  const [first] = flows;
  if (first === undefined || flows.some((flow) => kindOf(flow) !== kindOf(first))) {
    return [];
  }
  return first.match.flatMap((field) => {
    if (!isSplittable(field)) {
      return [field];
    }
    const mask = Buffer.alloc(field.value.length, 0xff);
    for (const flow of flows) {
      const other = valueOf(flow, field.field);
      for (let index = 0; index < mask.length; index += 1) {
        mask[index] = (mask[index] ?? 0) & ~((field.value[index] ?? 0) ^ (other[index] ?? 0));
      }
    }
    return mask.some((byte) => byte !== 0) ? [masked(field, mask)] : [];
  });
}

/** Flows of one kind have the same fields, and the same values in those fields that no request can select in part. */
function kindOf(flow: ObservedFlow): string {
  const known = kinds.get(flow.match);
  if (known !== undefined) {
    return known;
  }
  const names = flow.match.filter(isSplittable).map(({ field }) => field);
  const fixed = flow.match.filter((field) => !isSplittable(field));
  const kind = `${names.sort().join(',')} ${matchKey(fixed)}`;
  kinds.set(flow.match, kind);
  return kind;
}

/** Whether a request can select the field by some of its bits. A VLAN's priority can only be selected with the whole tag. */
function isSplittable({ field, mask }: MatchField): boolean {
  return (
    mask === undefined &&
    field !== 'unknown' &&
    !field.startsWith('vlan') &&
    fieldByName(field)?.isMaskable === true
  );
}

/** The names of the splittable fields, those with the most values first. */
function splitOrder(first: ObservedFlow, flows: readonly ObservedFlow[]): readonly MatchField['field'][] {
  const some = flows.slice(0, SAMPLE_FLOWS);
  const counts = first.match.filter(isSplittable).map(({ field }) => ({
    field,
    count: new Set(some.map((flow) => valueOf(flow, field).toString('hex'))).size,
  }));
  return counts.sort((a, b) => b.count - a.count).map(({ field }) => field);
}

/** Keeps the flows that agree with the first one in as many low bits of the field as leave no more than `max` of them. */
function split(
  flows: readonly ObservedFlow[],
  name: MatchField['field'],
  max: number,
): readonly ObservedFlow[] {
  const [first] = flows;
  if (first === undefined) {
    return flows;
  }
  const wanted = valueOf(first, name);
  const bitsMax = wanted.length * 8;
  let chosen = flows;
  let bits = 0;
  while (chosen.length > max && bits < bitsMax) {
    bits = Math.min(bitsMax, bits + Math.ceil(Math.log2(chosen.length / max)));
    const mask = lowBits(wanted.length, bits);
    chosen = chosen.filter((flow) => {
      const value = valueOf(flow, name);
      return mask.every((byte, index) => (((value[index] ?? 0) ^ (wanted[index] ?? 0)) & byte) === 0);
    });
  }
  return chosen;
}

function lowBits(width: number, bits: number): Buffer {
  return Buffer.from(
    Array.from({ length: width }, (_, index) => {
      const inByte = Math.min(8, Math.max(0, bits - (width - 1 - index) * 8));
      return (1 << inByte) - 1;
    }),
  );
}

function valueOf(flow: ObservedFlow, name: MatchField['field']): Buffer {
  return flow.match.find(({ field }) => field === name)?.value ?? Buffer.alloc(0);
}

function masked(field: MatchField, mask: Buffer): MatchField {
  if (mask.every((byte) => byte === 0xff)) {
    return field;
  }
  const value = Buffer.from(field.value.map((byte, index) => byte & (mask[index] ?? 0)));
  return { ...field, value, mask };
}
