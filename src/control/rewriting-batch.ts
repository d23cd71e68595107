// Which flows are rewritten together where each rewriting reads what it replaces (checked-rewriting.ts). A flow statistics
// request returns the flows whose match is at least as specific as its own, so a batch consists of flows that such a
// request can select and that are not many: they have the same fields, and agree in the low bits of one or more of them.

import { type MatchField, matchKey } from '../node-openflow/index.ts';
import type { ObservedFlow } from './flow-rewriting.ts';

/** Flows that are read one by one; with their modifications they are 40 messages (see checked-rewriting.ts). */
export const READ_EACH_MAX = 20;
/** Flows that are looked at to find the field that differs most. */
const SAMPLE_FLOWS = 500;

/** See `kindOf`, by match: matches do not change. */
const kinds = new WeakMap<ObservedFlow['match'], string>();

/** Divides the flows that are pending into batches, each time that the last ones are done. */
export class BatchPlan {
  #batches: (readonly string[])[] = [];

  /** Keys of the next batch; at least one, when some of `pending` are among the flows. */
  next(
    pending: ReadonlySet<string>,
    flows: ReadonlyMap<string, ObservedFlow>,
    max: number,
  ): readonly string[] {
    for (;;) {
      const batch = this.#batches.pop();
      if (batch === undefined) {
        const planned = planBatches([...pending], flows, max);
        if (planned.length === 0) {
          return [];
        }
        this.#batches = planned;
        continue;
      }
      const left = batch.filter((key) => pending.has(key) && flows.has(key));
      if (left.length > 0) {
        return left;
      }
    }
  }
}

interface KeyedFlow extends ObservedFlow {
  readonly key: string;
}

/** Divides flows into batches of `max` at most, each of one table. */
function planBatches(
  keys: readonly string[],
  flowsByKey: ReadonlyMap<string, ObservedFlow>,
  max: number,
): string[][] {
  const flows = keys.flatMap((key) => {
    const flow = flowsByKey.get(key);
    return flow === undefined ? [] : [{ ...flow, key }];
  });
  const batches = groupBy(flows, ({ tableId }) => tableId).flatMap((ofTable) => {
    const ofKinds = groupBy(ofTable, kindOf).flatMap((ofKind) => divide(ofKind, max));
    const few = ofKinds.filter(({ length }) => length <= READ_EACH_MAX).flat();
    return [...ofKinds.filter(({ length }) => length > READ_EACH_MAX), ...chunks(few, READ_EACH_MAX)];
  });
  return batches.map((batch) => batch.map(({ key }) => key));
}

/** Divides flows of one kind by the low bits of the field that differs most, and then of the next one. */
function divide(flows: readonly KeyedFlow[], max: number): (readonly KeyedFlow[])[] {
  const [first] = flows;
  let parts = [flows];
  for (const name of first === undefined || flows.length <= max ? [] : splitOrder(first, flows)) {
    parts = parts.flatMap((part) => split(part, name, 0, max));
  }
  return parts.flatMap((part) => chunks(part, max));
}

/** Divides flows that agree in the `bits` lowest bits of the field by more of them, until no part is larger than `max`. */
function split(
  flows: readonly KeyedFlow[],
  name: MatchField['field'],
  bits: number,
  max: number,
): (readonly KeyedFlow[])[] {
  const [first] = flows;
  const bitsMax = first === undefined ? 0 : valueOf(first, name).length * 8;
  if (flows.length <= max || bits >= bitsMax) {
    return [flows];
  }
  const more = Math.min(bitsMax, bits + Math.ceil(Math.log2(flows.length / max)));
  return groupBy(flows, (flow) => lowBits(valueOf(flow, name), more)).flatMap((part) =>
    split(part, name, more, max),
  );
}

/** The lowest bits as a string; up to 7 further ones are cleared. */
function lowBits(value: Buffer, bits: number): string {
  const low = Buffer.from(value.subarray(value.length - Math.ceil(bits / 8)));
  if (bits % 8 !== 0) {
    low[0] = (low[0] ?? 0) & ((1 << (bits % 8)) - 1);
  }
  return low.toString('latin1');
}

function groupBy(
  flows: readonly KeyedFlow[],
  keyFor: (flow: KeyedFlow) => string | number,
): (readonly KeyedFlow[])[] {
  const groups = new Map<string | number, KeyedFlow[]>();
  for (const flow of flows) {
    const key = keyFor(flow);
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, [flow]);
    } else {
      group.push(flow);
    }
  }
  return [...groups.values()];
}

function chunks(flows: readonly KeyedFlow[], size: number): (readonly KeyedFlow[])[] {
  return Array.from({ length: Math.ceil(flows.length / size) }, (_, index) =>
    flows.slice(index * size, (index + 1) * size),
  );
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

/** Fields of which a request can select any bits, and that need no other field but fixed ones. */
const SPLITTABLE =
  /^(?:(?:eth|ip|ipv6|tcp|udp|sctp|tun)_(?:src|dst)|x{0,2}reg\d+|metadata|tun_id|ct_mark|ct_label)$/u;

function isSplittable({ field, mask }: MatchField): boolean {
  return mask === undefined && SPLITTABLE.test(field);
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

/** The first keys of a set. */
export function firstOf(keys: ReadonlySet<string>, count: number): readonly string[] {
  const first: string[] = [];
  for (const key of keys) {
    if (first.length === count) {
      break;
    }
    first.push(key);
  }
  return first;
}
