// The text of an address with its port, as in IPFIX targets. The page uses it too, so it imports no module of Node.

/** Returns `ADDRESS:PORT`, with brackets around an IPv6 address. */
export function addressText(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
