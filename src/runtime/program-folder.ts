// The folder of the files that are installed beside the program.

import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Returns the folder of the program, also when it was started through a symbolic link, as from npm's or Debian's package. */
export function programFolder(): string {
  return dirname(realpathSync(process.argv[1] ?? '.'));
}

/** Returns the content of a file of that folder; throws what reading it throws. */
export function readProgramFile(name: string): Uint8Array<ArrayBuffer> {
  return readFileSync(join(programFolder(), name));
}
