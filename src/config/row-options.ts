// The key `ovs-ipfix-options` of IPFIX.external_ids: words between commas for what records have, or are accompanied by, beyond
// their format. All are off by default.

import type { OptionsSettings } from '../export/exporter-options.ts';
import type { RecordFormat } from '../ipfix/record-layout.ts';
import type { Condition } from './condition.ts';
import { OPTIONS_KEY } from './row-keys.ts';

/** Options records of the sampling and of the interfaces, and the elements of tunnels in the records. */
const ROW_OPTIONS = ['sampling', 'interfaces', 'tunnel'] as const;
export type RowOption = (typeof ROW_OPTIONS)[number];

/** Reads the words; those that are unknown are a condition, and the others stay in effect. */
export function readRowOptions(
  uuid: string,
  text: string | undefined,
  where: string,
  conditions: Condition[],
): ReadonlySet<RowOption> {
  const words = (text ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  const options = new Set(ROW_OPTIONS.filter((option) => words.includes(option)));
  const unknown = words.filter((word) => !ROW_OPTIONS.some((option) => option === word));
  if (unknown.length > 0) {
    const quoted = unknown.map((word) => JSON.stringify(word)).join(', ');
    const inEffect = options.size === 0 ? 'none' : [...options].join(', ');
    conditions.push({
      code: 'bad-value',
      severity: 'warning',
      where: `${where}, external_ids:${OPTIONS_KEY}`,
      ipfixRow: uuid,
      message: `Not among the options ${ROW_OPTIONS.join(', ')}: ${quoted}. In effect: ${inEffect}.`,
      action: `Set them with "ovs-vsctl set IPFIX ${uuid} external_ids:${OPTIONS_KEY}=\\"${ROW_OPTIONS.join(',')}\\"".`,
    });
  }
  return options;
}

/** Returns which options records are sent, `samplingPopulation` being N of 1-in-N; undefined for none. */
export function optionsRecords(
  options: ReadonlySet<RowOption>,
  samplingPopulation: number,
): OptionsSettings | undefined {
  const hasSampling = options.has('sampling');
  const hasInterfaces = options.has('interfaces');
  return hasSampling || hasInterfaces
    ? { samplingPopulation: hasSampling ? samplingPopulation : undefined, hasInterfaces }
    : undefined;
}

/** Returns the condition of a row that asks for elements of tunnels in records that have no room for them. */
export function tunnelConditions(
  uuid: string,
  options: ReadonlySet<RowOption>,
  format: RecordFormat,
  where: string,
): readonly Condition[] {
  if (!options.has('tunnel') || format === 'extended') {
    return [];
  }
  return [
    {
      code: 'setting-not-supported',
      severity: 'warning',
      where: `${where}, external_ids:${OPTIONS_KEY}`,
      ipfixRow: uuid,
      message: `Records of the format ${format} have no elements of tunnels: the option tunnel has no effect.`,
      action: `Choose the other format with "ovs-vsctl set IPFIX ${uuid} external_ids:ovs-ipfix-record-format=extended".`,
    },
  ];
}
