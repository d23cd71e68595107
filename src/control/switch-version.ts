// The version of a bridge's Open vSwitch, from its description reply, and what depends on it. All facts about versions in
// control/ are here.

import type { OpenFlowVersion } from '../node-openflow/index.ts';

/** Major and minor version of Open vSwitch. */
export interface SwitchVersion {
  readonly major: number;
  readonly minor: number;
}

/** Parses the version in the software description of an OFPMP_DESC reply, such as "3.1.0"; undefined if it is not one of OVS. */
export function parseSwitchVersion(software: string): SwitchVersion | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)(?:\.|$)/u.exec(software) ?? [];
  return major === undefined || minor === undefined
    ? undefined
    : { major: Number(major), minor: Number(minor) };
}

/** Formats a version: "3.1". */
export function formatSwitchVersion({ major, minor }: SwitchVersion): string {
  return `${major}.${minor}`;
}

/**
 * Whether to request a flow monitor in an OpenFlow version: in 1.0 always; in 1.3 and later since OVS 3.0, because an older one
 * answers the request of 1.4 and 1.5 with an error of OpenFlow 1.0. From an unknown switch it is requested.
 */
export function canMonitorFlows(version: OpenFlowVersion, software: SwitchVersion | undefined): boolean {
  return version === 1 || software === undefined || software.major >= 3;
}

/**
 * Whether an OpenFlow version shows flows whole. 1.0 omits meter, clear_actions and write_actions and shows goto_table as
 * resubmit, so a flow that was read in 1.0 must never be rewritten.
 */
export function showsWholeFlows(version: OpenFlowVersion): boolean {
  return version !== 1;
}
