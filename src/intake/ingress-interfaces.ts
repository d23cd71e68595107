// The interface numbers of one bridge for the packet path: maps the OpenFlow port that a packet came in by to the number
// that its record has as ingressInterface (element 10). The list comes from config/interfaces.ts and is replaced as a whole
// whenever ports come, go or are renumbered.

import type { DescribedInterface } from '../ipfix/options-sets.ts';

/** One interface of a bridge. */
export interface BridgeInterface {
  /** OpenFlow port number of 16 bits: 1 to `OFPORT_MAX`, or `OFPP_LOCAL`. */
  readonly ofport: number;
  /** The number in records: `Interface.ifindex`, or `fallbackNumber`. Tunnel ports of one type may share it. */
  readonly number: number;
  readonly name: string;
  /** `Interface.type`; empty for an ordinary network device. */
  readonly type: string;
  /** What is attached, such as a virtual machine; the name where that is not known. */
  readonly description: string;
  /** `Interface.options:dst_port` of a tunnel port; undefined: the port of its type. */
  readonly tunnelPort?: number | undefined;
}

/** The names that belong to a number in records. */
export interface InterfaceNames {
  /** The interface's name; "vxlan (3 ports)" where ports share the number. */
  readonly name: string;
  /** What is attached; undefined where that is not known, or ports share the number. */
  readonly attached: string | undefined;
}

/** An interface table, for operators. */
export interface IngressInterfacesStatus {
  /** Interfaces with an OpenFlow port. */
  readonly count: number;
  /** Look-ups of ports that have no interface in the table. */
  readonly unknownLookups: number;
}

/** A name for the packet path, and the next one with the same hash. */
interface HashedName {
  readonly bytes: Buffer;
  readonly ofport: number;
  readonly next: HashedName | undefined;
}

/** A type of tunnel: values of tunnelType (6876/891, as ovs-vswitchd numbers them) and of the IP protocol; its port by default. */
interface TunnelType {
  readonly type: number;
  readonly protocol: number;
  readonly port: number;
}

const UDP = 17;
const TUNNEL_TYPES: ReadonlyMap<string, TunnelType> = new Map([
  ['vxlan', { type: 1, protocol: UDP, port: 4789 }],
  ['gre', { type: 2, protocol: 47, port: 0 }],
  ['lisp', { type: 3, protocol: UDP, port: 4341 }],
  ['stt', { type: 4, protocol: 6, port: 7471 }],
  ['geneve', { type: 7, protocol: UDP, port: 6081 }],
]);
/** Bits of a tunnel's protocol and type above its port in a word. */
const PROTOCOL_SHIFT = 16;
const TYPE_SHIFT = 24;

/** The highest OpenFlow port that an interface can have (OFPP_MAX less one in OpenFlow 1.0). */
export const OFPORT_MAX = 65_279;
/** The port of the bridge itself; 0xfffffffe in OpenFlow 1.1 and later. */
export const OFPP_LOCAL = 65_534;
/** Where packet-outs of controllers come from; it is not an interface. */
const OFPP_CONTROLLER = 65_533;
/** OFPP_NONE of OpenFlow 1.0: the port is not known. */
const OFPP_NONE = 65_535;
/** Reserved ports have 0xff00 to 0xffff in 16 bits and 0xffffff00 to 0xffffffff in 32 bits. */
const RESERVED_OFFSET = 0xffff_0000;
/** Above what the kernel and DPDK (24 bits) number interfaces with, so that it is never the ifindex of another one. */
const FALLBACK_BASE = 0x0100_0000;

/** The number in records of frames whose port is not known, such as those of a capture file. */
export const UNKNOWN_INTERFACE = FALLBACK_BASE + OFPP_NONE;

/** Returns the number in records of a port without an ifindex. */
export function fallbackNumber(ofport: number): number {
  return FALLBACK_BASE + ofport;
}

/** Returns an OpenFlow port number of 16 or 32 bits as one of 16 bits; other numbers are returned as they are. */
export function ofportOf(port: number): number {
  return port >= RESERVED_OFFSET + 0xff00 ? port - RESERVED_OFFSET : port;
}

export class IngressInterfaces {
  #list: readonly BridgeInterface[] = [];
  /** By OpenFlow port; 0 where no interface is. */
  #numbers = new Uint32Array(0);
  /** By OpenFlow port: type, protocol and port of its tunnel in a word; 0 for other ports. */
  #tunnels = new Int32Array(0);
  #localNumber = 0;
  /** By `hashOf` of the name. */
  #ports: ReadonlyMap<number, HashedName> = new Map();
  /** By number; made when they are asked for first. */
  #names: ReadonlyMap<number, InterfaceNames> | undefined;
  /** The same for options records. */
  #described: readonly DescribedInterface[] | undefined;
  #unknownLookups = 0;

  /** Replaces all interfaces. Of two with one port, the last has it. */
  replace(interfaces: readonly BridgeInterface[]): void {
    const ordinary = interfaces.filter(({ ofport }) => ofport !== OFPP_LOCAL);
    const highest = ordinary.reduce((max, { ofport }) => Math.max(max, ofport), 0);
    const numbers = new Uint32Array(highest + 1);
    const tunnels = new Int32Array(highest + 1);
    for (const each of ordinary) {
      numbers[each.ofport] = each.number;
      tunnels[each.ofport] = tunnelWord(each);
    }
    this.#list = interfaces;
    this.#names = undefined;
    this.#described = undefined;
    this.#ports = portsByName(interfaces);
    this.#numbers = numbers;
    this.#tunnels = tunnels;
    this.#localNumber = interfaces.findLast(({ ofport }) => ofport === OFPP_LOCAL)?.number ?? 0;
  }

  /**
   * Returns the interface number of a port of 16 or 32 bits, without an allocation. It is never 0: collectors drop records
   * without an interface. A port that is not in the table is counted and has its fallback number; one that does not exist
   * in OpenFlow has that of OFPP_NONE.
   */
  numberOf(inPort: number): number {
    const ofport = ofportOf(inPort);
    if (ofport === OFPP_LOCAL) {
      return this.#localNumber === 0 ? this.#unknown(ofport) : this.#localNumber;
    }
    const number = ofport < this.#numbers.length ? (this.#numbers[ofport] ?? 0) : 0;
    return number === 0 ? this.#unknown(ofport) : number;
  }

  /**
   * Returns the OpenFlow port of the interface whose name is `bytes[start, start + size)`, without an allocation; 0 if there is
   * none.
   */
  portNamed(bytes: Uint8Array, start: number, size: number): number {
    for (let name = this.#ports.get(hashOf(bytes, start, size)); name !== undefined; name = name.next) {
      if (isAt(name.bytes, bytes, start, size)) {
        return name.ofport;
      }
    }
    return 0;
  }

  /**
   * Writes type, protocol and destination port of the tunnel of a port to the words 0, 4 and 6 of a tunnel (record-layout.ts);
   * zeros for a port without a tunnel. The source port is not known and 0.
   */
  putTunnel(inPort: number, to: Int32Array): void {
    const word = inPort < this.#tunnels.length ? this.#tunnels[inPort]! : 0;
    to[0] = word >>> TYPE_SHIFT;
    to[4] = (word >>> PROTOCOL_SHIFT) & 0xff;
    to[5] = 0;
    to[6] = word & 0xffff;
  }

  /** Returns the names for a number of `numberOf`, for showing; undefined for a number that no interface has now. */
  namesOf(number: number): InterfaceNames | undefined {
    return this.#namesByNumber().get(number);
  }

  /** Returns each number once, with the names of its interface, or the name that ports share. */
  described(): readonly DescribedInterface[] {
    this.#described ??= Array.from(this.#namesByNumber(), ([number, { name, attached }]) => ({
      number,
      name,
      description: attached ?? name,
    }));
    return this.#described;
  }

  /** The interfaces, by port. */
  get list(): readonly BridgeInterface[] {
    return this.#list;
  }

  status(): IngressInterfacesStatus {
    return { count: this.#list.length, unknownLookups: this.#unknownLookups };
  }

  #namesByNumber(): ReadonlyMap<number, InterfaceNames> {
    this.#names ??= namesByNumber(this.#list);
    return this.#names;
  }

  #unknown(ofport: number): number {
    if (ofport === OFPP_CONTROLLER) {
      return fallbackNumber(ofport);
    }
    this.#unknownLookups += 1;
    return fallbackNumber(ofport >= 1 && ofport <= OFPP_LOCAL ? ofport : OFPP_NONE);
  }
}

function portsByName(interfaces: readonly BridgeInterface[]): Map<number, HashedName> {
  const ports = new Map<number, HashedName>();
  for (const { name, ofport } of interfaces) {
    const bytes = Buffer.from(name);
    const hash = hashOf(bytes, 0, bytes.length);
    ports.set(hash, { bytes, ofport, next: ports.get(hash) });
  }
  return ports;
}

/** Returns a hash of bytes that is a small integer, which a Map finds without an allocation. */
function hashOf(bytes: Uint8Array, start: number, size: number): number {
  let hash = size;
  for (let at = start; at < start + size; at += 1) {
    hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  }
  return hash & 0x3fff_ffff;
}

function isAt(name: Uint8Array, bytes: Uint8Array, start: number, size: number): boolean {
  if (name.length !== size) {
    return false;
  }
  for (let index = 0; index < size; index += 1) {
    if (name[index] !== bytes[start + index]) {
      return false;
    }
  }
  return true;
}

function tunnelWord({ type, tunnelPort }: BridgeInterface): number {
  const tunnel = TUNNEL_TYPES.get(type);
  return tunnel === undefined
    ? 0
    : (tunnel.type << TYPE_SHIFT) | (tunnel.protocol << PROTOCOL_SHIFT) | (tunnelPort ?? tunnel.port);
}

function namesByNumber(list: readonly BridgeInterface[]): ReadonlyMap<number, InterfaceNames> {
  const counts = new Map<number, number>();
  for (const { number } of list) {
    counts.set(number, (counts.get(number) ?? 0) + 1);
  }
  return new Map(
    list.map(({ number, name, type, description }) => {
      const count = counts.get(number) ?? 0;
      const names =
        count > 1
          ? { name: `${type === '' ? 'system' : type} (${count} ports)`, attached: undefined }
          : { name, attached: description === name ? undefined : description };
      return [number, names];
    }),
  );
}
