// The targets of a row: each collector once, and conditions for those that are not valid, named twice, or too many.

import ipaddr from 'ipaddr.js';
import type { CollectorTarget } from '../export/collector-session.ts';
import { addressText } from '../runtime/address-text.ts';
import { type Condition, shownCondition } from './condition.ts';
import { type IpfixRow, isOnlyForDaemon } from './ipfix-row.ts';
import { parseTarget, type TargetResult } from './target.ts';

/** Targets of a row that the daemon exports to. A row with more stays with ovs-vswitchd, so that no collector is left out. */
export const TARGETS_MAX = 64;

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
