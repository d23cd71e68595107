// Paths in Open vSwitch's run directory: its sockets and pid files, and those of ovs-ipfix. The commands take their
// defaults from here. Nothing here accesses the file system.

import { join, resolve } from 'node:path';

/** The directory that OVS's programs use when OVS_RUNDIR is unset or empty. */
const RUN_DIRECTORY_DEFAULT = '/var/run/openvswitch';

/** Environment variables; `process.env` fits. */
export interface RunDirectoryEnvironment {
  readonly [name: string]: string | undefined;
}

/** Returns the directory of OVS's sockets and pid files: OVS_RUNDIR, else /var/run/openvswitch. */
export function runDirectory(environment: RunDirectoryEnvironment = process.env): string {
  return environment['OVS_RUNDIR'] || RUN_DIRECTORY_DEFAULT;
}

/** Resolves a path as OVS's programs do: a relative one is in the run directory. */
export function runPath(path: string, environment: RunDirectoryEnvironment = process.env): string {
  return resolve(runDirectory(environment), path);
}

/** Returns the connection method of the local database, the default of OVS's own tools. */
export function databaseDefault(environment: RunDirectoryEnvironment = process.env): string {
  return `unix:${join(runDirectory(environment), 'db.sock')}`;
}

/** Returns the path of a daemon's unixctl socket by OVS's convention: NAME.PID.ctl in the run directory. */
export function controlSocketPath(
  name: string,
  pid: number = process.pid,
  environment: RunDirectoryEnvironment = process.env,
): string {
  return join(runDirectory(environment), `${name}.${pid}.ctl`);
}

/** Returns the path of a daemon's pid file by OVS's convention: NAME.pid in the run directory. */
export function pidFilePath(name: string, environment: RunDirectoryEnvironment = process.env): string {
  return join(runDirectory(environment), `${name}.pid`);
}

/** Returns the path of a bridge's OpenFlow socket. */
export function bridgeSocketPath(bridge: string, environment: RunDirectoryEnvironment = process.env): string {
  return join(runDirectory(environment), `${bridge}.mgmt`);
}

/** A control socket found by its name, which may be stale. */
export interface NamedSocket {
  readonly path: string;
  readonly pid: number;
}

/** Returns the control sockets with the daemon's default name among the names of files in a folder. */
export function controlSockets(names: readonly string[], folder: string): readonly NamedSocket[] {
  return names.flatMap((name) => {
    const pid = /^ovs-ipfix\.(?<pid>\d+)\.ctl$/u.exec(name)?.groups?.['pid'];
    return pid === undefined ? [] : [{ path: join(folder, name), pid: Number(pid) }];
  });
}
