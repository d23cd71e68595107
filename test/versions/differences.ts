// Differences between versions of Open vSwitch as data: what differs from the newest one, before which version, and why. A
// test that cannot pass there is skipped by `unlessDiffers`; one that expects another result there calls `differs`.
// `npm run test:versions` fails when a difference is not used on a version that it applies to, and writes the list into
// docs/compatibility.md.

import { execFileSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { programEnvironment } from '../support/process.ts';

/** Major and minor number, such as [3, 1]. */
export type OvsVersion = readonly [major: number, minor: number];

/** One way in which versions before another one differ. */
export interface OvsDifference {
  /** The first version that behaves as the tests expect. */
  readonly before: OvsVersion;
  /** What differs, as a sentence of docs/compatibility.md. */
  readonly what: string;
  /** Why, and what follows for a user of the daemon. */
  readonly reason: string;
}

/** The list. */
export const OVS_DIFFERENCES = {
  'flow-monitor': {
    before: [3, 0],
    what: 'Flows can be monitored over OpenFlow 1.0 only.',
    reason:
      'The flow monitor of OpenFlow 1.3 (as an extension), 1.4 and 1.5 came with OVS 3.0. Asked for it, an older switch ' +
      'answers with an error of OpenFlow 1.0, so the daemon does not ask, and monitors over a second connection.',
  },
  kinds: {
    before: [3, 1],
    what: '`ovs-ofctl` can write fewer kinds of actions.',
    reason: 'The random flows of the tests have those that the version knows, 109 kinds in OVS 2.15.',
  },
  relay: {
    before: [2, 16],
    what: 'ovsdb-server has no relays.',
    reason: 'The service model "relay" came with OVS 2.16.',
  },
  'last-meter': {
    before: [3, 1],
    what: 'ovs-vswitchd is not stable while bridges with meters come and go, so that the tests keep a spare bridge.',
    reason:
      'It is a fault of OVS 2.15, seen without the daemon. Take the rows of a bridge away before you delete it, so that ' +
      'the daemon removes its meters.',
  },
  'del-meters': {
    before: [3, 1],
    what: '`ovs-ofctl del-meters` is not reliable, so that the tests delete meters by `del-meter`.',
    reason: 'It is a fault of `ovs-ofctl` 2.15 alone; `del-meter BRIDGE meter=all` works.',
  },
  'geneve-flows': {
    before: [3, 1],
    what: 'ovs-vswitchd fails to change the actions of datapath flows out of Geneve tunnels, and logs a warning.',
    reason:
      'It is a fault of the userspace datapath of OVS 2.15, seen without the daemon after a change of a flow. Records are right.',
  },
  'tcp-header-length': {
    before: [3, 1],
    what: 'The ports of a TCP header that is longer than its packet are read.',
    reason:
      "It concerns the records of ovs-vswitchd's own exporter; the daemon's have port 0 on all versions.",
  },
  'sampling-keys': {
    before: [3, 2],
    what: 'ovs-vswitchd reads `enable-input-sampling` and `enable-output-sampling` inverted.',
    reason:
      'It is a fault of those versions. The daemon reads the keys as the version does, and reports them.',
  },
  'ids-from-fields': {
    before: [3, 4],
    what: '`sample` actions take their ids as numbers only.',
    reason:
      'Ids from fields, as OVN writes them, came with OVS 3.4. Fields of packet-ins are compared with registers instead.',
  },
} as const satisfies Record<string, OvsDifference>;
export type OvsDifferenceName = keyof typeof OVS_DIFFERENCES;

/** The result of `tier`. */
type TestSkip = { readonly skip: string | false };

let version: OvsVersion | undefined;

/** Returns the version of the Open vSwitch under test: of the first ovs-vswitchd in PATH. */
export function ovsVersion(): OvsVersion {
  if (version === undefined) {
    const said = execFileSync('ovs-vswitchd', ['--version'], { env: programEnvironment(), encoding: 'utf8' });
    const [, major, minor] = /(\d+)\.(\d+)/u.exec(said) ?? [];
    version = [Number(major), Number(minor)];
  }
  return version;
}

/** Whether a version is before another. */
export function isBefore([major, minor]: OvsVersion, [limitMajor, limitMinor]: OvsVersion): boolean {
  return major < limitMajor || (major === limitMajor && minor < limitMinor);
}

/** Whether the difference applies to the Open vSwitch under test. */
export function hasDifference(name: OvsDifferenceName): boolean {
  return isBefore(ovsVersion(), OVS_DIFFERENCES[name].before);
}

/** Like `hasDifference`, and reports the use of the difference for the table of versions. */
export function differs(t: Pick<TestContext, 'diagnostic'>, name: OvsDifferenceName): boolean {
  if (!hasDifference(name)) {
    return false;
  }
  t.diagnostic(`OVS difference: ${name}`);
  return true;
}

/** Returns the options of a test, which skip it with the reason where the difference applies. */
export function unlessDiffers(tier: TestSkip, name: OvsDifferenceName): TestSkip {
  if (tier.skip !== false || !hasDifference(name)) {
    return tier;
  }
  const { before, what } = OVS_DIFFERENCES[name];
  return { skip: `OVS difference: ${name}: before ${before.join('.')}: ${what}` };
}
