// The bridges that are to be sampled, and the rows for which they are.

import type { BridgeConfig } from '../config/configuration.ts';
import type { Redirection } from './ownership.ts';

/** Bridges whose sampling begins or whose rows have changed, in one turn of the event loop. */
const BRIDGES_PER_TURN = 8;

/**
 * Configures bridges with `run`, which returns whether that was work, until that is enough for a turn of the event loop. Returns
 * whether all are configured.
 */
export function runInTurn(configs: readonly BridgeConfig[], run: (config: BridgeConfig) => boolean): boolean {
  let worked = 0;
  for (const config of configs) {
    if (worked === BRIDGES_PER_TURN) {
      return false;
    }
    worked += run(config) ? 1 : 0;
  }
  return true;
}

/** Returns all rows of a bridge. */
export function rowsOf(
  config: BridgeConfig,
): readonly { readonly ipfixRow: string; readonly isOurs: boolean }[] {
  const { sampling, flowSampling } = config;
  return [...(sampling === undefined ? [] : [sampling]), ...flowSampling.values()];
}

/** Returns the ports that ovs-vswitchd sends samples to, by bridge. */
export function samplePortsOf(
  bridges: Iterable<{ readonly name: string; readonly samplePort: number | undefined }>,
): ReadonlyMap<string, number> {
  const ports = new Map<string, number>();
  for (const { name, samplePort } of bridges) {
    if (samplePort !== undefined) {
      ports.set(name, samplePort);
    }
  }
  return ports;
}

/** Returns how the samples of redirected sets of all bridges get to the daemon, by the UUIDs of their rows. */
export function redirectionsOf(
  bridges: Iterable<{ redirections(): ReadonlyMap<string, Redirection> }>,
): ReadonlyMap<string, Redirection> {
  return new Map(Array.from(bridges, (bridge) => [...bridge.redirections()]).flat());
}

/** Returns what of a bridge is sampled, for the log. */
export function describeSampling({ sampling, flowSampling }: BridgeConfig): string {
  const whole = sampling === undefined ? [] : ['the whole bridge'];
  const [id] = flowSampling.keys();
  const { size } = flowSampling;
  const sets = size === 0 ? [] : [size === 1 ? `collector set ${id}` : `${size} collector sets`];
  return [...whole, ...sets].join(', ');
}
