// Runs this program again, as the demo's daemon and as its peer.

import type { CommandLine } from './programs.ts';

/** Returns the command line of this program with other arguments. */
export function selfCommand(...args: string[]): CommandLine {
  const [, program = ''] = process.argv;
  return [process.execPath, ...process.execArgv, program, ...args];
}
