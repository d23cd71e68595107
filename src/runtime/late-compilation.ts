// When V8 compiles a function to optimized code: the daemon lets functions run longer before. A thousand rows that arrive at once
// run hundreds of functions a thousand times and then never again; compiling these takes longer than running them, on threads
// beside the packets' one. What runs for packets is optimized all the same, after milliseconds of packets. In a replay it is the flush
// at the end that may be shorter than the compilation of what it runs.

import { setFlagsFromString } from 'node:v8';

/** How much later than by default: the daemon runs for long, and a replay may be short. */
const LATE_FACTOR = { daemon: 8, replay: 4 } as const;

/** V8's default of the bytes of bytecode that a function runs before it considers to optimize it. */
const INTERRUPT_BUDGET_BYTES = 67_584;

/** Sets it for the process; to be called when it starts, as functions that have run keep the value until then. */
export function compileLate(program: keyof typeof LATE_FACTOR): void {
  setFlagsFromString(`--interrupt-budget=${LATE_FACTOR[program] * INTERRUPT_BUDGET_BYTES}`);
}
