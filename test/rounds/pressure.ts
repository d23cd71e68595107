// How busy the machine is: the share of time in which a process waited for a processor (pressure stall information of Linux). The
// lengths of gaps are those of the product only on a machine with processors to spare.

import { readFile } from 'node:fs/promises';

/** The share above which lengths say more about the machine than about the product. */
export const BUSY_SHARE = 0.5;

/** Returns a function that resolves to the share, 0 to 1, since this call; 0 where the kernel does not have the information. */
export async function watchPressure(): Promise<() => Promise<number>> {
  const beginMs = performance.now();
  const begin = await stalledMs();
  return async () => Math.min(1, ((await stalledMs()) - begin) / (performance.now() - beginMs));
}

/** Returns the milliseconds since boot in which a process waited for a processor. */
async function stalledMs(): Promise<number> {
  const text = await readFile('/proc/pressure/cpu', 'utf8').catch(() => '');
  return Number(/^some .*total=(\d+)$/mu.exec(text)?.[1] ?? 0) / 1000;
}
