// Whether flows of others use the register bit by which the daemon knows packets that it has sampled already: they would
// make it sample a packet twice or never.

import type { RegisterBit } from '../../config/settings.ts';
import { isInHookSlot } from '../../control/hook.ts';
import type { BridgeLook } from './bridge-look.ts';
import { type Finding, finding } from './finding.ts';

const REGISTER_BITS = 32;

/** At most one finding, about the first of the flows. */
export function checkMark({ bridge, flows, mark }: BridgeLook): Finding[] {
  const users = flows.filter((flow) => !isInHookSlot(flow, mark) && usesBit(flow, mark));
  const [first] = users;
  if (first === undefined) return [];
  const bit = `reg${mark.register}[${mark.bit}]`;
  return [
    finding(
      'error',
      'mark-in-use',
      `Bridge ${bridge}`,
      `${users.length} flows match or change the register bit ${bit}, which is the daemon's mark; one is in table ` +
        `${first.tableId} with priority ${first.priority}.`,
      'Choose a bit that no flow uses, with "ovs-ipfix run --mark=regN[BIT]"; "ovs-ofctl dump-flows" shows the flows.',
    ),
  ];
}

/** Whether a field anywhere in the flow's match, actions or instructions has the bit. */
function usesBit(value: unknown, mark: RegisterBit): boolean {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return false;
  if ('field' in value && isBitOf(value, mark)) return true;
  return Object.values(value).some((part) => usesBit(part, mark));
}

/** A register has the bit by its own name, and by those of the double and fourfold registers that it is a part of. */
function isBitOf(field: object & { readonly field?: unknown }, { register, bit }: RegisterBit): boolean {
  const names = [
    [`reg${register}`, bit],
    [`xreg${register >> 1}`, (1 - (register % 2)) * REGISTER_BITS + bit],
    [`xxreg${register >> 2}`, (3 - (register % 4)) * REGISTER_BITS + bit],
  ] as const;
  const position = names.find(([name]) => name === field.field)?.[1];
  if (position === undefined) return false;
  const { offset, bitCount, mask } = field as { offset?: number; bitCount?: number; mask?: Buffer };
  if (offset !== undefined && bitCount !== undefined)
    return position >= offset && position < offset + bitCount;
  return mask === undefined || ((mask[mask.length - 1 - (position >> 3)] ?? 0) & (1 << (position & 7))) !== 0;
}
