// Whether the process that a pid file names still runs.

import { readFileSync } from 'node:fs';

/** False when the file is missing or names a process that does not exist; true when that cannot be known. */
export function isPidFileLive(path: string): boolean {
  try {
    const pid = Number(readFileSync(path, 'utf8').trim());
    if (!Number.isSafeInteger(pid) || pid <= 0) {
      return true;
    }
    process.kill(pid, 0);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code !== 'ENOENT' && code !== 'ESRCH';
  }
}
