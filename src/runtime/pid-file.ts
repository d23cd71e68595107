// Reads pid files, and checks whether the process that one names is running.

import { readFileSync } from 'node:fs';

/** Returns the process that a pid file names; undefined if there is no such file, or no number in it. */
export function readPid(path: string): number | undefined {
  const pid = Number(readText(path)?.trim());
  return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
}

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

/** Returns undefined if there is no such file; throws other errors of the system. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}
