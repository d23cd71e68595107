// Two hosts on a bridge with a userspace datapath exchange numbered UDP packets and pings continuously during runs: in a run
// with a daemon it is started, stopped, started, killed and released; a control run is as many packets without a daemon.
// Afterwards each lost number is assigned to the run in which it was sent.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Daemon, startDaemon } from './daemon.ts';
import { createCollectorSet, createIpfixRow } from './ipfix-rows.ts';
import { NamespaceHost } from './namespace-host.ts';
import type { ReceivedNumbers } from './numbered-receiver.ts';
import { type Ovs, startOvs } from './ovs.ts';
import type { BackgroundProgram } from './process.ts';
import { DAEMON_FILE } from './tiers.ts';
import { HOSTS } from './two-hosts.ts';
import { UdpSink } from './udp-sink.ts';
import { waitFor } from './wait.ts';

/** UDP packets a second. */
export const PACKET_RATE = 2000;
/** Seconds between two pings. */
const PING_INTERVAL = '0.005';
const PORT = 4000;
/** Packets between two steps of a run. */
const PASS_PACKETS = PACKET_RATE / 5;
/** Number of further flows that the daemon rewrites at each start and end. */
const OTHER_FLOWS = 200;
/** Number of the daemon's actions: the hook, companions in the flows of UDP and ICMP, and those of the further flows. */
const DAEMON_ACTIONS = 3 + OTHER_FLOWS;
const READY_TIMEOUT_MS = 20_000;
/** A run's last ping may be unanswered when ping is ended. */
const PINGS_ON_THE_WAY = 1;
const RECEIVER = '10.9.0.2';

export type RunKind = 'daemon' | 'control';

/** What a run sent and lost. */
export interface RunLoss {
  readonly kind: RunKind;
  readonly packets: number;
  readonly lostPackets: number;
  readonly pings: number;
  readonly lostPings: number;
}

interface Run {
  readonly kind: RunKind;
  /** Numbers of the packets: the first, and the one after the last. */
  readonly from: number;
  readonly to: number;
  readonly pings: number;
  readonly lostPings: number;
}

/** The hosts and their traffic; see the head of the file. */
export class ForwardingLab {
  readonly ovs: Ovs;
  readonly #sink: UdpSink;
  readonly #hosts: NamespaceHost[] = [];
  readonly #runs: Run[] = [];
  #sender: BackgroundProgram | undefined;
  #receiver: BackgroundProgram | undefined;
  #daemon: Daemon | undefined;

  private constructor(ovs: Ovs, sink: UdpSink) {
    this.ovs = ovs;
    this.#sink = sink;
  }

  /** Starts the hosts and their traffic; call `stop` also after a failed run. */
  static async start(): Promise<ForwardingLab> {
    const ovs = await startOvs({
      mode: 'netdev',
      // vswitchd exports while there is no daemon, without a collector in its namespace; and daemons are killed.
      allowedWarnings: [
        /collectors.*Connection refused/u,
        /rconn.*connection (dropped|reset)/u,
        /vconn_stream.*Broken pipe/u,
      ],
    });
    const lab = new ForwardingLab(ovs, await UdpSink.open());
    try {
      await lab.#prepare();
    } catch (error) {
      await lab.stop();
      throw error;
    }
    return lab;
  }

  /** Runs steps of a test as a run. */
  async run(kind: RunKind, act: () => Promise<void>): Promise<void> {
    const ping = await this.#hosts[0]?.start('ping', '-n', '-i', PING_INTERVAL, RECEIVER);
    if (ping === undefined) {
      throw new Error('There is no host to ping from.');
    }
    const from = Number(await ask(running(this.#sender)));
    await act();
    const to = Number(await ask(running(this.#sender)));
    await ping.stop('SIGINT');
    const [, sent] = /(\d+) packets transmitted/u.exec(ping.stdout) ?? [];
    const pings = Number(sent) - PINGS_ON_THE_WAY;
    const replies = new Set(
      [...ping.stdout.matchAll(/icmp_seq=(\d+) ttl=/gu)].map(([, number]) => Number(number)),
    );
    const lostPings = Array.from({ length: pings }, (_, index) => index + 1).filter(
      (number) => !replies.has(number),
    );
    this.#runs.push({ kind, from, to, pings, lostPings: lostPings.length });
  }

  /** Runs a daemon that is started, stopped, started, killed, and released as by the unit's ExecStopPost. */
  async runDaemon(): Promise<void> {
    await this.run('daemon', async () => {
      await (await this.#startDaemon()).stop();
      await this.#expectActions(0);
      await this.pass(PASS_PACKETS);
      await (await this.#startDaemon()).kill();
      await this.pass(PASS_PACKETS);
      await this.ovs.run(process.execPath, DAEMON_FILE, 'release', this.ovs.dbEndpoint);
      await this.#expectActions(0);
      await this.pass(PASS_PACKETS);
    });
  }

  /** Runs as many packets as the last run with a daemon, without one. */
  async runControl(): Promise<void> {
    const model = this.#runs.findLast(({ kind }) => kind === 'daemon');
    if (model === undefined) {
      throw new Error('There was no run with a daemon whose length a control run could have.');
    }
    await this.run('control', () => this.pass(model.to - model.from));
  }

  /** Returns what each run sent and lost. */
  async losses(): Promise<readonly RunLoss[]> {
    const receiver = running(this.#receiver);
    const end = this.#runs.at(-1)?.to ?? 0;
    await waitFor(async () => (await this.#received()) >= end, {
      what: "the runs' last packets have arrived",
    });
    const report = JSON.parse(await ask(receiver, 'SIGHUP')) as ReceivedNumbers;
    if (report.repeated > 0) {
      throw new Error(`${report.repeated} packets have arrived twice.`);
    }
    return this.#runs.map(({ kind, from, to, pings, lostPings }) => ({
      kind,
      packets: to - from,
      lostPackets: report.missing.reduce((sum, range) => sum + overlap(range, from, to), 0),
      pings,
      lostPings,
    }));
  }

  /** Ends everything; fails if OVS logged a warning that no run explains. */
  async stop(): Promise<void> {
    await this.#daemon?.kill();
    await this.#sender?.stop();
    await this.#receiver?.stop();
    for (const host of this.#hosts.toReversed()) {
      await host.stop();
    }
    await this.#sink.close();
    await this.ovs.stop();
  }

  async #prepare(): Promise<void> {
    const ovs = this.ovs;
    await ovs.addBridge('br0');
    for (const options of HOSTS) {
      const host = await NamespaceHost.create(ovs, 'br0', options);
      this.#hosts.push(host);
      await host.bringUp();
    }
    const target = `127.0.0.1:${this.#sink.port}`;
    await createIpfixRow(ovs, 'br0', [target], {
      sampling: 64,
      cache_active_timeout: 60,
      cache_max_flows: 1000,
    });
    await createCollectorSet(ovs, 'br0', 1, target);
    const sample = 'sample(probability=1024,collector_set_id=1,obs_domain_id=7,obs_point_id=9)';
    const others = Array.from(
      { length: OTHER_FLOWS },
      (_, index) => `priority=9,udp,tp_dst=${10_000 + index}`,
    );
    const matches = ['priority=5,udp', 'priority=5,icmp', ...others];
    const file = join(ovs.rundir, 'flows');
    await writeFile(file, matches.map((match) => `${match},actions=${sample},NORMAL\n`).join(''));
    await ovs.ofctl('-O', 'OpenFlow13', 'add-flows', 'br0', file);
    const [first, second] = this.#hosts;
    await first?.run('ping', '-n', '-c', '1', '-w', '5', RECEIVER);
    this.#receiver = await second?.start(...program('numbered-receiver.ts'), String(PORT));
    await waitFor(() => running(this.#receiver).stdout.includes('listening'), {
      what: 'the receiver listens',
    });
    this.#sender = await first?.start(
      ...program('numbered-sender.ts'),
      RECEIVER,
      String(PORT),
      String(PACKET_RATE),
    );
    await waitFor(async () => (await this.#received()) > PACKET_RATE / 10, { what: 'packets arrive' });
  }

  /** Waits until that many more packets have arrived, or were lost before one that arrived. */
  async pass(count: number): Promise<void> {
    const end = (await this.#received()) + count;
    const timeoutMs = (count / PACKET_RATE) * 1000 + 10_000;
    await waitFor(async () => (await this.#received()) >= end, { what: `${count} packets pass`, timeoutMs });
  }

  /** Starts the daemon; waits until hook and companions are installed and some packets have passed them. */
  async #startDaemon(): Promise<Daemon> {
    const daemon = await startDaemon(this.ovs, { readyTimeoutMs: READY_TIMEOUT_MS });
    this.#daemon = daemon;
    await this.#expectActions(DAEMON_ACTIONS);
    await this.pass(PASS_PACKETS);
    return daemon;
  }

  /** Fails unless the bridge has that many actions of the daemon: one that does nothing loses nothing. */
  async #expectActions(count: number): Promise<void> {
    const flows = await this.ovs.ofctl('-O', 'OpenFlow13', 'dump-flows', 'br0');
    assert.equal(flows.split('id=18768').length - 1, count, 'actions of the daemon in the bridge');
  }

  /** Returns the number after the highest that has arrived. */
  async #received(): Promise<number> {
    return Number(await ask(running(this.#receiver)));
  }
}

/** Sends a program a signal and returns the line that it prints. */
async function ask(program: BackgroundProgram, signal: NodeJS.Signals = 'SIGUSR2'): Promise<string> {
  const before = program.stdout.length;
  program.signal(signal);
  await waitFor(() => program.stdout.length > before && program.stdout.endsWith('\n'), {
    what: `${program.name} answers`,
    intervalMs: 2,
  });
  return program.stdout.slice(before);
}

function running(program: BackgroundProgram | undefined): BackgroundProgram {
  if (program === undefined || program.exit !== undefined) {
    throw new Error(`A program of the lab does not run: ${program?.stderr ?? 'it was not started'}`);
  }
  return program;
}

function program(file: string): string[] {
  return [process.execPath, '--import', 'tsx', fileURLToPath(new URL(file, import.meta.url))];
}

/** Returns how many numbers of an inclusive range are in [from, to). */
function overlap([first, last]: readonly [number, number], from: number, to: number): number {
  return Math.max(0, Math.min(last + 1, to) - Math.max(first, from));
}
