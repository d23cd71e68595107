// `run --pidfile`: the file by which OVS's tools find a daemon by name. Only the launcher (pidfile-launcher.pl) can lock it, so
// a daemon that was started without the launcher runs itself again through it and waits. The systemd unit runs the launcher
// directly, which saves the second process.

import { spawn } from 'node:child_process';
import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { programFolder } from '../../runtime/program-folder.ts';
import { reasonOf } from '../../runtime/sentence.ts';

/** The launcher's name beside the program. */
const LAUNCHER = 'ovs-ipfix-pidfile';
/** Signals that are forwarded to the daemon. */
const FORWARDED: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];

/** Whether the launcher has started this process, so that the file is locked for it. */
export function hasPidFile(): boolean {
  return process.env['OVS_IPFIX_PIDFILE_OWNER'] === String(process.pid);
}

/** Runs this program again through the launcher, forwards signals, and returns the exit code. */
export async function runLocked(pidFile: string): Promise<number> {
  const [, program = '', ...args] = process.argv;
  const launcher = join(programFolder(), LAUNCHER);
  const child = spawn('perl', [launcher, pidFile, process.execPath, ...process.execArgv, program, ...args], {
    stdio: 'inherit',
  });
  for (const signal of FORWARDED) {
    process.on(signal, () => child.kill(signal));
  }
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(
        new Error(`--pidfile needs perl, which could not be run: ${reasonOf(error)}.`, { cause: error }),
      ),
    );
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === 'SIGKILL' ? 9 : 15)));
  });
}

/** Removes the file, without opening it; its lock ends with the process. */
export function removePidFile(pidFile: string): void {
  try {
    unlinkSync(pidFile);
  } catch (error) {
    process.stderr.write(`ovs-ipfix: The pid file ${pidFile} cannot be removed: ${reasonOf(error)}.\n`);
  }
}
