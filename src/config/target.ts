// Collector targets as operators write them in `IPFIX.targets`: `IP[:PORT]`, `[IPV6][:PORT]` or a host name, after `udp:`, `tcp:`
// or `tls:` or without a transport, which means UDP; or a file, `file:PATTERN`.

import ipaddr from 'ipaddr.js';
import type { CollectorTarget } from '../export/collector-session.ts';
import { patternFault } from '../export/files/file-pattern.ts';
import { addressText } from '../runtime/address-text.ts';
import { splitTransport, type TargetTransport } from './target-forms.ts';

/** Port of IPFIX over UDP and TCP, and over TLS (IANA; RFC 7011, sections 10.3.4 and 10.4.4). */
const COLLECTOR_PORT_DEFAULT = 4739;
const TLS_COLLECTOR_PORT_DEFAULT = 4740;

/** A target, or why the text is not a valid one: a clause that ends with a full stop. */
export type TargetResult = { readonly target: CollectorTarget } | { readonly fault: string };

const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/iu;

/** Parses one element of `IPFIX.targets`. */
export function parseTarget(text: string): TargetResult {
  const { transport, rest } = splitTransport(text);
  if (transport === 'file') {
    const fault = patternFault(rest);
    return fault === undefined
      ? { target: { host: rest, port: 0, text, transport } }
      : { fault: `"${text}" has the file name ${JSON.stringify(rest)}, ${fault}.` };
  }
  const split = splitPort(rest);
  if (split === undefined) {
    return {
      fault: `"${text}" is not IP[:PORT], [IPV6][:PORT] or HOSTNAME[:PORT], alone or after udp:, tcp: or tls:, or file:PATTERN.`,
    };
  }
  const { portText } = split;
  const host = plainHost(split.host);
  const portDefault = transport === 'tls' ? TLS_COLLECTOR_PORT_DEFAULT : COLLECTOR_PORT_DEFAULT;
  const port = portText === undefined ? portDefault : Number(portText);
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
  const fault = unsendable(host);
  return fault === undefined
    ? { target: targetOf(transport, host, port) }
    : { fault: `"${text}" has the address "${host}", ${fault}.` };
}

/** Returns an IPv4 address that is written as one of IPv6 (RFC 4291, section 2.5.5.2) as what it is; any other host as it is. */
function plainHost(host: string): string {
  if (!host.includes(':')) {
    return host;
  }
  const address = ipaddr.parse(host);
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()
    ? address.toIPv4Address().toString()
    : host;
}

/** Returns a target; that over UDP has no transport in its text. */
function targetOf(transport: TargetTransport, host: string, port: number): CollectorTarget {
  const address = addressText(host, port);
  return transport === 'udp'
    ? { host, port, text: address }
    : { host, port, text: `${transport}:${address}`, transport };
}

/** Returns why messages cannot be sent to an address, as the rest of a sentence; undefined for others and for names. */
function unsendable(host: string): string | undefined {
  if (!ipaddr.isValid(host)) {
    return undefined;
  }
  const address = ipaddr.parse(host);
  const range = address.range();
  if (range === 'multicast' || range === 'broadcast') {
    return `which is a ${range} address; name one collector`;
  }
  if (range === 'unspecified') {
    return 'which is not the address of a host';
  }
  const needsScope = address instanceof ipaddr.IPv6 && range === 'linkLocal' && address.zoneId === undefined;
  return needsScope ? `which is link-local; add the interface, as in [${host}%eth0]` : undefined;
}

function splitPort(text: string): { host: string; portText: string | undefined } | undefined {
  const bracketed = /^\[(?<host>[^\]]+)\](?::(?<port>.*))?$/u.exec(text)?.groups;
  if (bracketed?.['host'] !== undefined) {
    return ipaddr.IPv6.isValid(bracketed['host'])
      ? { host: bracketed['host'], portText: bracketed['port'] }
      : undefined;
  }
  // An IPv6 address has several colons. Looking for one in "127.0.0.1:4739" takes the library long.
  if (text.indexOf(':') !== text.lastIndexOf(':') && ipaddr.IPv6.isValid(text)) {
    return { host: text, portText: undefined };
  }
  const [host = '', portText, ...rest] = text.split(':');
  return rest.length === 0 && HOST_NAME.test(host) ? { host, portText } : undefined;
}
