// The steps of the demo: a private switch with a bridge and an IPFIX row, the daemon, traffic, flow records, and the comparison of
// records and switch counters. Ends everything that it started, also after a failure.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../runtime/clock.ts';
import { askUnixctl } from '../../unixctl/client.ts';
import { UnixctlError } from '../../unixctl/errors.ts';
import { type Accounts, accountsTable, disagreements } from './comparison.ts';
import { freeUdpPort, type HeldPort, holdTcpPort } from './free-port.ts';
import { InjectedTraffic } from './injected-traffic.ts';
import { totalOf } from './kinds.ts';
import { NamespaceTraffic } from './namespace-traffic.ts';
import { Nfdump } from './nfdump.ts';
import { PrivateOvs } from './private-ovs.ts';
import { BackgroundProgram, type CommandLine, ProgramError } from './programs.ts';
import { Records } from './records.ts';
import { selfCommand } from './self.ts';
import { SwitchCounts } from './switch-counts.ts';
import { commandText, paragraph, type Write } from './text.ts';
import { differences, lookForTraces, type Traces } from './traces.ts';
import { BRIDGE, type Traffic, type TrafficParts } from './traffic.ts';
import { VMS } from './vms.ts';
import { becomes, pause } from './wait.ts';

/** Options of `Scenario`. */
export interface ScenarioOptions {
  /** Whether to end after the first round, without the page. */
  readonly isOnce: boolean;
  /** The collector whose output is shown: of the demo, or nfcapd with nfdump. */
  readonly collector: 'own' | 'nfdump';
  /** Writes text. */
  readonly write: Write;
  /** Aborted when the user ends the demo. */
  readonly signal: AbortSignal;
}

/** How long to wait for equal counts, and what to print. */
interface AccountOptions {
  readonly timeoutMs: number;
  /** Ends without a fault when aborted. */
  readonly signal?: AbortSignal;
}

const ACTIVE_TIMEOUT_SECONDS = 3;
const FLOWS_MAX = 1000;
const OBSERVATION_DOMAIN_ID = 123;
const OBSERVATION_POINT_ID = 456;
const READY_TIMEOUT_MS = 10_000;
/** Milliseconds after the end of traffic until all records arrive: the active timeout, and time for a busy machine. */
const RECORDS_TIMEOUT_MS = ACTIVE_TIMEOUT_SECONDS * 1000 + 5000;
const FLUSH_TIMEOUT_MS = 2000;
/** Port of the page if it is free, as in the manual. */
const PAGE_PORT = 9550;
const SECOND_MS = 1000;
/** Milliseconds between two polls of the switch's counters, each of which runs two programs. */
const LOOK_INTERVAL_MS = 250;

/** See the head of the file. */
export class Scenario {
  readonly #options: ScenarioOptions;
  readonly #records: Records;
  #nfdump: Nfdump | undefined;
  /** The page's address, and its port until the daemon takes it; undefined when there is no page. */
  #page: string | undefined;
  #pagePort: HeldPort | undefined;
  /** What was started, in order; ended in reverse order. */
  readonly #started: (() => Promise<unknown>)[] = [];

  constructor(options: ScenarioOptions) {
    this.#options = options;
    this.#records = new Records((text) => options.write(text), options.collector === 'own');
  }

  /** Runs the steps; returns a sentence about a failure, or undefined. */
  async run(): Promise<string | undefined> {
    try {
      return await this.#play();
    } finally {
      await this.#endAll();
    }
  }

  async #play(): Promise<string | undefined> {
    if (this.#options.collector === 'nfdump') {
      Nfdump.assertInstalled();
    }
    const ovs = await PrivateOvs.prepare();
    if (!this.#options.isOnce) {
      const held = await holdTcpPort(PAGE_PORT);
      this.#started.push(() => held.release());
      this.#pagePort = held;
      this.#page = `127.0.0.1:${held.port}`;
      this.#say('The live page, as soon as the daemon runs and until Ctrl-C:');
      this.#options.write(`\n    http://${this.#page}/\n`);
    }
    this.#started.push(() => ovs.stop());
    const traffic = await this.#chooseTraffic();
    const counts = await this.#startSwitch(ovs, traffic);
    const before = await lookForTraces(ovs);
    const daemon = await this.#startDaemon(ovs);
    const parts = { ovs, write: this.#options.write };
    const look = async (): Promise<Accounts | undefined> => {
      ovs.assertRunning();
      daemon.assertRunning();
      const counted = await counts.settled();
      return counted && { sent: traffic.sent(), counted, exported: this.#records.counts };
    };

    this.#say('Sending traffic through the bridge.');
    await traffic.begin(parts);
    if (!this.#options.signal.aborted) {
      await traffic.round(parts);
      const options = { timeoutMs: RECORDS_TIMEOUT_MS, signal: this.#options.signal };
      const fault = await this.#account(look, options);
      if (fault !== undefined) {
        return `${fault}\n${await this.#daemonStatus(ovs, daemon)}`;
      }
    }
    await this.#keepTalking(parts, traffic, daemon);

    this.#say('A few more packets, and then SIGTERM for the daemon: it sends the flows in its cache.');
    await traffic.finish(parts);
    let last: Accounts | undefined;
    await becomes(async () => (last = await look()) !== undefined, { timeoutMs: RECORDS_TIMEOUT_MS });
    await daemon.stop();
    if (daemon.exitCode !== 0) {
      return `The daemon ${daemon.end}: ${daemon.said}`;
    }
    const fault = await this.#account(() => Promise.resolve(last), { timeoutMs: FLUSH_TIMEOUT_MS });
    return fault ?? (await this.#nfdumpFault()) ?? (await this.#traceFault(ovs, before));
  }

  /** Keeps the VMs talking until the user ends the demo. */
  async #keepTalking(parts: TrafficParts, traffic: Traffic, daemon: BackgroundProgram): Promise<void> {
    const { isOnce, signal, write } = this.#options;
    if (isOnce || signal.aborted) {
      return;
    }
    this.#say(
      `${VMS.map(({ name }) => name).join(', ')} keep talking at changing rates until Ctrl-C. The page shows them: http://${this.#page}/`,
    );
    for (let seconds = 0; !signal.aborted; seconds += 1) {
      parts.ovs.assertRunning();
      daemon.assertRunning();
      this.#nfdump?.assertRunning();
      await traffic.go(parts, seconds);
      await this.#nfdump?.show(write);
      await pause(SECOND_MS, signal);
    }
  }

  /** Shows the rest of what nfdump has; returns a sentence when it is not what the records have. */
  async #nfdumpFault(): Promise<string | undefined> {
    const nfdump = this.#nfdump;
    if (nfdump === undefined) {
      return undefined;
    }
    await nfdump.stop();
    await nfdump.show(this.#options.write);
    const [shown, exported] = [await nfdump.packets(), totalOf(this.#records.counts).packets];
    if (shown !== exported) {
      return `nfdump shows ${shown} packets, and the records have ${exported}.`;
    }
    this.#say(`nfdump shows all ${shown} packets.`);
    return undefined;
  }

  async #chooseTraffic(): Promise<Traffic> {
    const traffic = await NamespaceTraffic.create().catch((error: unknown) => {
      if (!(error instanceof ProgramError)) {
        throw error;
      }
      this.#say(`No network namespaces here (${error.message}): frames are injected into the switch.`);
      return new InjectedTraffic();
    });
    this.#started.push(() => traffic.stop());
    return traffic;
  }

  /** Starts a switch with a bridge, a port for each VM, flows that count, and the IPFIX row. */
  async #startSwitch(ovs: PrivateOvs, traffic: Traffic): Promise<SwitchCounts> {
    this.#say(`Starting a private Open vSwitch in ${ovs.folder}. Its programs find it with:`);
    this.#options.write(commandText(['export', `OVS_RUNDIR=${ovs.folder}`]));
    await ovs.start(traffic.switchOptions);

    this.#say(
      'A bridge with a port for each of four VMs, and a flow for each kind of traffic, so that the switch counts it:',
    );
    const { datapath } = traffic.switchOptions;
    const bridge = ['add-br', BRIDGE, '--', 'set', 'Bridge', BRIDGE, `datapath_type=${datapath}`];
    await this.#typed(ovs, ['ovs-vsctl', ...bridge, ...traffic.portArguments]);
    const counts = new SwitchCounts(ovs, BRIDGE);
    this.#options.write(commandText(await counts.install()));

    this.#started.push(() => this.#records.close());
    const ports = [await this.#records.listen()];
    if (this.#options.collector === 'nfdump') {
      ports.push(await this.#startNfcapd(ovs));
    }
    this.#say(
      `A collector listens on 127.0.0.1:${ports[0]}. The row configures the export, as for ovs-vswitchd's own exporter; here each packet is sampled (sampling=1), and flows are sent after ${ACTIVE_TIMEOUT_SECONDS} s:`,
    );
    await this.#typed(ovs, ['ovs-vsctl', ...rowArguments(ports)]);
    return counts;
  }

  /** Starts nfcapd, and returns its port. */
  async #startNfcapd(ovs: PrivateOvs): Promise<number> {
    const folder = join(ovs.folder, 'nfcapd');
    await mkdir(folder);
    this.#say('nfcapd receives the records, too, and nfdump shows its files:');
    const nfdump = await Nfdump.start(folder, await freeUdpPort(), this.#options.write);
    this.#started.push(() => nfdump.stop());
    this.#nfdump = nfdump;
    return nfdump.port;
  }

  async #startDaemon(ovs: PrivateOvs): Promise<BackgroundProgram> {
    this.#say('The daemon; it adopts the row, and is "ready" when packets are sampled:');
    const web = this.#page === undefined ? [] : ['--web', this.#page];
    this.#options.write(commandText(['ovs-ipfix', 'run', ...web]));
    const command = selfCommand('run', '--db', ovs.database, ...web);
    await this.#pagePort?.release();
    const daemon = await BackgroundProgram.start(command, ovs.variables);
    this.#started.push(() => daemon.stop());
    let refusal = '';
    const isReady = async (): Promise<boolean> => {
      daemon.assertRunning();
      try {
        await ask(ovs, daemon, 'ready');
        return true;
      } catch (error) {
        if (!(error instanceof UnixctlError)) {
          throw error;
        }
        refusal = error.message;
        return false;
      }
    };
    const { signal } = this.#options;
    if (!(await becomes(isReady, { timeoutMs: READY_TIMEOUT_MS, signal }))) {
      if (signal.aborted) {
        throw new ProgramError('The demo was ended before the daemon was ready.');
      }
      throw new ProgramError(`The daemon did not become ready: ${refusal}\n${daemon.said}`);
    }
    this.#options.write(commandText(['ovs-appctl', '-t', controlPath(ovs, daemon), 'ready']));
    this.#options.write('ready\n');
    return daemon;
  }

  /** Waits until the counts agree and prints them; returns a sentence when they do not in time. */
  async #account(
    look: () => Promise<Accounts | undefined>,
    { timeoutMs, signal }: AccountOptions,
  ): Promise<string | undefined> {
    let last: Accounts | undefined;
    const agree = async (): Promise<boolean> => {
      last = (await look()) ?? last;
      return last !== undefined && disagreements(last).length === 0;
    };
    const isAgreed = await becomes(agree, { timeoutMs, signal, intervalMs: LOOK_INTERVAL_MS });
    if (!isAgreed && signal?.aborted) {
      return undefined;
    }
    if (last === undefined) {
      return "The counters of the switch's flows and ports do not come to agree.";
    }
    this.#options.write(`\n${accountsTable(last)}`);
    if (!isAgreed) {
      return disagreements(last).join('\n');
    }
    if (this.#records.problemCount > 0) {
      return 'The records are right, but their messages had the problems above.';
    }
    this.#say(
      `All ${this.#records.recordCount} records agree with the switch: packets and octets of each kind.`,
    );
    return undefined;
  }

  async #traceFault(ovs: PrivateOvs, before: Traces): Promise<string | undefined> {
    const left = differences(before, await lookForTraces(ovs));
    if (left.length > 0) {
      return left.join('\n');
    }
    this.#say(
      "The daemon has ended, and row, flows and meters are as they were before: ovs-vswitchd's again.",
    );
    return undefined;
  }

  /** Prints a command of OVS as a user would type it, and runs it. */
  async #typed(ovs: PrivateOvs, command: CommandLine): Promise<void> {
    this.#options.write(commandText(command));
    await ovs.run([command[0], '--timeout=10', ...command.slice(1)]);
  }

  async #daemonStatus(ovs: PrivateOvs, daemon: BackgroundProgram): Promise<string> {
    const status = await ask(ovs, daemon, 'status').catch((error: unknown) => String(error));
    return `The daemon's status:\n${status}`;
  }

  /** Ends everything in reverse order; a failure does not prevent the rest. */
  async #endAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const end of this.#started.reverse()) {
      await end().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) {
      throw new AggregateError(failures, `Not everything could be ended: ${failures.join(' ')}`);
    }
  }

  #say(sentence: string): void {
    this.#records.endTable();
    this.#options.write(`\n${paragraph(sentence)}`);
  }
}

/** Returns the command of the manual page with the demo's values. */
function rowArguments(ports: readonly number[]): string[] {
  const targets = ports.map((port) => `"127.0.0.1:${port}"`).join(',');
  const row = [
    `-- set Bridge ${BRIDGE} ipfix=@i -- --id=@i create IPFIX targets=${targets}`,
    `obs_domain_id=${OBSERVATION_DOMAIN_ID} obs_point_id=${OBSERVATION_POINT_ID} sampling=1`,
    `cache_active_timeout=${ACTIVE_TIMEOUT_SECONDS} cache_max_flows=${FLOWS_MAX}`,
  ];
  return row.join(' ').split(' ');
}

function controlPath(ovs: PrivateOvs, daemon: BackgroundProgram): string {
  return join(ovs.folder, `ovs-ipfix.${daemon.pid}.ctl`);
}

async function ask(ovs: PrivateOvs, daemon: BackgroundProgram, command: string): Promise<string> {
  return askUnixctl(controlPath(ovs, daemon), command, [], { clock: systemClock });
}
