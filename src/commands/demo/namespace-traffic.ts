// Traffic of two network namespaces on the switch's ports: ping, and TCP and UDP of a small peer program. The kernel sends
// packets of its own (ARP, neighbour and router solicitations, multicast reports), so only the switch's counters have the
// total.

import { HOST_INTERFACE, Namespaces, type Place, SWITCH_INTERFACES } from './namespaces.ts';
import { PEER_COMMAND } from './peer.ts';
import { BackgroundProgram, type CommandLine, ProgramError } from './programs.ts';
import { selfCommand } from './self.ts';
import { commandText, paragraph } from './text.ts';
import { BRIDGE, type Traffic, type TrafficParts } from './traffic.ts';
import { becomes } from './wait.ts';

const HOSTS = [
  { place: 'alice', ipv4: '10.0.0.1', ipv6: 'fd00::1', vlanIpv4: '10.0.7.1' },
  { place: 'bob', ipv4: '10.0.0.2', ipv6: 'fd00::2', vlanIpv4: '10.0.7.2' },
] as const;
const BOB = HOSTS[1];
const VLAN_ID = '7';
const PEER_TIMEOUT_MS = 5000;

/** See the head of the file. */
export class NamespaceTraffic implements Traffic {
  readonly switchOptions;
  readonly portArguments = SWITCH_INTERFACES.flatMap((port) => ['--', 'add-port', BRIDGE, port]);
  readonly #namespaces: Namespaces;
  #hasIpv6 = false;
  #hasVlan = false;
  #peer: BackgroundProgram | undefined;

  private constructor(namespaces: Namespaces) {
    this.#namespaces = namespaces;
    this.switchOptions = { datapath: 'netdev', vswitchdPrefix: namespaces.prefix('switch') } as const;
  }

  /** Creates the hosts; throws a `ProgramError` with the reason when it cannot. */
  static async create(): Promise<NamespaceTraffic> {
    return new NamespaceTraffic(await Namespaces.create());
  }

  async begin({ write }: TrafficParts): Promise<void> {
    for (const host of HOSTS) {
      await this.#bringUp(host);
    }
    if (!this.#hasIpv6) {
      write(paragraph('IPv6 is left out: it is disabled in this kernel.'));
    }
    if (!this.#hasVlan) {
      write(paragraph('VLANs are left out: this kernel has no VLAN interfaces.'));
    }
    const peer = await BackgroundProgram.start([
      ...this.#namespaces.prefix('bob'),
      ...selfCommand(...PEER_COMMAND, 'serve'),
    ]);
    this.#peer = peer;
    let isListening = false;
    peer.onLine(() => {
      isListening = true;
    });
    await becomes(() => isListening || peer.end !== undefined, { timeoutMs: PEER_TIMEOUT_MS });
    peer.assertRunning();
    if (!isListening) {
      throw new ProgramError('The peer for TCP and UDP does not listen.');
    }
  }

  async round({ write }: TrafficParts, number: number): Promise<void> {
    const addresses: string[] = [BOB.ipv4];
    if (this.#hasIpv6) {
      addresses.push(BOB.ipv6);
    }
    const targets = this.#hasVlan ? [...addresses, BOB.vlanIpv4] : addresses;
    const pings = targets.map((target): CommandLine => ['ping', '-c', '5', '-i', '0.2', target]);
    if (number === 1) {
      write(paragraph('One host pings the other, and exchanges UDP and TCP with it:'));
      for (const ping of pings) {
        write(commandText(ping));
      }
      write(
        paragraph(
          'The kernel also sends packets of its own: ARP, and ICMPv6 for neighbours, routers and multicast listeners.',
        ),
      );
    }
    await Promise.all([
      ...pings.map((ping) => this.#namespaces.run('alice', ping)),
      this.#namespaces.run('alice', selfCommand(...PEER_COMMAND, 'talk', ...addresses)),
    ]);
  }

  async finish(): Promise<void> {
    await this.#namespaces.run('alice', ['ping', '-c', '3', '-i', '0.2', BOB.ipv4]);
    // Interfaces that are down send nothing, so that no late solicitation changes the counts.
    for (const { place } of HOSTS) {
      await this.#namespaces.run(place, ['ip', 'link', 'set', HOST_INTERFACE, 'down']);
    }
  }

  sent(): undefined {
    return undefined;
  }

  async stop(): Promise<void> {
    await this.#peer?.stop();
    this.#peer = undefined;
    await this.#namespaces.stop();
  }

  async #bringUp(host: (typeof HOSTS)[number]): Promise<void> {
    const { place, ipv4, ipv6, vlanIpv4 } = host;
    const address = (text: string, device: string, ...more: string[]): Promise<boolean> =>
      this.#namespaces.succeeds(place, ['ip', 'address', 'add', text, 'dev', device, ...more]);
    await this.#ip(place, 'address', 'add', `${ipv4}/24`, 'dev', HOST_INTERFACE);
    // "nodad": the address can be used at once, without duplicate address detection.
    this.#hasIpv6 = await address(`${ipv6}/64`, HOST_INTERFACE, 'nodad');
    await this.#ip(place, 'link', 'set', HOST_INTERFACE, 'up');
    const vlan = `${HOST_INTERFACE}.${VLAN_ID}`;
    const add = ['link', 'add', 'link', HOST_INTERFACE, 'name', vlan, 'type', 'vlan', 'id', VLAN_ID];
    this.#hasVlan = await this.#namespaces.succeeds(place, ['ip', ...add]);
    if (this.#hasVlan) {
      await this.#ip(place, 'address', 'add', `${vlanIpv4}/24`, 'dev', vlan);
      await this.#ip(place, 'link', 'set', vlan, 'up');
    }
  }

  async #ip(place: Place, ...args: string[]): Promise<void> {
    await this.#namespaces.run(place, ['ip', ...args]);
  }
}
