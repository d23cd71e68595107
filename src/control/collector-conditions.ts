// Conditions of collectors that only their sessions show: a source address that this host does not have, a name without an address
// of the source address's family, a fault of TLS, and two targets that lead to the same collector.

import ipaddr from 'ipaddr.js';
import type { Condition } from '../config/condition.ts';
import { SOURCE_ADDRESS_KEY } from '../config/row-keys.ts';
import { targetsCommand } from '../config/targets-place.ts';
import type { CollectorTarget } from '../export/collector-session.ts';
import type { CollectorStatus } from '../export/collector-stream.ts';
import { addressText } from '../runtime/address-text.ts';
import { clause } from '../runtime/sentence.ts';
import { isTlsFault, partsOfFault } from '../runtime/tls-fault.ts';
import type { RunningExporter } from './sampled-bridge-parts.ts';

/** A collector of a row. */
interface RowCollector {
  readonly target: CollectorTarget;
  readonly status: Pick<CollectorStatus, 'transport' | 'address' | 'lastError' | 'lastErrorCode'>;
}

/** Returns the conditions of the collectors of an exporter. */
export function conditionsOfCollectors(
  running: Pick<RunningExporter, 'bridge' | 'collectorSetId' | 'ipfixRow' | 'targetsPlace'> & {
    readonly exporter: { collectors(): readonly RowCollector[] };
  },
): readonly Condition[] {
  const { bridge, collectorSetId, ipfixRow, targetsPlace, exporter } = running;
  const set = collectorSetId === undefined ? '' : `collector set ${collectorSetId} of `;
  const where = `IPFIX row ${ipfixRow} (${set}bridge ${bridge}), ${targetsPlace.name}`;
  const place = { where, ipfixRow };
  const collectors = exporter.collectors();
  return [
    ...sourceConditions(place, collectors),
    ...tlsConditions(place, collectors),
    ...sameAddressConditions(place, targetsCommand(ipfixRow, targetsPlace), collectors),
  ];
}

type Place = Required<Pick<Condition, 'where' | 'ipfixRow'>>;

function sourceConditions(place: Place, collectors: readonly RowCollector[]): readonly Condition[] {
  return collectors.flatMap(({ target, status }): readonly Condition[] => {
    const { source, text } = target;
    if (source === undefined || status.address !== undefined) {
      return [];
    }
    const addresses = [source.ipv4, source.ipv6].filter((each) => each !== undefined).join(', ');
    if (status.lastErrorCode === 'EADDRNOTAVAIL') {
      return [
        {
          ...place,
          severity: 'warning',
          code: 'source-address-unavailable',
          message: `This host does not have the source address ${addresses}, so nothing is sent to the target "${text}".`,
          action: `Add the address to an interface ("ip address"), or correct external_ids:${SOURCE_ADDRESS_KEY} of the row or --source-address.`,
        },
      ];
    }
    if (status.lastErrorCode === 'EAFNOSUPPORT' && !ipaddr.isValid(target.host)) {
      return [
        {
          ...place,
          severity: 'warning',
          code: 'source-address-family',
          message: `The target "${text}" has no address of the family of the source address ${addresses}, so nothing is sent to it.`,
          action: `Add a source address of the other family with "ovs-vsctl set IPFIX ${place.ipfixRow} external_ids:${SOURCE_ADDRESS_KEY}=\\"IPV4,IPV6\\"", or correct the target.`,
        },
      ];
    }
    return [];
  });
}

function tlsConditions(place: Place, collectors: readonly RowCollector[]): readonly Condition[] {
  return collectors.flatMap(({ target, status }): readonly Condition[] => {
    const { address, lastError = 'TLS fails', lastErrorCode = '' } = status;
    if (target.transport !== 'tls' || address !== undefined || !isTlsFault(lastErrorCode)) {
      return [];
    }
    const { wrong, action } = partsOfFault(clause(lastError));
    return [
      {
        ...place,
        severity: 'warning',
        code: 'collector-tls-fault',
        message: `No TLS session with the target "${target.text}": ${wrong}; its records wait, and are lost when the queue is full.`,
        action,
      },
    ];
  });
}

/** The same text twice is found when the row is read: this is one collector by two names, or by a name and an address. */
function sameAddressConditions(
  place: Place,
  command: string,
  collectors: readonly RowCollector[],
): readonly Condition[] {
  const first = new Map<string, string>();
  return collectors.flatMap(({ target, status }): readonly Condition[] => {
    if (status.address === undefined) {
      return [];
    }
    const { text, port } = target;
    const key = `${status.transport} ${addressText(status.address, port)}`;
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, text);
      return [];
    }
    return [
      {
        ...place,
        code: 'duplicate-target',
        severity: 'warning',
        message: `The targets "${other}" and "${text}" both lead to ${addressText(status.address, port)}, which is one collector.`,
        action: `Name all collectors, each once, with "${command}...".`,
      },
    ];
  });
}
