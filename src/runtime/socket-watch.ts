// Tells when a unix socket appears in the file system, so that a daemon that was restarted is found at once and not
// after the pause between two attempts. An improvement only: where watching is impossible the pauses still work.

import { existsSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** A watch that is under way. */
export interface SocketWatch {
  /** Ends it; safe to repeat. */
  close(): void;
}

/** Calls `onAppear` whenever something is created under `path`. The directory must exist now, or nothing is watched. */
export function watchSocket(path: string, onAppear: () => void): SocketWatch {
  const name = basename(path);
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_event, changed) => {
      if ((changed === name || changed === null) && existsSync(path)) {
        onAppear();
      }
    });
    // The directory may vanish or the kernel run out of watches; the caller's next attempt watches anew.
    watcher.on('error', () => watcher.close());
    return { close: () => watcher.close() };
  } catch {
    // No such directory yet (OVS is not installed or not started), or no inotify: the pauses between attempts remain.
    return { close: () => {} };
  }
}
