// A private OVN beside a test's Open vSwitch: northbound and southbound database, ovn-northd and one ovn-controller, in the
// same folder. Two logical switches, sw0 and sw1, joined by the router lr0; each has one host, and an ACL that allows UDP
// and samples new and established connections to collector set 100:
//
//     a 10.0.0.10 --- sw0 --- lr0 --- sw1 --- b 10.0.1.11
//          from-lport: 4301 new,           to-lport: 4401 new,
//                      4302 established              4402 established

import { join } from 'node:path';
import type { Ovs } from '../support/ovs.ts';
import { BackgroundProgram, runProgram } from '../support/process.ts';
import { programPath } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

/** The collector set of all samples. */
export const COLLECTOR_SET = 100;
/** Sampling_App ids; an observation domain id is one of them in its highest byte and the logical datapath's key below. */
export const APP_NEW = 42;
export const APP_ESTABLISHED = 43;
/** `metadata` of the Sample rows: the observation point ids. */
export const POINTS = {
  sw0: { new: 4301, established: 4302 },
  sw1: { new: 4401, established: 4402 },
} as const;

/** The two hosts; `gateway` is the router's MAC address on the host's switch. */
export const HOSTS = {
  a: { mac: '02:00:00:00:00:0a', ip: '10.0.0.10', gateway: '02:00:00:00:ff:01' },
  b: { mac: '02:00:00:00:00:0b', ip: '10.0.1.11', gateway: '02:00:00:00:ff:02' },
} as const;

const SYNC_TIMEOUT_MS = 20_000;

/** A running OVN network; see the head of the file. */
export class OvnNetwork {
  readonly #ovs: Ovs;
  #databases: BackgroundProgram | undefined;
  #northd: BackgroundProgram | undefined;
  #controller: BackgroundProgram | undefined;

  private constructor(ovs: Ovs) {
    this.#ovs = ovs;
  }

  /** Starts OVN and makes the network; waits until br-int has its flows. */
  static async start(ovs: Ovs): Promise<OvnNetwork> {
    const network = new OvnNetwork(ovs);
    try {
      await network.#startDatabases();
      await network.#configureOvs();
      await network.startController();
      await network.#makeSwitches();
      await network.#makeSamples();
    } catch (error) {
      await network.stop();
      throw error;
    }
    return network;
  }

  /** Runs ovn-nbctl. */
  async nbctl(...args: readonly string[]): Promise<string> {
    return this.#run('ovn-nbctl', `--db=${this.#socket('ovnnb_db')}`, '--timeout=15', ...args);
  }

  /** Waits until ovn-controller has applied the northbound database. */
  async sync(): Promise<void> {
    await this.nbctl('--wait=hv', 'sync');
  }

  /** Runs a command of ovn-controller by ovn-appctl. */
  async controllerCommand(...command: readonly string[]): Promise<string> {
    return this.#run('ovn-appctl', '-t', join(this.#ovs.rundir, 'controller.ctl'), ...command);
  }

  async startController(): Promise<void> {
    this.#controller = await this.#start('ovn-controller', this.#ovs.dbEndpoint, '--unixctl=controller.ctl');
    await waitFor(async () => /^connected\s*$/u.test(await this.controllerCommand('connection-status')), {
      what: 'ovn-controller is connected',
      timeoutMs: SYNC_TIMEOUT_MS,
    });
  }

  /** Ends ovn-controller by a signal, which leaves its flows, and starts it again. */
  async restartController(signal: NodeJS.Signals): Promise<void> {
    await this.#controller?.stop(signal);
    await this.startController();
    await this.sync();
  }

  /** Returns the flows of br-int without counters and ages, sorted. */
  async flows(): Promise<readonly string[]> {
    const text = await this.#ovs.ofctl('-O', 'OpenFlow15', '--no-stats', 'dump-flows', 'br-int');
    return text.split('\n').sort();
  }

  async stop(): Promise<void> {
    await this.#controller?.stop();
    await this.#northd?.stop();
    await this.#databases?.stop();
  }

  async #startDatabases(): Promise<void> {
    const { rundir } = this.#ovs;
    const files = ['ovnnb_db', 'ovnsb_db'].map((name) => join(rundir, `${name}.file`));
    for (const [index, file] of files.entries()) {
      await this.#run('ovsdb-tool', 'create', file, schemaFile(index === 0 ? 'ovn-nb' : 'ovn-sb'));
    }
    const remotes = ['ovnnb_db', 'ovnsb_db'].map((name) => `--remote=p${this.#socket(name)}`);
    this.#databases = await this.#start('ovsdb-server', ...files, ...remotes, '--unixctl=ovn-databases.ctl');
    await waitFor(async () => (await this.nbctl('init')) === '', { what: 'the northbound database answers' });
    this.#northd = await this.#start(
      'ovn-northd',
      `--ovnnb-db=${this.#socket('ovnnb_db')}`,
      `--ovnsb-db=${this.#socket('ovnsb_db')}`,
      '--unixctl=northd.ctl',
    );
  }

  async #configureOvs(): Promise<void> {
    const ids = {
      'system-id': 'chassis',
      'ovn-remote': this.#socket('ovnsb_db'),
      'ovn-encap-type': 'geneve',
      'ovn-encap-ip': '127.0.0.1',
      'ovn-bridge-datapath-type': 'dummy',
    };
    const columns = Object.entries(ids).map(([key, value]) => `external_ids:${key}="${value}"`);
    await this.#ovs.vsctl('set', 'Open_vSwitch', '.', ...columns);
  }

  async #makeSwitches(): Promise<void> {
    await this.nbctl('ls-add', 'sw0', '--', 'ls-add', 'sw1', '--', 'lr-add', 'lr0');
    for (const [index, [host, { mac, ip, gateway }]] of Object.entries(HOSTS).entries()) {
      const name = `sw${index}`;
      await this.#nbctlAll([
        ['lrp-add', 'lr0', `lr0-${name}`, gateway, `10.0.${index}.1/24`],
        ['lsp-add', name, `${name}-lr0`],
        ['lsp-set-type', `${name}-lr0`, 'router'],
        ['lsp-set-addresses', `${name}-lr0`, 'router'],
        ['lsp-set-options', `${name}-lr0`, `router-port=lr0-${name}`],
        ['lsp-add', name, host],
        ['lsp-set-addresses', host, `${mac} ${ip}`],
      ]);
    }
    await waitFor(async () => (await this.#ovs.vsctl('list-br')).includes('br-int'), {
      what: 'br-int is there',
    });
    for (const host of Object.keys(HOSTS)) {
      await this.#ovs.addDummyPort('br-int', host);
      await this.#ovs.vsctl('set', 'Interface', host, `external_ids:iface-id=${host}`);
    }
    await this.sync();
  }

  async #makeSamples(): Promise<void> {
    const columns = ['id=1', 'name=c', 'probability=65535', `set_id=${COLLECTOR_SET}`];
    const collector = (await this.nbctl('create', 'Sample_Collector', ...columns)).trim();
    await this.#nbctlAll([
      ['create', 'Sampling_App', 'type=acl-new', `id=${APP_NEW}`],
      ['create', 'Sampling_App', 'type=acl-est', `id=${APP_ESTABLISHED}`],
    ]);
    for (const [name, direction] of Object.entries({ sw0: 'from-lport', sw1: 'to-lport' } as const)) {
      const points = POINTS[name as keyof typeof POINTS];
      const sample = ['create', 'Sample', `collectors=${collector}`];
      const acl = ['priority=100', `direction=${direction}`, 'match=udp', 'action=allow-related'];
      await this.#nbctlAll([
        ['--id=@new', ...sample, `metadata=${points.new}`],
        ['--id=@established', ...sample, `metadata=${points.established}`],
        ['--id=@acl', 'create', 'ACL', ...acl, 'sample_new=@new', 'sample_est=@established'],
        ['add', 'Logical_Switch', name, 'acls', '@acl'],
      ]);
    }
    await this.sync();
  }

  /** Runs several commands in one transaction. */
  async #nbctlAll(commands: readonly (readonly string[])[]): Promise<void> {
    await this.nbctl(...commands.flatMap((command) => ['--', ...command]));
  }

  #socket(name: string): string {
    return `unix:${join(this.#ovs.rundir, `${name}.sock`)}`;
  }

  get #environment(): Record<string, string> {
    const { rundir } = this.#ovs;
    const folders = ['RUNDIR', 'LOGDIR', 'DBDIR', 'SYSCONFDIR'].map(
      (name) => [`OVN_${name}`, rundir] as const,
    );
    return { ...this.#ovs.environment, ...Object.fromEntries(folders) };
  }

  async #start(program: string, ...args: readonly string[]): Promise<BackgroundProgram> {
    const log = `--log-file=${join(this.#ovs.rundir, `${program}-of-ovn.log`)}`;
    const quiet = ['-vconsole:off', '-vsyslog:off'];
    const absolute = args.map((arg) => arg.replace(/^--unixctl=/u, `--unixctl=${this.#ovs.rundir}/`));
    return BackgroundProgram.start(program, [...absolute, log, ...quiet], { environment: this.#environment });
  }

  async #run(program: string, ...args: readonly string[]): Promise<string> {
    return runProgram(program, args, { environment: this.#environment, timeoutMs: SYNC_TIMEOUT_MS });
  }
}

/** Returns the path of a schema of OVN: in share/ovn beside the program's bin, or in the unpacked suite. */
function schemaFile(name: string): string {
  const folder =
    process.env['OVN_PKGDATADIR'] ?? join(programPath('ovn-northd') ?? '', '..', '..', 'share', 'ovn');
  return join(folder, `${name}.ovsschema`);
}
