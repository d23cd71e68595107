// When V8 compiles a function to optimized code: the daemon lets functions run longer before. A thousand rows that arrive at once
// run hundreds of functions a thousand times and then never again; compiling these takes longer than running them, on threads
// beside the packets' one. What runs for packets is optimized all the same, after milliseconds of packets.

import { setFlagsFromString } from 'node:v8';

/** V8's default of the bytes of bytecode that a function runs before it considers to optimize it. */
const INTERRUPT_BUDGET_BYTES = 67_584;

/** Sets `factor` times the default for the process; to be called when it starts, as functions that have run keep the value until then. */
export function compileLate(factor: number): void {
  setFlagsFromString(`--interrupt-budget=${factor * INTERRUPT_BUDGET_BYTES}`);
}
