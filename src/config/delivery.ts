// The key `ovs-ipfix-collectors` of IPFIX.external_ids: whether each collector gets each record, or one of them is chosen, and their
// order of preference. A set of OVSDB has no order: it is that of the key, then that of the texts, or in a native row the one in which
// its user wrote them.

import { DELIVERY_MODES, type DeliveryOptions } from '../export/collector-choice.ts';
import type { CollectorTarget } from '../export/collector-session.ts';
import type { Condition } from './condition.ts';
import type { IpfixRow } from './ipfix-row.ts';
import { COLLECTORS_KEY } from './row-keys.ts';
import { parseTarget } from './target.ts';

/** The collectors of a row in the order of preference, and how records are given to them. */
export interface RowDelivery {
  readonly targets: readonly CollectorTarget[];
  readonly delivery: DeliveryOptions | undefined;
}

/** Reads the key: a mode, and after `failover` the targets that come first. */
export function readDelivery(
  { uuid, externalIds, failbackSeconds }: IpfixRow,
  targets: readonly CollectorTarget[],
  where: string,
  conditions: Condition[],
): RowDelivery {
  const [word, ...preferred] = (externalIds.get(COLLECTORS_KEY) ?? 'all')
    .split(/[\s,]+/u)
    .filter((each) => each !== '');
  const mode = DELIVERY_MODES.find((each) => each === word);
  const report = (fault: string) => conditions.push(badCollectors(uuid, where, fault));
  if (mode === undefined) {
    report(
      `${JSON.stringify(word ?? '')} is not one of ${DELIVERY_MODES.join(', ')}; each collector gets each record.`,
    );
    return { targets, delivery: undefined };
  }
  if (mode === 'all') {
    return { targets, delivery: undefined };
  }
  const first: CollectorTarget[] = [];
  for (const text of mode === 'failover' ? preferred : []) {
    const target = targetOf(text, targets);
    if (target === undefined) {
      report(`"${text}" is not a target of the row; the others are preferred in their order.`);
    } else {
      first.push(target);
    }
  }
  if (mode === 'balance' && preferred.length > 0) {
    report('What follows balance has no effect: its collectors have no order.');
  }
  return { targets: [...new Set([...first, ...targets])], delivery: { mode, failbackSeconds } };
}

function targetOf(text: string, targets: readonly CollectorTarget[]): CollectorTarget | undefined {
  const result = parseTarget(text);
  const shown = 'target' in result ? result.target.text : text;
  return targets.find((target) => target.text === shown);
}

function badCollectors(uuid: string, where: string, message: string): Condition {
  return {
    code: 'bad-value',
    severity: 'warning',
    where: `${where}, external_ids:${COLLECTORS_KEY}`,
    ipfixRow: uuid,
    message,
    action: `Set it with "ovs-vsctl set IPFIX ${uuid} external_ids:${COLLECTORS_KEY}=failover", or =balance, or =\\"failover 192.0.2.1:4739\\" to name the first.`,
  };
}
