// Two hosts and a router between them, in network namespaces of their own, with links of given MTUs: a path whose MTU a sender sees
// at its own interface, or not.

import { readlink } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { lastFirst } from './end-in-order.ts';
import { BackgroundProgram, runProgram } from './process.ts';
import { waitFor } from './wait.ts';

/** A network namespace with a sysfs of its own. */
export class Namespace {
  readonly #holder: BackgroundProgram;

  private constructor(holder: BackgroundProgram) {
    this.#holder = holder;
  }

  static async create(): Promise<Namespace> {
    const own = await readlink('/proc/self/ns/net');
    const mountSysfs = 'mount -t sysfs sysfs /sys && ip link set lo up && exec sleep infinity';
    const holder = await BackgroundProgram.start('unshare', ['--net', '--mount', 'sh', '-c', mountSysfs]);
    const namespace = new Namespace(holder);
    await waitFor(
      async () =>
        (await readlink(`/proc/${holder.pid}/ns/net`)) !== own &&
        (await namespace.run('ls', '/sys/class/net')).trim() === 'lo' &&
        (await namespace.run('cat', '/sys/class/net/lo/operstate')).trim() !== 'down',
      { what: 'the network namespace is there' },
    );
    return namespace;
  }

  get pid(): number {
    return this.#holder.pid;
  }

  async run(...command: readonly string[]): Promise<string> {
    return runProgram('nsenter', this.#arguments(command), { timeoutMs: 60_000 });
  }

  async start(...command: readonly string[]): Promise<BackgroundProgram> {
    return BackgroundProgram.start('nsenter', this.#arguments(command));
  }

  /** Reads a counter of /proc/net/snmp, or of /proc/net/snmp6 by its whole name. */
  async counter(name: string): Promise<number> {
    if (name.startsWith('Ip6')) {
      const line = new RegExp(`^${name}\\s+(\\d+)`, 'mu').exec(await this.run('cat', '/proc/net/snmp6'));
      return Number(line?.[1]);
    }
    const lines = (await this.run('cat', '/proc/net/snmp'))
      .split('\n')
      .filter((each) => each.startsWith('Ip:'));
    const [names = [], values = []] = lines.map((line) => line.split(' '));
    return Number(values[names.indexOf(name)]);
  }

  async stop(): Promise<void> {
    await this.#holder.stop();
  }

  #arguments(command: readonly string[]): string[] {
    return [`--target=${this.pid}`, '--net', '--mount', '--', ...command];
  }
}

/** The addresses of the second host. */
export const FAR_ADDRESSES = { ipv4: '198.18.2.2', ipv6: 'fd18:2::2' } as const;

/** Makes the hosts and connects them; all of it ends with the test. */
export async function routedHosts(t: TestContext, nearMtu: number, farMtu: number) {
  const atEnd = lastFirst(t);
  const make = async () => {
    const namespace = await Namespace.create();
    atEnd(() => namespace.stop());
    return namespace;
  };
  const [near, router, far] = [await make(), await make(), await make()];
  await router.run(
    'sh',
    '-c',
    'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding',
  );
  for (const [host, link, mtu, net] of [
    [near, 'near', nearMtu, 1],
    [far, 'far', farMtu, 2],
  ] as const) {
    const peer = ['peer', 'name', 'eth0', 'mtu', String(mtu), 'netns', String(host.pid)];
    await router.run('ip', 'link', 'add', link, 'mtu', String(mtu), 'type', 'veth', ...peer);
    for (const [namespace, device, last] of [
      [router, link, 1],
      [host, 'eth0', 2],
    ] as const) {
      await namespace.run('ip', 'address', 'add', `198.18.${net}.${last}/24`, 'dev', device);
      await namespace.run('ip', 'link', 'set', device, 'up');
      if (mtu >= 1280) {
        await namespace.run('ip', 'address', 'add', `fd18:${net}::${last}/64`, 'dev', device, 'nodad');
      }
    }
    await host.run('ip', 'route', 'add', 'default', 'via', `198.18.${net}.1`);
    if (mtu >= 1280) {
      await host.run('ip', '-6', 'route', 'add', 'default', 'via', `fd18:${net}::1`);
    }
  }
  // Node names only interfaces with a carrier, which the kernel notes a moment after both ends are up.
  for (const host of [near, far]) {
    await waitFor(async () => (await host.run('cat', '/sys/class/net/eth0/operstate')).trim() === 'up', {
      what: 'the link is up',
    });
  }
  return { near, router, far };
}
