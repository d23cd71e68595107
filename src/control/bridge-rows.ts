// The rows that a bridge is sampled for.

import type { BridgeConfig } from '../config/configuration.ts';

/** Returns all rows of a bridge. */
export function rowsOf(
  config: BridgeConfig,
): readonly { readonly ipfixRow: string; readonly isOurs: boolean }[] {
  const { sampling, flowSampling } = config;
  return [...(sampling === undefined ? [] : [sampling]), ...flowSampling.values()];
}

/** Returns what of a bridge is sampled, for the log. */
export function describeSampling({ sampling, flowSampling }: BridgeConfig): string {
  const whole = sampling === undefined ? [] : ['the whole bridge'];
  const [id] = flowSampling.keys();
  const { size } = flowSampling;
  const sets = size === 0 ? [] : [size === 1 ? `collector set ${id}` : `${size} collector sets`];
  return [...whole, ...sets].join(', ');
}
