// Which Open vSwitch a bridge runs on, as its description reply says it, and what follows from that. Facts about versions
// stand here and nowhere else in control/.

import type { OpenFlowVersion } from '../node-openflow/index.ts';

/** Major and minor version of Open vSwitch. */
export interface SwitchVersion {
  readonly major: number;
  readonly minor: number;
}

/** The version in the software description of an OFPMP_DESC reply, such as "3.1.0"; undefined when it is not one of OVS. */
export function parseSwitchVersion(software: string): SwitchVersion | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)(?:\.|$)/u.exec(software) ?? [];
  return major === undefined || minor === undefined
    ? undefined
    : { major: Number(major), minor: Number(minor) };
}

/** The version as text: "3.1". */
export function formatSwitchVersion({ major, minor }: SwitchVersion): string {
  return `${major}.${minor}`;
}

/**
 * Whether a switch can be asked for a flow monitor in an OpenFlow version: in 1.0 always; in 1.3 and later since OVS 3.0,
 * and an older one answers the request of 1.4 and 1.5 with an error of OpenFlow 1.0. An unknown switch is asked.
 */
export function canMonitorFlows(version: OpenFlowVersion, software: SwitchVersion | undefined): boolean {
  return version === 1 || software === undefined || software.major >= 3;
}

/**
 * Whether an OpenFlow version shows all of a flow. 1.0 omits write_actions, meter and write_metadata and shows goto_table as
 * resubmit, so that a flow that was read in 1.0 must never be written back.
 */
export function showsWholeFlows(version: OpenFlowVersion): boolean {
  return version !== 1;
}
