// What a test needs of the machine. A missing program skips the test visibly on a developer's machine and is a failure if
// CI=true, so that no test is skipped unnoticed there:
//
//     test('a frame that is injected is exported', tier('ovs'), async () => { ... });

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { programEnvironment } from './process.ts';

/** The tiers, each with its programs. */
const PROGRAMS = {
  ovs: ['ovsdb-server', 'ovs-vswitchd', 'ovs-vsctl', 'ovs-ofctl', 'ovs-appctl', 'ovsdb-client', 'ovsdb-tool'],
  ovn: ['ovn-northd', 'ovn-controller', 'ovn-nbctl', 'ovn-appctl'],
  testcontroller: ['ovs-testcontroller'],
  nfdump: ['nfcapd', 'nfdump'],
  pmacct: ['nfacctd'],
  tshark: ['tshark'],
  fixbuf: ['ipfixDump'],
  ipfixcol2: ['ipfixcol2'],
  iperf3: ['iperf3'],
  prometheus: ['promtool', 'prometheus'],
  browser: ['chromium'],
  man: ['man'],
  namespaces: ['ip', 'unshare', 'nsenter', 'ping'],
  daemon: [],
} as const;
export type Tier = keyof typeof PROGRAMS;

/** The file that `npm run build` makes. */
export const DAEMON_FILE = join(import.meta.dirname, '..', '..', 'dist', 'ovs-ipfix.cjs');

/** Returns options for `test` that skip it if the machine lacks a program, which is an error if CI=true. */
export function tier(...tiers: readonly Tier[]): { skip: string | false } {
  const missing = tiers.flatMap(missingOf);
  if (missing.length === 0) {
    return { skip: false };
  }
  const lack = `this machine lacks ${missing.join(', ')} (".ci/prepare all" installs what can be installed)`;
  if (process.env['CI'] === 'true') {
    throw new Error(`With CI=true nothing may be skipped, but ${lack}.`);
  }
  return { skip: lack };
}

function missingOf(name: Tier): string[] {
  const missing = PROGRAMS[name].filter((program) => programPath(program) === undefined) as string[];
  if (name === 'namespaces' && process.getuid?.() !== 0) {
    missing.push('the rights of root');
  }
  if (name === 'daemon' && !isReadable(DAEMON_FILE)) {
    missing.push('dist/ovs-ipfix.cjs (npm run build)');
  }
  return missing;
}

/** Returns the path of a program, if PATH has it. */
export function programPath(program: string): string | undefined {
  const folders = (programEnvironment()['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders
    .map((folder) => join(folder, program))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
