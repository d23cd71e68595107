// A private Open vSwitch for a test: its own folder, ovsdb-server and ovs-vswitchd, nothing shared with the machine's. A
// warning in OVS's logs that the test has not announced fails the test when it stops the switch.
//
//     const ovs = await startOvs();
//     t.after(() => ovs.stop());
//     await ovs.addBridge('br0');
//     await ovs.addDummyPort('br0', 'p1');
//     await ovs.inject('p1', '...');

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasDifference } from '../versions/differences.ts';
import { FrameStreams } from './frame-streams.ts';
import { schemaText } from './ovs-schema.ts';
import { BackgroundProgram, runProgram } from './process.ts';
import { SmallDisk } from './small-disk.ts';
import { waitFor } from './wait.ts';

/** Options of `startOvs`. */
export interface OvsOptions {
  /**
   * `dummy` (default): no root, frames are injected. `netdev`: as root; vswitchd runs in a network namespace of its own
   * (see `inNamespace`), with real interfaces.
   */
  readonly mode?: 'dummy' | 'netdev';
  /** Whether table IPFIX has cache_active_timeout and cache_max_flows. Default: true. */
  readonly cacheColumns?: boolean;
  /** Whether the database has the table Flow_Sample_Collector_Set. Default: true. */
  readonly collectorSets?: boolean;
  /** Warnings in OVS's logs that this test expects. */
  readonly allowedWarnings?: readonly RegExp[];
  /** More arguments for ovs-vswitchd. */
  readonly vswitchdArguments?: readonly string[];
  /** Further remotes of ovsdb-server, such as `ptcp:0:127.0.0.1`. */
  readonly remotes?: readonly string[];
  /**
   * As root: the database is in a file system of its own of this many bytes, in a mount namespace, which `fillDatabase` fills.
   */
  readonly databaseBytes?: number;
  /** More arguments for ovsdb-server. */
  readonly databaseArguments?: readonly string[];
}

/** All OpenFlow versions, for requests of this file to any bridge. */
const ALL_VERSIONS = 'OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15';
/** Of the file system of `databaseBytes`. */
const DISK_BLOCK_BYTES = 4096;
const FAULT_LINE = /\|(WARN|ERR|EMER)\|/;

/** Warnings that are not about the product. */
const HARMLESS_WARNINGS = [
  // A busy machine.
  /timeval.*\|WARN\|/,
  /poll_loop.*\|WARN\|/,
  /ovs_rcu.*\|WARN\|blocked \d+ ms/,
  // vswitchd exports for a released row to a collector that the test has closed.
  /\|collectors\|WARN\|.*Connection refused/,
  // A client of ovsdb-server or of a bridge did not wait for its reply, or was killed.
  /\|(jsonrpc|reconnect)\|WARN\|unix#\d+: (send error|receive error|connection dropped)/,
  /\|rconn\|WARN\|\S+<->unix#\d+: connection dropped \((Broken pipe|Connection reset by peer)\)/,
  // vswitchd keeps the state of the last packet-ins of a bridge that is deleted; it does so for any `controller` action.
  /\|ofproto_dpif_rid\|ERR\|recirc_id \d+ left allocated when ofproto/,
  // Repetitions of earlier lines, each of which was checked.
  /\|WARN\|Dropped \d+ log messages in last/,
  // A daemon was stopped.
  /fatal_signal.*\|WARN\|terminating with signal/,
];

/** Starts a private OVS; resolves when it is ready for ovs-vsctl. */
export async function startOvs(options: OvsOptions = {}): Promise<Ovs> {
  const rundir = await mkdtemp(join(tmpdir(), 'ovs-'));
  const ovs = new Ovs(rundir, options);
  try {
    await ovs.start();
  } catch (error) {
    await ovs.abandon();
    throw error;
  }
  return ovs;
}

/** One private OVS. */
export class Ovs {
  /** The folder of all its files; OVS_RUNDIR of the programs that use it. */
  readonly rundir: string;
  /** The connection method of its database. */
  readonly dbEndpoint: string;
  readonly #options: OvsOptions;
  readonly #allowed: RegExp[];
  readonly #streams: FrameStreams;
  #holder: BackgroundProgram | undefined;
  #database: BackgroundProgram | undefined;
  /** Keeps the mount namespace of the database. */
  #disk: SmallDisk | undefined;
  /** Changes that `fillDatabase` has written. */
  #fillers = 0;
  #vswitchd: BackgroundProgram | undefined;

  constructor(rundir: string, options: OvsOptions) {
    this.rundir = rundir;
    this.dbEndpoint = `unix:${join(rundir, 'db.sock')}`;
    this.#options = options;
    this.#allowed = [...HARMLESS_WARNINGS, ...(options.allowedWarnings ?? [])];
    this.#streams = new FrameStreams();
  }

  /** The environment of OVS's programs and of the daemon with this OVS. */
  get environment(): Record<string, string> {
    const { rundir } = this;
    return { OVS_RUNDIR: rundir, OVS_LOGDIR: rundir, OVS_DBDIR: rundir, OVS_SYSCONFDIR: rundir };
  }

  /** Process ids, for tests that measure memory or processor time. */
  get vswitchdPid(): number {
    return running(this.#vswitchd, 'ovs-vswitchd').pid;
  }

  get ovsdbServerPid(): number {
    return running(this.#database, 'ovsdb-server').pid;
  }

  /** Called by `startOvs`. */
  async start(): Promise<void> {
    const schema = join(this.rundir, 'vswitch.ovsschema');
    await writeFile(schema, schemaText(this.#options.cacheColumns ?? true, this.#options.collectorSets));
    await this.#run('ovsdb-tool', ['create', join(this.rundir, 'conf.db'), schema]);
    if (this.#options.databaseBytes !== undefined) {
      this.#disk = await SmallDisk.mount(join(this.rundir, 'disk'), this.#options.databaseBytes);
      await this.#disk.copy(join(this.rundir, 'conf.db'));
    }
    if (this.#options.mode === 'netdev') {
      await this.#startNamespace();
    }
    await this.startOvsdbServer();
    await this.startVswitchd();
    // Tests delete bridges with stale meters of a killed daemon.
    if (this.otherBridgeCount > 0) {
      await this.addBridge('keeps-datapath');
    }
  }

  /** Number of bridges besides those of the test. */
  get otherBridgeCount(): number {
    return hasDifference('last-meter') ? 1 : 0;
  }

  /** Deletes all meters of a bridge, as another client does. */
  async deleteMeters(bridge: string, version = 'OpenFlow15'): Promise<void> {
    const command = hasDifference('del-meters') ? ['del-meter', bridge, 'meter=all'] : ['del-meters', bridge];
    await this.ofctl('-O', version, ...command);
  }

  async startOvsdbServer(): Promise<void> {
    const remotes = [`punix:${join(this.rundir, 'db.sock')}`, ...(this.#options.remotes ?? [])];
    this.#database = await this.#background('ovsdb-server', [
      join(this.#disk?.folder ?? this.rundir, 'conf.db'),
      ...remotes.map((remote) => `--remote=${remote}`),
      ...(this.#options.databaseArguments ?? []),
      ...this.#logArguments('ovsdb-server'),
    ]);
    await this.#answering('ovsdb-server', this.#database, async () => {
      await this.#run('ovsdb-client', ['--timeout=1', 'list-dbs', this.dbEndpoint]);
      return true;
    });
  }

  /** Leaves no room for the database: ovsdb-server refuses what it would have to write. */
  async fillDatabase(): Promise<void> {
    this.allowWarnings(/No space left on device/u);
    await existing(this.#disk).fill();
    // The rest of the last block of the file: by changes that become shorter as they are refused.
    for (let size = DISK_BLOCK_BYTES; size >= 1; ) {
      const filler = `${this.#fillers}`.padEnd(size, 'x');
      this.#fillers += 1;
      const row = { external_ids: ['map', [['filler', filler]]] };
      const [result] = (await this.transact({ op: 'update', table: 'Open_vSwitch', where: [], row })).slice(
        -1,
      );
      size = Object.hasOwn(result as object, 'error') ? Math.floor(size / 2) : size;
    }
  }

  /** Ends that. */
  async freeDatabase(): Promise<void> {
    await existing(this.#disk).free();
  }

  /** The port of the first of the further remotes that listens on any port. */
  async remotePort(): Promise<number> {
    const listening = /\|0:127\.0\.0\.1: listening on port (?<port>\d+)/u;
    const log = await waitFor(async () => listening.exec(await this.log('ovsdb-server')), {
      what: 'ovsdb-server listens',
    });
    return Number(log.groups?.['port']);
  }

  async startVswitchd(): Promise<void> {
    const mode =
      this.#options.mode === 'netdev'
        ? ['--enable-dummy']
        : ['--enable-dummy=override', '--disable-system', '--disable-system-route'];
    const args = [
      this.dbEndpoint,
      ...mode,
      ...this.#logArguments('ovs-vswitchd'),
      ...(this.#options.vswitchdArguments ?? []),
    ];
    this.#vswitchd = await this.#background('ovs-vswitchd', args);
    // ovs-vsctl waits for vswitchd only after a change, so something is changed and restored.
    await this.#answering('ovs-vswitchd', this.#vswitchd, async () => {
      await this.vsctl('--timeout=3', 'set', 'Open_vSwitch', '.', 'external_ids:started=true');
      await this.vsctl('--timeout=3', 'remove', 'Open_vSwitch', '.', 'external_ids', 'started');
      return true;
    });
  }

  /** Runs ovs-vsctl, which waits for vswitchd. */
  async vsctl(...args: readonly string[]): Promise<string> {
    return this.#run('ovs-vsctl', [`--db=${this.dbEndpoint}`, '--timeout=10', ...args]);
  }

  /** Runs ovs-ofctl; pass `-O` where the version matters. */
  async ofctl(...args: readonly string[]): Promise<string> {
    return this.#run('ovs-ofctl', ['--timeout=10', ...args]);
  }

  /** Runs ovs-appctl, for ovs-vswitchd unless the arguments begin with `-t TARGET`. */
  async appctl(...args: readonly string[]): Promise<string> {
    return this.#run('ovs-appctl', ['--timeout=10', ...args]);
  }

  /** Runs operations (RFC 7047, section 5.2) by ovsdb-client, for columns that ovs-vsctl does not support. */
  async transact(...operations: readonly object[]): Promise<unknown[]> {
    const request = JSON.stringify(['Open_vSwitch', ...operations]);
    const reply = await this.#run('ovsdb-client', ['--timeout=10', 'transact', this.dbEndpoint, request]);
    return JSON.parse(reply) as unknown[];
  }

  /** Runs a program in the environment of this OVS. */
  async run(program: string, ...args: readonly string[]): Promise<string> {
    return this.#run(program, args);
  }

  /** Adds a bridge; it forwards (NORMAL) unless `failMode` is set. */
  async addBridge(
    name: string,
    options: { readonly protocols?: readonly string[]; readonly failMode?: 'standalone' | 'secure' } = {},
  ): Promise<void> {
    const type = this.#options.mode === 'netdev' ? 'netdev' : 'dummy';
    const set = [`datapath_type=${type}`];
    if (options.protocols !== undefined) {
      set.push(`protocols=${options.protocols.join(',')}`);
    }
    if (options.failMode !== undefined) {
      set.push(`fail_mode=${options.failMode}`);
    }
    await this.vsctl('add-br', name, '--', 'set', 'Bridge', name, ...set);
  }

  /** Adds a port for `inject` and `injectMany`. Returns its OpenFlow number. */
  async addDummyPort(bridge: string, name: string, ofport?: number): Promise<number> {
    const set = ['type=dummy', `options:pstream=punix:${this.#streamPath(name)}`];
    if (ofport !== undefined) {
      set.push(`ofport_request=${ofport}`);
    }
    await this.vsctl('add-port', bridge, name, '--', 'set', 'Interface', name, ...set);
    return Number(await this.vsctl('get', 'Interface', name, 'ofport'));
  }

  /** Injects frames into a dummy port one by one, in order with other requests to vswitchd. */
  async inject(port: string, ...frames: readonly (string | Uint8Array)[]): Promise<void> {
    const hex = frames.map((frame) =>
      typeof frame === 'string' ? frame : Buffer.from(frame).toString('hex'),
    );
    await this.appctl('netdev-dummy/receive', port, ...hex);
  }

  /** Injects many frames into a dummy port, thousands a second; resolves when the switch has received them all. */
  async injectMany(
    bridge: string,
    port: string,
    frames: readonly Uint8Array[],
    timeoutMs = 30_000,
  ): Promise<void> {
    const before = await this.receivedPackets(bridge, port);
    await this.#streams.write(this.#streamPath(port), frames);
    await waitFor(async () => (await this.receivedPackets(bridge, port)) >= before + frames.length, {
      what: `${frames.length} frames have gone into ${port}`,
      timeoutMs,
    });
  }

  /** Writes frames to a dummy port and does not wait until the switch has received them. */
  async stream(port: string, frames: readonly Uint8Array[]): Promise<void> {
    await this.#streams.write(this.#streamPath(port), frames);
  }

  /** Returns the switch's current count of packets received on a port (the database's statistics lag by seconds). */
  async receivedPackets(bridge: string, port: string): Promise<number> {
    const text = await this.#run('ovs-ofctl', [
      '--timeout=10',
      '-O',
      ALL_VERSIONS,
      'dump-ports',
      bridge,
      port,
    ]);
    const count = /rx pkts=(\d+)/.exec(text)?.[1];
    if (count === undefined) {
      throw new Error(`No packet count of ${port} in: ${text}`);
    }
    return Number(count);
  }

  /** Runs a program in vswitchd's network namespace (mode `netdev`). */
  async inNamespace(...command: readonly string[]): Promise<string> {
    return this.#run('nsenter', [...this.#namespaceArguments(), ...command]);
  }

  /** Returns the command that runs `command` in vswitchd's network namespace (mode `netdev`); nsenter executes it. */
  namespaceCommand(...command: readonly string[]): readonly string[] {
    return ['nsenter', ...this.#namespaceArguments(), ...command];
  }

  /** Ends vswitchd by a signal, and waits for its end. */
  async killVswitchd(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#streams.close();
    await this.#vswitchd?.stop(signal);
    this.#vswitchd = undefined;
  }

  /** Restarts vswitchd, as by its monitor after a crash (SIGKILL), or as by `systemctl restart` (SIGTERM). */
  async restartVswitchd(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.killVswitchd(signal);
    await this.startVswitchd();
  }

  async killOvsdbServer(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    // vswitchd notices it, and says so.
    this.allowWarnings(/\|(jsonrpc|reconnect)\|WARN\|unix:[^ ]*db\.sock: (send error|connection dropped)/);
    await this.#database?.stop(signal);
    this.#database = undefined;
  }

  async restartOvsdbServer(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.killOvsdbServer(signal);
    await this.startOvsdbServer();
  }

  /** Announces warnings of later steps of the test. */
  allowWarnings(...patterns: readonly RegExp[]): void {
    this.#allowed.push(...patterns);
  }

  /** Returns the unannounced lines of level WARN and above in OVS's logs. */
  async warnings(): Promise<string[]> {
    const lines = (await this.log('ovsdb-server')) + (await this.log('ovs-vswitchd'));
    return lines
      .split('\n')
      .filter((line) => FAULT_LINE.test(line))
      .filter((line) => !this.#allowed.some((pattern) => pattern.test(line)));
  }

  /** Returns the log of one of the two daemons. */
  async log(daemon: 'ovsdb-server' | 'ovs-vswitchd'): Promise<string> {
    try {
      return await readFile(join(this.rundir, `${daemon}.log`), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        return '';
      }
      throw error;
    }
  }

  /** Ends everything and removes the folder; fails if OVS logged an unannounced warning. */
  async stop(): Promise<void> {
    await this.#end();
    const warnings = await this.warnings();
    await rm(this.rundir, { recursive: true, force: true });
    if (warnings.length > 0) {
      throw new Error(`OVS has warned:\n${warnings.join('\n')}`);
    }
  }

  /** Ends everything without checking the logs. */
  async abandon(): Promise<void> {
    await this.#end();
    await rm(this.rundir, { recursive: true, force: true });
  }

  async #end(): Promise<void> {
    this.#streams.close();
    await this.#vswitchd?.stop();
    await this.#database?.stop();
    await this.#holder?.stop();
    await this.#disk?.unmount();
  }

  async #startNamespace(): Promise<void> {
    // An idle process keeps the namespace while vswitchd is restarted.
    this.#holder = await BackgroundProgram.start('unshare', ['--net', 'sleep', 'infinity']);
    const { pid } = this.#holder;
    await waitFor(async () => (await readFile(`/proc/${pid}/comm`, 'utf8')).trim() === 'sleep', {
      what: 'the network namespace is there',
    });
    await this.inNamespace('ip', 'link', 'set', 'lo', 'up');
  }

  #namespaceArguments(): string[] {
    return [`--target=${running(this.#holder, 'the namespace (mode netdev)').pid}`, '--net', '--'];
  }

  async #background(program: string, args: readonly string[]): Promise<BackgroundProgram> {
    const { environment } = this;
    if (program === 'ovsdb-server' && this.#disk !== undefined) {
      return BackgroundProgram.start('nsenter', [...this.#disk.arguments, program, ...args], { environment });
    }
    if (program !== 'ovs-vswitchd' || this.#holder === undefined) {
      return BackgroundProgram.start(program, args, { environment });
    }
    return BackgroundProgram.start('nsenter', [...this.#namespaceArguments(), program, ...args], {
      environment,
    });
  }

  #logArguments(daemon: string): string[] {
    const log = `--log-file=${join(this.rundir, `${daemon}.log`)}`;
    return ['--pidfile', log, '-vconsole:off', '-vsyslog:off', '-vfile:info'];
  }

  async #answering(name: string, program: BackgroundProgram, ask: () => Promise<true>): Promise<void> {
    const state = await waitFor(
      // A daemon that has ended does not answer any more.
      async (): Promise<'ended' | true> => (program.exit === undefined ? ask() : 'ended'),
      { what: `${name} answers`, timeoutMs: 10_000 },
    );
    if (state === 'ended') {
      throw new Error(`${name} has ended: ${program.stderr}`);
    }
  }

  #streamPath(port: string): string {
    return join(this.rundir, `${port}.stream`);
  }

  async #run(program: string, args: readonly string[]): Promise<string> {
    return runProgram(program, args, { environment: this.environment });
  }
}

function existing(disk: SmallDisk | undefined): SmallDisk {
  if (disk === undefined) {
    throw new Error('The database has no file system of its own: see databaseBytes.');
  }
  return disk;
}

function running(program: BackgroundProgram | undefined, name: string): BackgroundProgram {
  if (program === undefined) {
    throw new Error(`${name} is not running.`);
  }
  return program;
}
