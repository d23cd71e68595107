// The demo's private Open vSwitch: ovsdb-server and ovs-vswitchd in a temporary folder, independent of the machine's. They run in
// the foreground as child processes and are ended by process id.

import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackgroundProgram, type CommandLine, hasProgram, ProgramError, run } from './programs.ts';

/** Required programs; Debian's package openvswitch-switch and its dependencies have all. */
const PROGRAMS = ['ovsdb-tool', 'ovsdb-server', 'ovs-vswitchd', 'ovs-vsctl', 'ovs-ofctl', 'ovs-appctl'];
const SCHEMA_FOLDERS = ['/usr/share/openvswitch', '/usr/local/share/openvswitch'];
/** Longest path of a unix socket in bytes: 108 with the terminating null byte (unix(7)). */
const SOCKET_PATH_LENGTH_MAX = 107;
const LOG_LINES_SHOWN = 5;

/** Options of `PrivateOvs.start`. */
export interface PrivateOvsOptions {
  /** `dummy` needs no root and takes injected frames; `netdev` opens real interfaces. */
  readonly datapath: 'dummy' | 'netdev';
  /** Command prefix of ovs-vswitchd, such as `nsenter ... --`. */
  readonly vswitchdPrefix?: readonly string[];
}

/** See the head of the file. */
export class PrivateOvs {
  /** The folder of all files, to be used as OVS_RUNDIR. */
  readonly folder: string;
  readonly #programs: BackgroundProgram[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Creates the folder; throws a sentence with what to install when a program is missing. */
  static async prepare(): Promise<PrivateOvs> {
    const missing = PROGRAMS.filter((program) => !hasProgram(program));
    if (missing.length > 0) {
      throw new ProgramError(
        `The demo needs Open vSwitch, and ${missing.join(', ')} cannot be found; on Debian, "apt-get install openvswitch-switch" installs it.`,
      );
    }
    const folder = await mkdtemp(join(tmpdir(), 'ovs-ipfix-demo-'));
    const ovs = new PrivateOvs(folder);
    if (join(folder, 'ovs-vswitchd.1234567.ctl').length > SOCKET_PATH_LENGTH_MAX) {
      await ovs.stop();
      throw new ProgramError(`${tmpdir()} is too long a path for sockets; set TMPDIR to a shorter one.`);
    }
    return ovs;
  }

  /** The connection method of its database. */
  get database(): string {
    return `unix:${join(this.folder, 'db.sock')}`;
  }

  /** Returns the environment that directs programs to this OVS. */
  get variables(): Record<string, string> {
    const { folder } = this;
    return { OVS_RUNDIR: folder, OVS_LOGDIR: folder, OVS_DBDIR: folder, OVS_SYSCONFDIR: folder };
  }

  /** Starts the two daemons; resolves when database and switch answer. */
  async start({ datapath, vswitchdPrefix = [] }: PrivateOvsOptions): Promise<void> {
    const file = join(this.folder, 'conf.db');
    await this.run(['ovsdb-tool', 'create', file, schemaFile()]);
    await this.#start([
      'ovsdb-server',
      file,
      `--remote=p${this.database}`,
      ...this.#logArguments('ovsdb-server'),
    ]);
    await this.#answered(['ovs-vsctl', '--retry', '--timeout=10', '--no-wait', 'init']);
    // Neither the kernel's datapath nor the machine's routes are used.
    const only = ['--disable-system', '--disable-system-route'];
    await this.#start([
      ...vswitchdPrefix,
      'ovs-vswitchd',
      ...(datapath === 'dummy' ? ['--enable-dummy=override', ...only] : only),
      ...this.#logArguments('ovs-vswitchd'),
      this.database,
    ]);
    // ovs-vsctl waits until the switch has applied the change; this is the smallest one.
    await this.#answered(['ovs-vsctl', '--timeout=10', 'set', 'Open_vSwitch', '.', 'other_config:demo=true']);
  }

  /** Runs one of OVS's programs and returns its output. */
  async run(command: CommandLine): Promise<string> {
    return run(command, this.variables);
  }

  /** Throws when a daemon has exited. */
  assertRunning(): void {
    for (const program of this.#programs) {
      program.assertRunning();
    }
  }

  /** Ends the daemons, the switch first, and removes the folder. Safe to repeat. */
  async stop(): Promise<void> {
    for (const program of [...this.#programs].reverse()) {
      await program.stop();
    }
    this.#programs.length = 0;
    await rm(this.folder, { recursive: true, force: true });
  }

  async #start(command: readonly string[]): Promise<void> {
    const [program, ...args] = command;
    if (program === undefined) {
      return;
    }
    this.#programs.push(await BackgroundProgram.start([program, ...args], this.variables));
  }

  #logArguments(daemon: string): string[] {
    const log = `--log-file=${join(this.folder, `${daemon}.log`)}`;
    return ['--pidfile', log, '-vconsole:off', '-vsyslog:off', '-vfile:info'];
  }

  async #answered(command: CommandLine): Promise<void> {
    try {
      await this.run(command);
      this.assertRunning();
    } catch (error) {
      const logs = await Promise.all([this.#logEnd('ovsdb-server'), this.#logEnd('ovs-vswitchd')]);
      const reason = error instanceof Error ? error.message : String(error);
      throw new ProgramError(`The private Open vSwitch does not start. ${reason}\n${logs.join('')}`, error);
    }
  }

  async #logEnd(daemon: string): Promise<string> {
    const file = join(this.folder, `${daemon}.log`);
    if (!existsSync(file)) {
      return '';
    }
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n').slice(-LOG_LINES_SHOWN);
    return `The log of ${daemon} ends with:\n${lines.join('\n')}\n`;
  }
}

/** Returns the path of the installed schema. */
function schemaFile(): string {
  const folders = [process.env['OVS_PKGDATADIR'] ?? '', ...SCHEMA_FOLDERS].filter((folder) => folder !== '');
  const file = folders.map((folder) => join(folder, 'vswitch.ovsschema')).find((path) => existsSync(path));
  if (file === undefined) {
    throw new ProgramError(
      `vswitch.ovsschema was not found in ${folders.join(', ')}; set OVS_PKGDATADIR to its folder.`,
    );
  }
  return file;
}
