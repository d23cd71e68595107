// The source address of the export, of a row (`external_ids:ovs-ipfix-source-address`) or of the process (`--source-address`): one
// address, or one of each family between commas. Whether the host has it is known when a session binds it.

import ipaddr from 'ipaddr.js';
import type { CollectorTarget, SourceAddresses } from '../export/collector-session.ts';
import type { Condition } from './condition.ts';
import { SOURCE_ADDRESS_KEY } from './row-keys.ts';

/** Source addresses, or why the text is not valid: a clause. */
export type SourceResult = { readonly source: SourceAddresses } | { readonly fault: string };

/** Ranges with addresses of no host. */
const NOT_OF_A_HOST = new Set(['multicast', 'broadcast', 'unspecified']);

/** Parses the value of the key or the flag. */
export function parseSourceAddresses(text: string): SourceResult {
  const source: { ipv4?: string; ipv6?: string } = {};
  for (const word of text.split(',').map((each) => each.trim())) {
    if (!ipaddr.IPv4.isValidFourPartDecimal(word) && !ipaddr.IPv6.isValid(word)) {
      return { fault: `${JSON.stringify(word)} is not an IPv4 or IPv6 address` };
    }
    const address = ipaddr.parse(word);
    if (NOT_OF_A_HOST.has(address.range())) {
      return { fault: `"${word}" is not the address of a host` };
    }
    const family = address.kind();
    if (source[family] !== undefined) {
      return { fault: `"${text}" has two ${family === 'ipv4' ? 'IPv4' : 'IPv6'} addresses` };
    }
    source[family] = word;
  }
  return { source };
}

/** Reads the key of a row; undefined without a valid value, which is a condition. */
export function readSourceAddresses(
  uuid: string,
  text: string | undefined,
  where: string,
  conditions: Condition[],
): SourceAddresses | undefined {
  if (text === undefined) {
    return undefined;
  }
  const result = parseSourceAddresses(text);
  if ('source' in result) {
    return result.source;
  }
  conditions.push({
    code: 'bad-value',
    severity: 'warning',
    where: `${where}, external_ids:${SOURCE_ADDRESS_KEY}`,
    ipfixRow: uuid,
    message: `${result.fault}; the source address is that of --source-address, or the system chooses it.`,
    action: `Set it with "ovs-vsctl set IPFIX ${uuid} external_ids:${SOURCE_ADDRESS_KEY}=192.0.2.1", or an IPv4 and an IPv6 address between commas.`,
  });
  return undefined;
}

/** Returns the targets with the source addresses; adds a condition for each address of a family that has none. */
export function withSource(
  uuid: string,
  targets: readonly CollectorTarget[],
  source: SourceAddresses | undefined,
  where: string,
  conditions: Condition[],
): readonly CollectorTarget[] {
  if (source === undefined) {
    return targets;
  }
  for (const { host, text } of targets) {
    const family = ipaddr.isValid(host) ? ipaddr.parse(host).kind() : undefined;
    if (family !== undefined && source[family] === undefined) {
      conditions.push(familyCondition(uuid, where, text, source));
    }
  }
  return targets.map((target) => ({ ...target, source }));
}

/** Returns the condition of a collector that gets nothing, because its address has another family than the source address. */
function familyCondition(uuid: string, where: string, target: string, source: SourceAddresses): Condition {
  const shown = source.ipv4 ?? source.ipv6;
  const missing = source.ipv4 === undefined ? 'IPv4' : 'IPv6';
  return {
    code: 'source-address-family',
    severity: 'warning',
    where,
    ipfixRow: uuid,
    message: `The target "${target}" has another address family than the source address ${shown}, so nothing is sent to it.`,
    action: `Add an ${missing} address with "ovs-vsctl set IPFIX ${uuid} external_ids:${SOURCE_ADDRESS_KEY}=\\"IPV4,IPV6\\"", or correct the target.`,
  };
}
