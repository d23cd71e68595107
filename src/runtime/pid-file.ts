// Checks whether the process that a pid file names is running.

import { readFileSync } from 'node:fs';

/** Returns false when the file is missing or its process does not exist, and true when that cannot be determined. */
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
