// The targets of a row: each collector once, and conditions for those that are not valid, named twice, or too many.

import ipaddr from 'ipaddr.js';
import type { CollectorTarget } from '../export/collector-session.ts';
import { addressText } from '../runtime/address-text.ts';
import { type Condition, shownCondition } from './condition.ts';
import { type IpfixRow, isOnlyForDaemon } from './ipfix-row.ts';
import { parseTarget, type TargetResult } from './target.ts';
import { type TargetsPlace, targetsCommand, targetsPlaceOf } from './targets-place.ts';

/** Targets of a row that the daemon exports to. A row with more stays with ovs-vswitchd, so that no collector is left out. */
export const TARGETS_MAX = 64;

/** A row and where it has its targets. */
export interface RowPlace {
  readonly uuid: string;
  /** The row and its users, for conditions. */
  readonly where: string;
  readonly place: TargetsPlace;
}

function placeOf({ uuid, where, place }: RowPlace): Required<Pick<Condition, 'where' | 'ipfixRow'>> {
  return { where: `${where}, ${place.name}`, ipfixRow: uuid };
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
function duplicateTarget(row: RowPlace, text: string, first: string): Condition {
  return {
    code: 'duplicate-target',
    severity: 'warning',
    ...placeOf(row),
    message: `The target "${text}" is the same collector as "${first}", which gets each record once.`,
    action: `Name all collectors, each once, with "${targetsCommand(row.uuid, row.place)}...".`,
  };
}

/** Returns the condition of a row with more than `TARGETS_MAX` targets. */
export function tooManyTargets(row: IpfixRow, where: string, count: number): Condition {
  const place = { uuid: row.uuid, where, place: targetsPlaceOf(row) };
  const isOnlyForUs = isOnlyForDaemon(row);
  return shownCondition({
    code: 'too-many-targets',
    severity: isOnlyForUs ? 'error' : 'warning',
    ...placeOf(place),
    message: isOnlyForUs
      ? `It has ${count} targets, and the daemon exports to the first ${TARGETS_MAX} only.`
      : `It has ${count} targets, and the daemon exports to ${TARGETS_MAX} at most: all rows of its bridges are left to ovs-vswitchd.`,
    action: `Name at most ${TARGETS_MAX} collectors with "${targetsCommand(place.uuid, place.place)}...".`,
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
  row: RowPlace,
  texts: readonly string[],
  conditions: Condition[],
): readonly CollectorTarget[] {
  /** Each with its text in the row. */
  const targets = new Map<string, { readonly text: string; readonly target: CollectorTarget }>();
  for (const text of texts) {
    const { result, key } = readTarget(text);
    if ('target' in result) {
      const first = targets.get(key);
      if (first === undefined) {
        targets.set(key, { text, target: result.target });
      } else {
        conditions.push(duplicateTarget(row, text, first.text));
      }
    } else {
      conditions.push({
        code: 'bad-target',
        severity: 'warning',
        ...placeOf(row),
        message: `The target ${result.fault}`,
        action: `Correct it with "${targetsCommand(row.uuid, row.place)}..."; the other targets are used meanwhile.`,
      });
    }
  }
  if (targets.size === 0) {
    conditions.push({
      code: 'no-usable-target',
      severity: 'error',
      ...placeOf(row),
      message: 'It has no valid target, so nothing is exported for the row.',
      action: `Set one with "${targetsCommand(row.uuid, row.place)}\\"192.0.2.1:4739\\"".`,
    });
  }
  return Array.from(targets.values(), ({ target }) => target);
}
