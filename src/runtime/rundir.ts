// Where Open vSwitch keeps its sockets, and where ours go beside them. Used by the commands to fill in defaults;
// nothing here touches the file system.

import { join, resolve } from 'node:path';

/** The directory that OVS's programs use when OVS_RUNDIR is unset or empty. */
const RUN_DIRECTORY_DEFAULT = '/var/run/openvswitch';

/** The part of the environment that is looked at; `process.env` fits. */
export interface RunDirectoryEnvironment {
  readonly [name: string]: string | undefined;
}

/** The directory of OVS's sockets and pid files: OVS_RUNDIR, else /var/run/openvswitch. */
export function runDirectory(environment: RunDirectoryEnvironment = process.env): string {
  return environment['OVS_RUNDIR'] || RUN_DIRECTORY_DEFAULT;
}

/** A path as OVS's programs read it: one that is not absolute is in the run directory. */
export function runPath(path: string, environment: RunDirectoryEnvironment = process.env): string {
  return resolve(runDirectory(environment), path);
}

/** The connection method of the local database, as OVS's own tools assume it. */
export function databaseDefault(environment: RunDirectoryEnvironment = process.env): string {
  return `unix:${join(runDirectory(environment), 'db.sock')}`;
}

/** The path of a daemon's unixctl socket by OVS's convention, NAME.PID.ctl in the run directory. */
export function controlSocketPath(
  name: string,
  pid: number = process.pid,
  environment: RunDirectoryEnvironment = process.env,
): string {
  return join(runDirectory(environment), `${name}.${pid}.ctl`);
}

/** The path of a daemon's pid file by OVS's convention. */
export function pidFilePath(name: string, environment: RunDirectoryEnvironment = process.env): string {
  return join(runDirectory(environment), `${name}.pid`);
}

/** The path of a bridge's OpenFlow socket. */
export function bridgeSocketPath(bridge: string, environment: RunDirectoryEnvironment = process.env): string {
  return join(runDirectory(environment), `${bridge}.mgmt`);
}
