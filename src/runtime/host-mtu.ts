// The MTU of the interfaces of this host, as far as Node and sysfs show it. Node names the interfaces that are up and have an address;
// it knows neither routes nor the path MTU of a socket.

import { readFileSync } from 'node:fs';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** Interfaces by name, as `os.networkInterfaces` returns them, and what sysfs says of one. */
export interface HostInterfaces {
  readonly interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;
  /** The MTU of an interface with a MAC address; undefined if sysfs does not show it. */
  readonly mtuOf: (name: string, mac: string) => number | undefined;
}

/** Reads the interfaces of the host; their MTUs are read when they are first asked for, and then known. */
export function readHostInterfaces(): HostInterfaces {
  const known = new Map<string, number | undefined>();
  const mtuOf = (name: string, mac: string) => {
    const key = `${name} ${mac}`;
    if (!known.has(key)) {
      known.set(key, readMtu(name, mac));
    }
    return known.get(key);
  };
  return { interfaces: networkInterfaces(), mtuOf };
}

/**
 * Returns the MTU of the interface by which messages to `address` leave: loopback for an address of this host, else the interface
 * that has the local address of the socket. An address on loopback says nothing about the interface: then it is the smallest MTU of
 * all others. Undefined: not known.
 */
export function mtuOfRoute(host: HostInterfaces, address: string, localAddress: string): number | undefined {
  const all = Object.entries(host.interfaces).flatMap(([name, infos = []]) =>
    infos.map((info) => ({ name, ...info })),
  );
  const mtus = (some: typeof all) =>
    some.map(({ name, mac }) => host.mtuOf(name, mac)).filter((mtu) => mtu !== undefined);
  const withoutZone = (text: string) => text.replace(/%.*$/u, '');
  const isOwn = all.some((each) => each.address === withoutZone(address));
  const ofLocal = all.filter((each) => each.address === withoutZone(localAddress));
  const leaving = isOwn
    ? all.filter(({ internal }) => internal)
    : ofLocal.every(({ internal }) => internal)
      ? all.filter(({ internal }) => !internal)
      : ofLocal;
  const known = mtus(leaving);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** An alias such as `eth0:1` is an address of its interface. The MAC address differs if sysfs is that of another network namespace. */
function readMtu(name: string, mac: string): number | undefined {
  const folder = `/sys/class/net/${name.replace(/:.*$/u, '')}`;
  try {
    const isSame = readFileSync(`${folder}/address`, 'utf8').trim() === mac;
    const mtu = Number(readFileSync(`${folder}/mtu`, 'utf8'));
    return isSame && Number.isInteger(mtu) && mtu > 0 ? mtu : undefined;
  } catch {
    // Without sysfs, or without a free file descriptor, the MTU is not known, which status shows.
    return undefined;
  }
}
