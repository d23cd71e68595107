// Standard output that cannot be written: its reader has ended, as `head` does, or its disk is full.

import { codeOf } from '../runtime/error-code.ts';

/**
 * Ends the process when standard output fails: quietly when the reader has ended, else with a sentence; with exit code 1. To be called
 * before a command runs; one that handles these errors itself is left alone. What standard error does not take is dropped.
 */
export function watchOutput(): void {
  process.stdout.on('error', (error) => {
    if (process.stdout.listenerCount('error') > 1) {
      return;
    }
    const fault = outputFault(error);
    if (fault !== undefined) {
      process.stderr.write(`ovs-ipfix: ${fault}\n`);
    }
    process.exit(1);
  });
  process.stderr.on('error', () => {});
}

/** Returns a sentence about an error of standard output; undefined when its reader has ended. */
export function outputFault(error: Error): string | undefined {
  return codeOf(error) === 'EPIPE' ? undefined : `Standard output cannot be written: ${error.message}.`;
}
