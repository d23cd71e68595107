// Finds the control socket of the running daemon: as ovs-appctl does, by the pid file, or by the socket's name when the daemon
// was started without one.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { codeOf } from '../runtime/error-code.ts';
import { controlSocketPath, controlSockets, pidFilePath, runDirectory } from '../runtime/rundir.ts';
import { reasonOf } from '../runtime/sentence.ts';

/** Returns the path of the socket; throws a sentence when there is none or several. A socket of a dead process is ignored. */
export function findControlSocket(given: string | undefined): string {
  if (given !== undefined) {
    return given;
  }
  const byPidFile = pidOfFile(pidFilePath('ovs-ipfix'));
  if (byPidFile !== undefined && isSocket(controlSocketPath('ovs-ipfix', byPidFile))) {
    return controlSocketPath('ovs-ipfix', byPidFile);
  }
  const found = liveSockets();
  const [only] = found;
  if (only !== undefined && found.length === 1) {
    return only;
  }
  if (found.length > 1) {
    throw new Error(`Several daemons run; choose one with --unixctl: ${found.join(', ')}.`);
  }
  throw new Error(
    `No daemon runs: ${runDirectory()} has no ovs-ipfix.PID.ctl of a live process. Start it with "ovs-ipfix run", ` +
      'or name its control socket with --unixctl or its folder with OVS_RUNDIR.',
  );
}

function liveSockets(): readonly string[] {
  return controlSockets(listRunDirectory(), runDirectory())
    .filter(({ pid }) => isAlive(pid))
    .map(({ path }) => path)
    .filter(isSocket);
}

function listRunDirectory(): readonly string[] {
  try {
    return readdirSync(runDirectory());
  } catch (error) {
    throw new Error(
      `The run directory ${runDirectory()} cannot be read: ${reasonOf(error)}. Check that Open vSwitch is installed, and that you may read it.`,
      { cause: error },
    );
  }
}

function pidOfFile(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
    return isAlive(pid) ? pid : undefined;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) {
    return false;
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}
