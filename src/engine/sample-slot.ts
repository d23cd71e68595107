// Where the samples of a batch lie: see flow/engine-memory.ts.

import { SLOT_BYTES, SLOTS_AT } from '../flow/engine-memory';

/** Returns the address of the slot of a sample of the batch. */
export function slotAt(index: i32): usize {
  return <usize>(SLOTS_AT + index * SLOT_BYTES);
}
