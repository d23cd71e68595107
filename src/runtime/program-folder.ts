// The folder of the files that are installed beside the program.

import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';

/** Returns the folder of the program, also when it was started through a symbolic link, as from npm's or Debian's package. */
export function programFolder(): string {
  return dirname(realpathSync(process.argv[1] ?? '.'));
}
