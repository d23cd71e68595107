// Where the running daemon's control socket is: commands that ask it find it as ovs-appctl does, by the pid file, or by
// the socket's name where the daemon was started without one.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { controlSocketPath, pidFilePath, runDirectory } from '../runtime/rundir.ts';
import { reasonOf } from '../runtime/sentence.ts';

/** Sockets that a daemon which was killed has left behind look the same; a live process has the pid of its name. */
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
    throw new Error(`Several daemons run here; say which one is meant with --unixctl: ${found.join(', ')}.`);
  }
  throw new Error(
    `No daemon runs: there is no ovs-ipfix.PID.ctl of a living process in ${runDirectory()}. Start it with ` +
      '"ovs-ipfix run", or name its control socket with --unixctl, or its folder with OVS_RUNDIR.',
  );
}

function liveSockets(): readonly string[] {
  return controlSockets(listRunDirectory())
    .filter(({ pid }) => isAlive(pid))
    .map(({ path }) => path)
    .filter(isSocket);
}

/** A control socket by its name; whether anybody listens there is not known. */
export interface NamedSocket {
  readonly path: string;
  readonly pid: number;
}

/** Those among the names of the run directory that a daemon gives its control socket unless told otherwise. */
export function controlSockets(names: readonly string[]): readonly NamedSocket[] {
  return names.flatMap((name) => {
    const pid = /^ovs-ipfix\.(?<pid>\d+)\.ctl$/u.exec(name)?.groups?.['pid'];
    return pid === undefined ? [] : [{ path: join(runDirectory(), name), pid: Number(pid) }];
  });
}

function listRunDirectory(): readonly string[] {
  try {
    return readdirSync(runDirectory());
  } catch (error) {
    throw new Error(
      `The run directory ${runDirectory()} cannot be read (${reasonOf(error)}); is Open vSwitch installed, and may you read it?`,
      { cause: error },
    );
  }
}

function pidOfFile(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
    return isAlive(pid) ? pid : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
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
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}
