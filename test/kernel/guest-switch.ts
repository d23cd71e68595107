// Debian's Open vSwitch with the kernel datapath of a guest, hosts on the ports of bridge br0, and the daemon. Hosts are network
// namespaces without IPv6, so that they send only what a test sends.
//
//     const ovs = await GuestSwitch.boot();
//     await ovs.addHost({ name: 'a', address: '10.0.0.1/24' });
//     await ovs.startDaemon();
//     await ovs.on('a', 'ping -c 10 10.0.0.2');

import type { StatusDocument } from '../../src/report/status-document.ts';
import { waitFor } from '../support/wait.ts';
import { Guest, type GuestOptions } from './guest.ts';

/** Time limit in milliseconds: the guest is ten times slower than the host, and much slower on a busy host. */
export const GUEST_TIMEOUT_MS = 180_000;
/** Duration of `node -e 0` in a guest that is too slow for the daemon's deadlines; about 1 s on an idle host. */
const BUSY_SECONDS = 3;
const CONTROL_SOCKET = '/run/openvswitch/ovs-ipfix.ctl';
/** The second after the guest's boot from which ovs-vswitchd 3.1.0 counts processors: see `#start`. */
const COUNTED_SECOND = 11;
const SWITCH_LOG = '/var/log/openvswitch/ovs-vswitchd.log';
const OVS_CTL = '/usr/share/openvswitch/scripts/ovs-ctl --no-monitor --no-record-hostname --system-id=random';

/** A source of frames in br0: the port, and the MAC address of its only host. */
export interface Source {
  readonly port: string;
  readonly mac: string;
}

/** The guest itself, behind the port LOCAL of br0. */
export const LOCAL: Source = { port: 'LOCAL', mac: '02:00:00:00:00:01' };

/** A host on a port of br0. */
export interface GuestHost {
  /** The network namespace, a letter. */
  readonly name: string;
  /** IPv4 with the length of the prefix, on its untagged interface `eth0`. */
  readonly address?: string;
  /** Columns of the Port row, such as `tag=20`. */
  readonly port?: readonly string[];
  /** IPv4 with the length of the prefix, on a VLAN of `eth0`. */
  readonly vlan?: { readonly id: number; readonly address: string };
}

/** The switch of a guest; see the head of the file. */
export class GuestSwitch {
  readonly guest: Guest;

  private constructor(guest: Guest) {
    this.guest = guest;
  }

  /** Boots a guest and starts its switch. */
  static async boot(options: GuestOptions = {}): Promise<GuestSwitch> {
    const guest = await Guest.boot(options);
    try {
      return await GuestSwitch.#start(guest);
    } catch (error) {
      await guest.stop();
      throw error;
    }
  }

  /**
   * Starts ovsdb-server and ovs-vswitchd in ovs-ctl's paths. ovs-vswitchd 3.1.0 counts no processor in the first 10 s after the boot:
   * it would start without threads for upcalls, and all upcalls would be lost.
   */
  static async #start(guest: Guest): Promise<GuestSwitch> {
    const script = `
      modprobe openvswitch
      ovsdb-tool create /etc/openvswitch/conf.db
      ovsdb-server --remote=punix:/run/openvswitch/db.sock --pidfile --detach --log-file -vconsole:off
      ovs-vsctl --no-wait init -- add-br br0 -- set Bridge br0 other-config:hwaddr='"${LOCAL.mac}"'
      until [ "$(cut -d . -f 1 /proc/uptime)" -ge ${COUNTED_SECOND} ]; do sleep 0.1; done
      ovs-vswitchd --pidfile --detach --log-file -vconsole:off
      if grep -q 'n-handler-threads to 0' ${SWITCH_LOG}; then echo 'ovs-vswitchd has no threads for upcalls' >&2; exit 1; fi
      sysctl -qw net.ipv6.conf.br0.disable_ipv6=1`;
    await guest.run(script, { timeoutMs: GUEST_TIMEOUT_MS });
    return new GuestSwitch(guest);
  }

  /** Restarts ovs-vswitchd as Debian's `systemctl reload ovs-vswitchd` does: ovs-ctl saves the flows by ovs-save, and restores them. */
  async reload(): Promise<void> {
    await this.guest.run(`${OVS_CTL} --no-ovsdb-server restart`, { timeoutMs: GUEST_TIMEOUT_MS });
  }

  async addHost(host: GuestHost): Promise<Source> {
    const { name, address, vlan } = host;
    const source = { port: `v${name}`, mac: macOf(name) };
    const addresses = [
      ...(address === undefined ? [] : [`ip -n ${name} address add ${address} dev eth0`]),
      ...(vlan === undefined
        ? []
        : [
            `ip -n ${name} link add link eth0 name vlan type vlan id ${vlan.id}`,
            `ip -n ${name} address add ${vlan.address} dev vlan`,
            `ip -n ${name} link set vlan up`,
          ]),
    ];
    await this.guest.run(`
      ip netns add ${name}
      ip netns exec ${name} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
      ip link add v${name} type veth peer name eth0 address ${source.mac} netns ${name}
      ovs-vsctl add-port br0 v${name} ${host.port === undefined ? '' : `-- set Port v${name} ${host.port.join(' ')}`}
      ip link set v${name} up
      ip -n ${name} link set eth0 up
      ${addresses.join('\n')}`);
    return source;
  }

  /** Runs a command on a host. */
  async on(host: string, command: string, options: { readonly timeoutMs?: number } = {}): Promise<string> {
    return this.guest.run(`ip netns exec ${host} ${command}`, options);
  }

  /** Returns the number of packets received on a port, by the datapath's counter. */
  async received(port: string): Promise<number> {
    return (await this.#portCounters(port)).packets;
  }

  /** Returns the octets of the frames received on a port, by the datapath's counter. */
  async receivedOctets(port: string): Promise<number> {
    return (await this.#portCounters(port)).octets;
  }

  async #portCounters(port: string): Promise<{ readonly packets: number; readonly octets: number }> {
    const text = await this.guest.run(`ovs-ofctl dump-ports br0 ${port}`);
    const [, packets, octets] = /rx pkts=(\d+), bytes=(\d+)/u.exec(text) ?? [];
    if (packets === undefined) {
      throw new Error(`No counters of ${port} in: ${text}`);
    }
    return { packets: Number(packets), octets: Number(octets) };
  }

  /** Returns the flows of br0 without counters and ages, sorted, because a rewritten flow moves in a dump. */
  async flows(): Promise<string[]> {
    const text = await this.guest.run('ovs-ofctl -O OpenFlow15 --no-stats --no-names dump-flows br0');
    return text
      .split('\n')
      .filter((line) => line.includes('actions='))
      .sort();
  }

  /** Returns the daemon's flows, and flows with its actions. */
  async ownFlows(): Promise<string[]> {
    return (await this.flows()).filter((flow) => flow.includes('id=18768'));
  }

  /** Replaces users' flows; those of the daemon are kept. */
  async setFlows(...flows: readonly string[]): Promise<void> {
    await this.guest.run(`
      ovs-ofctl del-flows br0 cookie=0/-1
      ovs-ofctl -O OpenFlow15 add-flows br0 - <<'END'
${flows.join('\n')}
END
      ovs-appctl revalidator/wait`);
  }

  /**
   * Starts the daemon, of another `program` than /dist/ovs-ipfix.cjs if that is given; waits until it is ready and no datapath
   * flow is older than its hook.
   */
  async startDaemon(program = '/dist/ovs-ipfix.cjs'): Promise<void> {
    // The waiting shell keeps the exit code.
    await this.guest.run(`
      rm -f /tmp/daemon.exit
      ( set +e
        node ${program} run --unixctl ${CONTROL_SOCKET} --log-file /tmp/daemon.log &
        echo $! >/tmp/daemon.pid
        wait $!
        echo $? >/tmp/daemon.exit ) >>/tmp/daemon.console 2>&1 &`);
    await this.waitForReady();
  }

  /** Waits as `startDaemon` does, after a restart of ovs-vswitchd. */
  async waitForReady(): Promise<void> {
    // Each request takes time from the only processor, on which the daemon starts.
    await waitFor(() => this.appctl('ready'), {
      what: 'the daemon is ready',
      timeoutMs: GUEST_TIMEOUT_MS,
      intervalMs: 1000,
    });
    await this.guest.run('ovs-appctl revalidator/wait');
  }

  /** Runs a command of the daemon. */
  async appctl(command: string): Promise<string> {
    return this.guest.run(`ovs-appctl --timeout=10 -t ${CONTROL_SOCKET} ${command}`);
  }

  async status(): Promise<StatusDocument> {
    return JSON.parse(await this.appctl('status json')) as StatusDocument;
  }

  /**
   * Sends the daemon a signal and waits for its end. Returns the exit code that a shell sees (137 after SIGKILL).
   */
  async endDaemon(signal: 'TERM' | 'KILL'): Promise<number> {
    await this.guest.run(`kill -${signal} $(cat /tmp/daemon.pid)`);
    const text = await waitFor(() => this.guest.run('cat /tmp/daemon.exit'), {
      what: 'the daemon has ended',
      timeoutMs: GUEST_TIMEOUT_MS,
    });
    return Number(text);
  }

  /**
   * Stops the daemon by SIGTERM; fails unless it exits with 0. On a very busy host the daemon's
   * deadline of 4.5 s may pass: then `release` cleans up, and the result is true.
   */
  async stopDaemon(): Promise<{ readonly neededRelease: boolean }> {
    const exitCode = await this.endDaemon('TERM');
    if (exitCode === 0) {
      return { neededRelease: false };
    }
    const begin = performance.now();
    await this.guest.run('node -e 0');
    const idleSeconds = (performance.now() - begin) / 1000;
    if (exitCode !== 1 || idleSeconds < BUSY_SECONDS) {
      throw new Error(
        `The daemon has exited with ${exitCode}; "node -e 0" took ${idleSeconds.toFixed(1)} s.`,
      );
    }
    await this.guest.run('node /dist/ovs-ipfix.cjs release');
    return { neededRelease: true };
  }

  /** Returns the daemon's log. */
  async log(): Promise<string> {
    return this.guest.run('cat /tmp/daemon.log /tmp/daemon.console');
  }

  /** Starts pings from one host to an address, ten a second. */
  async startPings(host: string, address: string): Promise<Pings> {
    const file = `/tmp/pings-${host}`;
    await this.guest.run(
      `ip netns exec ${host} ping -n -i 0.1 ${address} >${file} 2>&1 &\necho $! >${file}.pid`,
    );
    return new Pings(this.guest, file);
  }
}

/** Pings in the background of a test. */
export class Pings {
  readonly #guest: Guest;
  readonly #file: string;

  constructor(guest: Guest, file: string) {
    this.#guest = guest;
    this.#file = file;
  }

  /** Waits for `count` more replies. */
  async pass(count: number): Promise<void> {
    const replies = async () => Number(await this.#guest.run(`grep -c ttl= ${this.#file} || true`));
    const before = await replies();
    await waitFor(async () => (await replies()) >= before + count, {
      what: `${count} more pings are answered`,
      timeoutMs: GUEST_TIMEOUT_MS,
    });
  }

  /** Ends the pings; returns the numbers of requests and replies, without a last request that may be unanswered. */
  async stop(): Promise<{ readonly sent: number; readonly received: number }> {
    const text = await this.#guest.run(`
      pid=$(cat ${this.#file}.pid)
      kill -INT $pid
      while kill -0 $pid 2>/dev/null; do sleep 0.1; done
      cat ${this.#file}`);
    const numbers = [...text.matchAll(/icmp_seq=(\d+) ttl=/gu)].map(([, number]) => Number(number));
    return { sent: Math.max(...numbers), received: new Set(numbers).size };
  }
}

/** Returns the MAC address of a host, from the first letter of its name. */
export function macOf(host: string): string {
  return `02:00:00:00:00:${host.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
