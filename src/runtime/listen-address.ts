// Addresses to listen on, as flags such as --listen write them.

import { isIPv6 } from 'node:net';

/** An address to listen on; port 0 selects one that is free for both transports. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Parses `ADDR:PORT`, `[IPV6]:PORT` or `:PORT`; returns undefined for any other text. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const groups = /^(?:\[(?<v6>[^\]]*)\]|(?<host>[^:[\]]*)):(?<port>\d{1,5})$/u.exec(text)?.groups;
  const port = Number(groups?.['port']);
  if (groups === undefined || port > 65_535) {
    return undefined;
  }
  const v6 = groups['v6'];
  if (v6 !== undefined) {
    return isIPv6(v6) ? { host: v6, port } : undefined;
  }
  return { host: groups['host'] || '0.0.0.0', port };
}
