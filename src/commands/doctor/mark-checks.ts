// Whether other flows use the register bit by which the hook knows packets that it has sampled (the mark). A flow that reads the
// bit sees a value that its user did not write. A flow that only writes it, as OVN does with all of reg11, is harmless: the mark
// matters only in table 0, unless some other flow makes packets pass table 0 again, which would sample them again or never.

import { isInHookSlot } from '../../control/hook.ts';
import type { FlowUpdate } from '../../node-openflow/index.ts';
import type { BridgeLook } from './bridge-look.ts';
import { type Finding, finding } from './finding.ts';
import { readsBit, returnsToTable0, writesBit } from './register-uses.ts';

/** At most one finding, about the first of the flows. */
export function checkMark({ bridge, flows, mark }: BridgeLook): Finding[] {
  const others = flows.filter((flow) => !isInHookSlot(flow, mark));
  const bit = `reg${mark.register}[${mark.bit}]`;
  const readers = others.filter((flow) => readsBit(flow, mark));
  if (readers[0] !== undefined) {
    const message = `${readers.length} flows match or read the register bit ${bit}, which is the daemon's mark`;
    return [markInUse(bridge, message, readers[0])];
  }
  const writers = others.filter((flow) => writesBit(flow, mark));
  const returning = others.find(returnsToTable0);
  if (writers[0] === undefined || returning === undefined) {
    return [];
  }
  const message =
    `${writers.length} flows write the register bit ${bit}, which is the daemon's mark, and a flow in table ` +
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
