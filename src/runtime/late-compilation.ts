// When V8 compiles a function to optimized code: the daemon lets functions run longer before. A thousand rows that arrive at once
// run hundreds of functions a thousand times and then never again; compiling these takes longer than running them, on threads
// beside the packets' one. What runs for packets is optimized all the same, after milliseconds of packets.

import { setFlagsFromString } from 'node:v8';

/** Bytes of bytecode that a function runs before V8 considers to optimize it: eight times its default. */
const INTERRUPT_BUDGET_BYTES = 540_672;

/** Sets it for the process; to be called when it starts, as functions that have run keep the value until then. */
export function compileLate(): void {
  setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET_BYTES}`);
}
