// Traffic of network namespaces on the switch's ports: ping, and TCP and UDP of a small peer program. The kernel sends
// packets of its own (ARP, neighbour and router solicitations, multicast reports), so only the switch's counters have the
// total.

import { Namespaces, SWITCH, VM_INTERFACE } from './namespaces.ts';
import { PEER_COMMAND } from './peer.ts';
import { BackgroundProgram, type CommandLine, ProgramError } from './programs.ts';
import { selfCommand } from './self.ts';
import { commandText, paragraph } from './text.ts';
import type { Traffic, TrafficParts } from './traffic.ts';
import { CLIENT, CONVERSATIONS, portArguments, VMS, type Vm, WEB } from './vms.ts';
import { becomes } from './wait.ts';

const VLAN_ID = '7';
/** Those that have an interface in the VLAN. */
const TAGGED: readonly Vm[] = [CLIENT, WEB];
const ipv4 = (vm: Vm): string => `10.0.0.${vm.number}`;
const ipv6 = (vm: Vm): string => `fd00::${vm.number}`;
const vlanIpv4 = (vm: Vm): string => `10.0.7.${vm.number}`;
const PEER_TIMEOUT_MS = 5000;

/** See the head of the file. */
export class NamespaceTraffic implements Traffic {
  readonly switchOptions;
  readonly portArguments = portArguments();
  readonly #namespaces: Namespaces;
  #hasIpv6 = false;
  #hasVlan = false;
  readonly #servers: BackgroundProgram[] = [];
  readonly #clients: BackgroundProgram[] = [];

  private constructor(namespaces: Namespaces) {
    this.#namespaces = namespaces;
    this.switchOptions = { datapath: 'netdev', vswitchdPrefix: namespaces.prefix(SWITCH) } as const;
  }

  /** Creates the hosts; throws a `ProgramError` with the reason when it cannot. */
  static async create(): Promise<NamespaceTraffic> {
    return new NamespaceTraffic(await Namespaces.create());
  }

  async begin({ write }: TrafficParts): Promise<void> {
    for (const vm of VMS) {
      await this.#bringUp(vm);
    }
    if (!this.#hasIpv6) {
      write(paragraph('IPv6 is left out: it is disabled in this kernel.'));
    }
    if (!this.#hasVlan) {
      write(paragraph('VLANs are left out: this kernel has no VLAN interfaces.'));
    }
    for (const vm of VMS) {
      await this.#serve(vm);
    }
  }

  async round({ write }: TrafficParts): Promise<void> {
    const addresses = this.#hasIpv6 ? [ipv4(WEB), ipv6(WEB)] : [ipv4(WEB)];
    const targets = this.#hasVlan ? [...addresses, vlanIpv4(WEB)] : addresses;
    const pings = targets.map((target): CommandLine => ['ping', '-c', '5', '-i', '0.2', target]);
    write(paragraph(`${CLIENT.name} pings ${WEB.name}, and exchanges UDP and TCP with it:`));
    for (const ping of pings) {
      write(commandText(ping));
    }
    write(
      paragraph(
        'The kernel also sends packets of its own: ARP, and ICMPv6 for neighbours, routers and multicast listeners.',
      ),
    );
    await Promise.all([
      ...pings.map((ping) => this.#namespaces.run(CLIENT.name, ping)),
      this.#namespaces.run(CLIENT.name, selfCommand(...PEER_COMMAND, 'talk', ...addresses)),
    ]);
  }

  async go(): Promise<void> {
    if (this.#clients.length === 0) {
      for (const vm of VMS) {
        await this.#load(vm);
      }
    }
    for (const program of [...this.#servers, ...this.#clients]) {
      program.assertRunning();
    }
  }

  async finish(): Promise<void> {
    await endAll(this.#clients);
    await this.#namespaces.run(CLIENT.name, ['ping', '-c', '3', '-i', '0.2', ipv4(WEB)]);
    // Interfaces that are down send nothing, so that no late solicitation changes the counts.
    for (const { name } of VMS) {
      await this.#namespaces.run(name, ['ip', 'link', 'set', VM_INTERFACE, 'down']);
    }
  }

  sent(): undefined {
    return undefined;
  }

  async stop(): Promise<void> {
    await endAll(this.#clients);
    await endAll(this.#servers);
    await this.#namespaces.stop();
  }

  /** Starts the server of a VM; resolves when it listens. */
  async #serve({ name }: Vm): Promise<void> {
    const server = await this.#start(name, 'serve');
    this.#servers.push(server);
    let isListening = false;
    server.onLine(() => {
      isListening = true;
    });
    await becomes(() => isListening || server.end !== undefined, { timeoutMs: PEER_TIMEOUT_MS });
    server.assertRunning();
    if (!isListening) {
      throw new ProgramError(`The server for TCP and UDP of ${name} does not listen.`);
    }
  }

  /** Starts the conversations that a VM begins. */
  async #load(vm: Vm): Promise<void> {
    const words = CONVERSATIONS.filter(({ from }) => from === vm).map(
      ({ protocol, to, port, period }) => `${protocol}:${ipv4(to)}:${port}:${period}`,
    );
    if (words.length > 0) {
      this.#clients.push(await this.#start(vm.name, 'load', ...words));
    }
  }

  #start(name: string, ...words: readonly string[]): Promise<BackgroundProgram> {
    return BackgroundProgram.start([
      ...this.#namespaces.prefix(name),
      ...selfCommand(...PEER_COMMAND, ...words),
    ]);
  }

  async #bringUp(vm: Vm): Promise<void> {
    const address = (text: string, device: string, ...more: string[]): Promise<boolean> =>
      this.#namespaces.succeeds(vm.name, ['ip', 'address', 'add', text, 'dev', device, ...more]);
    await this.#ip(vm, 'address', 'add', `${ipv4(vm)}/24`, 'dev', VM_INTERFACE);
    // "nodad": the address can be used at once, without duplicate address detection.
    this.#hasIpv6 = await address(`${ipv6(vm)}/64`, VM_INTERFACE, 'nodad');
    await this.#ip(vm, 'link', 'set', VM_INTERFACE, 'up');
    if (!TAGGED.includes(vm)) {
      return;
    }
    const vlan = `${VM_INTERFACE}.${VLAN_ID}`;
    const add = ['link', 'add', 'link', VM_INTERFACE, 'name', vlan, 'type', 'vlan', 'id', VLAN_ID];
    this.#hasVlan = await this.#namespaces.succeeds(vm.name, ['ip', ...add]);
    if (this.#hasVlan) {
      await this.#ip(vm, 'address', 'add', `${vlanIpv4(vm)}/24`, 'dev', vlan);
      await this.#ip(vm, 'link', 'set', vlan, 'up');
    }
  }

  async #ip({ name }: Vm, ...args: string[]): Promise<void> {
    await this.#namespaces.run(name, ['ip', ...args]);
  }
}

async function endAll(programs: BackgroundProgram[]): Promise<void> {
  for (const program of programs.splice(0)) {
    await program.stop();
  }
}
