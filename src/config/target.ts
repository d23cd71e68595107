// Collector targets as operators write them in `IPFIX.targets`: `IP[:PORT]`, `[IPV6][:PORT]` or a host name, after `udp:`, `tcp:`
// or `tls:` or without a transport, which means UDP; or a file, `file:PATTERN`.

import ipaddr from 'ipaddr.js';
import type { CollectorTarget } from '../export/collector-session.ts';
import { patternFault } from '../export/files/file-pattern.ts';
import { addressText } from '../runtime/address-text.ts';
import { type Condition, shownCondition } from './condition.ts';
import { type IpfixRow, isOnlyForDaemon } from './ipfix-row.ts';
import { splitTransport, type TargetTransport } from './target-forms.ts';

/** Port of IPFIX over UDP and TCP, and over TLS (IANA; RFC 7011, sections 10.3.4 and 10.4.4). */
const COLLECTOR_PORT_DEFAULT = 4739;
const TLS_COLLECTOR_PORT_DEFAULT = 4740;

/** Targets of a row that the daemon exports to. A row with more stays with ovs-vswitchd, so that no collector is left out. */
export const TARGETS_MAX = 64;

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
  const { host, portText } = split;
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
  const needsScope = address instanceof ipaddr.IPv6 && range === 'linkLocal' && address.zoneId === undefined;
  return needsScope ? `which is link-local; add the interface, as in [${host}%eth0]` : undefined;
}

/** Returns a key that is the same for all spellings of an address or name with a port, over one transport. */
function sameCollectorKey({ host, port, transport = 'udp' }: CollectorTarget): string {
  if (transport === 'file') {
    return `${transport}:${host}`;
  }
  const isAddress = ipaddr.isValid(host);
  const name = isAddress ? ipaddr.parse(host).toNormalizedString() : host.toLowerCase();
  return `${transport}:${addressText(name, port)}`;
}

/** Returns the condition of a row with a target that names the same collector as another one. */
function duplicateTarget(uuid: string, where: string, text: string, first: string): Condition {
  return {
    code: 'duplicate-target',
    severity: 'warning',
    where: `${where}, column targets`,
    ipfixRow: uuid,
    message: `The target "${text}" is the same collector as ${first}, which gets each record once.`,
    action: `Remove one with "ovs-vsctl remove IPFIX ${uuid} targets ...".`,
  };
}

/** Returns the condition of a row with more than `TARGETS_MAX` targets. */
export function tooManyTargets(row: IpfixRow, where: string, count: number): Condition {
  const { uuid } = row;
  const isOnlyForUs = isOnlyForDaemon(row);
  return shownCondition({
    code: 'too-many-targets',
    severity: isOnlyForUs ? 'error' : 'warning',
    where: `${where}, column targets`,
    ipfixRow: uuid,
    message: isOnlyForUs
      ? `It has ${count} targets, and the daemon exports to the first ${TARGETS_MAX} only.`
      : `It has ${count} targets, and the daemon exports to ${TARGETS_MAX} at most: all rows of its bridges are left to ovs-vswitchd.`,
    action: `Name at most ${TARGETS_MAX} collectors with "ovs-vsctl set IPFIX ${uuid} targets=...".`,
  });
}

interface ReadTarget {
  readonly result: TargetResult;
  /** See `sameCollectorKey`; empty for a text that is not valid. */
  readonly key: string;
}

/** What was read of texts: a thousand rows have the same few collectors. */
const readTargetTexts = new Map<string, ReadTarget>();
const READ_TEXTS_MAX = 4096;

function readTarget(text: string): ReadTarget {
  const known = readTargetTexts.get(text);
  if (known !== undefined) {
    return known;
  }
  const result = parseTarget(text);
  const read = { result, key: 'target' in result ? sameCollectorKey(result.target) : '' };
  if (readTargetTexts.size >= READ_TEXTS_MAX) {
    readTargetTexts.clear();
  }
  readTargetTexts.set(text, read);
  return read;
}

/** Returns the valid targets of a row, each collector once; adds conditions for the others. */
export function readTargets(
  uuid: string,
  texts: readonly string[],
  where: string,
  conditions: Condition[],
): readonly CollectorTarget[] {
  const targets = new Map<string, CollectorTarget>();
  for (const text of texts) {
    const { result, key } = readTarget(text);
    if ('target' in result) {
      const { text: first } = targets.get(key) ?? {};
      if (first === undefined) {
        targets.set(key, result.target);
      } else {
        conditions.push(duplicateTarget(uuid, where, text, first));
      }
    } else {
      conditions.push({
        code: 'bad-target',
        severity: 'warning',
        where: `${where}, column targets`,
        ipfixRow: uuid,
        message: `The target ${result.fault}`,
        action: `Correct it with "ovs-vsctl set IPFIX ${uuid} targets=..."; the other targets are used meanwhile.`,
      });
    }
  }
  if (targets.size === 0) {
    conditions.push({
      code: 'no-usable-target',
      severity: 'error',
      where: `${where}, column targets`,
      ipfixRow: uuid,
      message: 'It has no valid target, so nothing is exported for the row.',
      action: `Set one with "ovs-vsctl set IPFIX ${uuid} targets=\\"192.0.2.1:4739\\"".`,
    });
  }
  return [...targets.values()];
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
