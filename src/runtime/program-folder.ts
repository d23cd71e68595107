// Where the program's own files are: those that are installed beside it.

import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';

/** The folder of the program, also when it was started by a symbolic link, as Debian's package and npm do. */
export function programFolder(): string {
  return dirname(realpathSync(process.argv[1] ?? '.'));
}
