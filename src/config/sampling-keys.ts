// The keys `enable-input-sampling` and `enable-output-sampling` of IPFIX.other_config, which say where ovs-vswitchd samples
// the packets of a bridge: where they enter it, where they leave it, or both, which is the default
// (ovs-vswitchd.conf.db(5), IPFIX, "Per-Bridge Sampling"). They have no effect on collector sets. Before Open vSwitch 3.2
// ovs-vswitchd inverts both: `true` disables and any other value enables.

import type { Condition } from './condition.ts';
import { type IpfixRow, isOnlyForDaemon } from './ipfix-row.ts';

const INPUT_KEY = 'enable-input-sampling';
const OUTPUT_KEY = 'enable-output-sampling';

/** A row with the facts that its sampling keys depend on. */
export interface SamplingKeysContext {
  readonly row: IpfixRow;
  /** Names the row in conditions. */
  readonly where: string;
  /** `Open_vSwitch.ovs_version`; undefined when nothing has written it, and then 3.2 or later is assumed. */
  readonly ovsVersion: string | undefined;
}

/** Whether ovs-vswitchd would sample packets where they enter a bridge with this row. */
export function samplesInput(row: IpfixRow, ovsVersion: string | undefined): boolean {
  return isEnabled(row.otherConfig.get(INPUT_KEY), ovsVersion);
}

/** Returns the condition of a row that the daemon exports for a whole bridge and that also asks for output sampling. */
export function outputSamplingConditions({
  row,
  where,
  ovsVersion,
}: SamplingKeysContext): readonly Condition[] {
  if (!isTrue(row.otherConfig.get(OUTPUT_KEY))) {
    return [];
  }
  return [
    {
      ...about(row, where),
      code: 'output-sampling-not-done',
      message: isInverted(ovsVersion)
        ? `${OUTPUT_KEY} is true, but packets are sampled only where they enter the bridge. Open vSwitch ${ovsVersion} ` +
          'inverts the key: ovs-vswitchd does not sample output for it either.'
        : `${OUTPUT_KEY} is true, but packets are sampled only where they enter the bridge.`,
      action: isInverted(ovsVersion)
        ? `Remove the key with ${removal(row, [OUTPUT_KEY])}. For output sampling leave the row to ovs-vswitchd ` +
          '(run with --adopt=marked), and set the key to false for this version.'
        : `Remove the key with ${removal(row, [OUTPUT_KEY])}, or leave the row to ovs-vswitchd, which samples output: ` +
          'run with --adopt=marked.',
    },
  ];
}

/** Returns the condition of keys whose meaning this ovs-vswitchd inverts, whoever exports for the row. */
export function invertedKeyConditions({ row, where, ovsVersion }: SamplingKeysContext): readonly Condition[] {
  const present = [INPUT_KEY, OUTPUT_KEY].filter((key) => row.otherConfig.has(key));
  if (present.length === 0 || !isInverted(ovsVersion)) {
    return [];
  }
  return [
    {
      ...about(row, where),
      code: 'sampling-keys-inverted',
      message:
        `Open vSwitch before 3.2 inverts ${present.join(' and ')}, and this is ${ovsVersion}: ` +
        'when ovs-vswitchd exports for the row, true disables the sampling and false does not.',
      action: `Remove the keys with ${removal(row, present)}, or update Open vSwitch.`,
    },
  ];
}

/** Returns the condition of a row that stays with ovs-vswitchd because it disables input sampling. */
export function inputSamplingDisabled({ row, where, ovsVersion }: SamplingKeysContext): Condition {
  const value = row.otherConfig.get(INPUT_KEY) ?? '';
  const why = isInverted(ovsVersion)
    ? `${INPUT_KEY} is ${value}, which Open vSwitch ${ovsVersion} inverts: it disables input sampling`
    : `${INPUT_KEY} is ${value}, which disables input sampling`;
  const isOnlyForUs = isOnlyForDaemon(row);
  return {
    ...about(row, where),
    code: 'input-sampling-disabled',
    severity: isOnlyForUs ? 'error' : 'warning',
    message: isOnlyForUs
      ? `${why}, and ovs-ipfix samples only input: nothing is exported for the bridge.`
      : `${why}, and ovs-ipfix samples only input: all rows of the bridge are left to ovs-vswitchd.`,
    action: `If ovs-ipfix should export input instead, remove the key with ${removal(row, [INPUT_KEY])}.`,
  };
}

function about(row: IpfixRow, where: string) {
  return { where: `${where}, column other_config`, ipfixRow: row.uuid, severity: 'warning' } as const;
}

/** Whether ovs-vswitchd of the version reads a value (`smap_get_bool`) as enabled. */
function isEnabled(value: string | undefined, ovsVersion: string | undefined): boolean {
  return isInverted(ovsVersion) ? !isTrue(value) : value?.toLowerCase() !== 'false';
}

function isTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === 'true';
}

function isInverted(ovsVersion: string | undefined): boolean {
  const [major = 0, minor = 0] = (ovsVersion ?? '').split('.').map(Number);
  return ovsVersion !== undefined && (major < 3 || (major === 3 && minor < 2));
}

function removal({ uuid }: IpfixRow, keys: readonly string[]): string {
  return `"ovs-vsctl ${keys.map((key) => `remove IPFIX ${uuid} other_config ${key}`).join(' -- ')}"`;
}
