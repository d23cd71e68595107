// How the demo runs this program once more, as its daemon and as its peer.

import type { CommandLine } from './programs.ts';

/** The command line of this program with other arguments. */
export function selfCommand(...args: string[]): CommandLine {
  const [, program = ''] = process.argv;
  return [process.execPath, ...process.execArgv, program, ...args];
}
