// Reads pid files, and checks whether the process that one names is running.

import { readFileSync } from 'node:fs';
import { codeOf } from './error-code.ts';

/** Returns the pid in a pid file; undefined if the file does not exist or has no pid. Throws other errors of the system. */
export function readPid(path: string): number | undefined {
  return pidOf(readText(path) ?? '');
}

/** Returns false when the file or its process does not exist, and true when that cannot be determined. */
export function isPidFileLive(path: string): boolean {
  try {
    const text = readText(path);
    const pid = text === undefined ? undefined : pidOf(text);
    if (pid !== undefined) {
      process.kill(pid, 0);
    }
    return text !== undefined;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

/** Returns the text of a file; undefined if it does not exist. Throws other errors of the system. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}

function pidOf(text: string): number | undefined {
  const pid = Number(text.trim());
  return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
}
