// Collector targets as operators write them in `IPFIX.targets`: `IP[:PORT]`, `[IPV6][:PORT]` or a host name.

import ipaddr from 'ipaddr.js';
import type { CollectorTarget } from '../export/collector-session.ts';
import { addressText } from '../runtime/address-text.ts';

/** Port of IPFIX over UDP, TCP and SCTP (IANA; RFC 7011, section 10.3.4). */
const COLLECTOR_PORT_DEFAULT = 4739;

/** A target, or why the text is not a valid one: a clause that ends with a full stop. */
export type TargetResult = { readonly target: CollectorTarget } | { readonly fault: string };

const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/iu;

/** Parses one element of `IPFIX.targets`. */
export function parseTarget(text: string): TargetResult {
  const split = splitPort(text);
  if (split === undefined) {
    return { fault: `"${text}" is not IP[:PORT], [IPV6][:PORT] or HOSTNAME[:PORT].` };
  }
  const { host, portText } = split;
  const port = portText === undefined ? COLLECTOR_PORT_DEFAULT : Number(portText);
  if (
    !Number.isInteger(port) ||
    port < 1 ||
    port > 65_535 ||
    (portText !== undefined && !/^\d+$/u.test(portText))
  ) {
    return { fault: `"${text}" has the port "${portText}", which is not a number from 1 to 65535.` };
  }
  if (/^[\d.]+$/u.test(host) && !ipaddr.IPv4.isValidFourPartDecimal(host)) {
    return { fault: `"${text}" has the address "${host}", which is not an IPv4 address.` };
  }
  return { target: { host, port, text: addressText(host, port) } };
}

function splitPort(text: string): { host: string; portText: string | undefined } | undefined {
  const bracketed = /^\[(?<host>[^\]]+)\](?::(?<port>.*))?$/u.exec(text)?.groups;
  if (bracketed?.['host'] !== undefined) {
    return ipaddr.IPv6.isValid(bracketed['host'])
      ? { host: bracketed['host'], portText: bracketed['port'] }
      : undefined;
  }
  if (ipaddr.IPv6.isValid(text)) {
    return { host: text, portText: undefined };
  }
  const [host = '', portText, ...rest] = text.split(':');
  return rest.length === 0 && HOST_NAME.test(host) ? { host, portText } : undefined;
}
