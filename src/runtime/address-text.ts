// An address with its port, as it is written in targets; also within the page, where Node's modules are not.

/** `ADDRESS:PORT`, with brackets around an IPv6 address. */
export function addressText(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
