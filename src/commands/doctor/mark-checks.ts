// Whether other flows use the register bit that the hook sets in each packet (the mark). A flow that reads the bit gets a value
// that its user did not write. A flow that only writes it, as OVN does with all of reg11, is harmless unless another flow returns
// packets to table 0, where they would be sampled twice or never.

import { isInHookSlot } from '../../control/hook.ts';
import type { FlowUpdate } from '../../node-openflow/index.ts';
import { counted } from '../../runtime/counted.ts';
import type { BridgeFacts } from './bridge-facts.ts';
import { type Finding, finding } from './finding.ts';
import { readsBit, returnsToTable0, writesBit } from './register-uses.ts';

/** Returns at most one finding, about the first of the flows. */
export function checkMark({ bridge, flows, mark }: BridgeFacts): Finding[] {
  const others = flows.filter((flow) => !isInHookSlot(flow, mark));
  const bit = `reg${mark.register}[${mark.bit}]`;
  const readers = others.filter((flow) => readsBit(flow, mark));
  if (readers[0] !== undefined) {
    const message = `${counted(readers.length, 'flow matches or reads', 'flows match or read')} the register bit ${bit}, which is the daemon's mark`;
    return [markInUse(bridge, message, readers[0])];
  }
  const writers = others.filter((flow) => writesBit(flow, mark));
  const returning = others.find(returnsToTable0);
  if (writers[0] === undefined || returning === undefined) {
    return [];
  }
  const message =
    `${counted(writers.length, 'flow writes', 'flows write')} the register bit ${bit}, which is the daemon's mark, and a flow in table ` +
    `${returning.tableId} returns packets to table 0, where they may be sampled again or not at all`;
  return [markInUse(bridge, message, writers[0])];
}

function markInUse(bridge: string, message: string, { tableId, priority }: FlowUpdate): Finding {
  return finding(
    'error',
    'mark-in-use',
    `Bridge ${bridge}`,
    `${message}; one is in table ${tableId} with priority ${priority}.`,
    'Choose a bit that no flow uses, with "ovs-ipfix run --mark=regN[BIT]"; "ovs-ofctl dump-flows" shows the flows.',
  );
}
