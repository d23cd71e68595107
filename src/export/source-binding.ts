// The source address of a session: which of the target's source addresses a collector is sent to from, and why that fails.

import type { Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { codeOf } from '../runtime/error-code.ts';
import type { CollectorTarget } from './collector-session.ts';

/** Returns the source address for an address of the collector; undefined: the system chooses. Throws if none has its family. */
export function sourceFor(
  { source }: CollectorTarget,
  resolved: { readonly address: string; readonly family: number },
): string | undefined {
  if (source === undefined) {
    return undefined;
  }
  const address = resolved.family === 6 ? source.ipv6 : source.ipv4;
  if (address === undefined) {
    const text = `no source address is an IPv${resolved.family} address, as ${resolved.address} needs (EAFNOSUPPORT)`;
    throw Object.assign(new Error(text), { code: 'EAFNOSUPPORT' });
  }
  return address;
}

/**
 * Returns options of a TCP connection, whose host is resolved by the system: in the family of the source address, and for a name
 * with source addresses of both families by IPv4. Throws if the host is an address of a family without a source address.
 */
export function sourceOfName(target: CollectorTarget): {
  readonly localAddress?: string;
  readonly family?: number;
} {
  const { host, source } = target;
  if (source === undefined) {
    return {};
  }
  const family = isIP(host) || (source.ipv4 === undefined ? 6 : 4);
  const localAddress = sourceFor(target, { address: host, family });
  return localAddress === undefined ? {} : { localAddress, family };
}

/** Returns the error, or one that names the source address if this host does not have it. */
export function sourceFault(error: Error, address: string | undefined): Error {
  return codeOf(error) === 'EADDRNOTAVAIL' && address !== undefined
    ? Object.assign(new Error(`this host does not have the source address ${address} (EADDRNOTAVAIL)`), {
        code: 'EADDRNOTAVAIL',
      })
    : error;
}

/** Binds the socket to an address of this host and a free port; without an address the system chooses one. */
export async function bindSocket(socket: Socket, address: string | undefined): Promise<void> {
  if (address === undefined) {
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error) => reject(sourceFault(error, address));
    socket.once('error', failed);
    socket.bind({ address, port: 0 }, () => {
      socket.off('error', failed);
      resolve();
    });
  });
}
