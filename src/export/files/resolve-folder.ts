// The folder that a path leads to when the process starts: a symbolic link that is changed later has no effect.

import { accessSync, constants, realpathSync, statSync } from 'node:fs';

/** Returns the path of a folder that the process may write, without symbolic links; throws for others. */
export function resolveFolder(path: string): string {
  const resolved = realpathSync(path);
  if (!statSync(resolved).isDirectory()) {
    throw new Error('it is not a folder');
  }
  accessSync(resolved, constants.W_OK | constants.X_OK);
  return resolved;
}
