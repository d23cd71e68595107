// Watches for a unix socket to appear in the file system, so that a restarted daemon is found immediately and not after
// the backoff between two attempts. Where watching is impossible, the next attempt finds it.

import { existsSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** A running watch. */
export interface SocketWatch {
  /** Ends the watch. Idempotent. */
  close(): void;
}

/** Calls `onAppear` whenever `path` is created. Nothing is watched unless its directory exists already. */
export function watchSocket(path: string, onAppear: () => void): SocketWatch {
  const name = basename(path);
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_event, changed) => {
      if ((changed === name || changed === null) && existsSync(path)) {
        onAppear();
      }
    });
    // The directory may be removed, or the kernel may run out of watches; the caller's next attempt starts a new watch.
    watcher.on('error', () => watcher.close());
    return { close: () => watcher.close() };
  } catch {
    // The directory does not exist yet (OVS is not installed or not started), or inotify is missing: attempts go on.
    return { close: () => {} };
  }
}
