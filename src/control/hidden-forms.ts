// Detects actions that OpenFlow 1.3 and later show in a form that would be rewritten as another action. Only OpenFlow 1.0 has
// `enqueue`, `mod_vlan_vid` and `mod_vlan_pcp`: the first is shown as set_queue, output and pop_queue, the others as push_vlan,
// with or without a set_field, although they push a tag only on packets without one. If a bridge allows OpenFlow 1.0, the two
// cannot be distinguished, so a flow with such a form is not rewritten.

import { type Action, appliedActions, type Instruction, type MatchField } from '../node-openflow/index.ts';
import { innerActions } from './translation.ts';

/** OFPVID_PRESENT; the same bit in Nicira's vlan_tci. */
const TAG_PRESENT = 0x1000;

/** Returns why a flow must not be rewritten over OpenFlow 1.3 or later, as a clause; undefined if it may. */
export function hiddenForm(
  match: readonly MatchField[],
  instructions: readonly Instruction[],
): string | undefined {
  const actions = appliedActions(instructions);
  if (hasSequence(actions, isEnqueueForm)) {
    return 'its set_queue, output and pop_queue may be an enqueue action, which only OpenFlow 1.0 can write';
  }
  if (!match.some(tellsTag) && hasSequence(actions, isPush)) {
    return (
      'its push_vlan may be mod_vlan_vid or mod_vlan_pcp, which only OpenFlow 1.0 can write; ' +
      'a match on the VLAN tag, such as vlan_tci=0x0000/0x1fff, would make it certain'
    );
  }
  return undefined;
}

/**
 * Whether all packets of a flow have a tag, or none has, so that both forms are equivalent: the match includes OFPVID_PRESENT
 * (OpenFlow 1.3.5, section 7.2.3.7).
 */
function tellsTag({ field, mask }: MatchField): boolean {
  const isTag = field === 'vlan_vid' || field === 'vlan_tci';
  return isTag && (mask === undefined || (mask.readUInt16BE(mask.length - 2) & TAG_PRESENT) !== 0);
}

/** Whether a sequence begins at some index of the actions, at any depth. */
function hasSequence(
  actions: readonly Action[],
  isSequence: (actions: readonly Action[], index: number) => boolean,
): boolean {
  return actions.some(
    (action, index) => isSequence(actions, index) || hasSequence(innerActions(action), isSequence),
  );
}

function isEnqueueForm(actions: readonly Action[], index: number): boolean {
  const types = actions.slice(index, index + 3).map(({ type }) => type);
  return types[0] === 'set_queue' && types[1] === 'output' && types[2] === 'pop_queue';
}

function isPush(actions: readonly Action[], index: number): boolean {
  return actions[index]?.type === 'push_vlan';
}
