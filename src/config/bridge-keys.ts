// The keys of ovs-ipfix in `Bridge.external_ids`, with their defaults, and what a Bridge row says about its datapath.

import type { Condition } from './condition.ts';
import type { DatabaseRow } from './ipfix-row.ts';
import { unknownKeyConditions } from './row-conditions.ts';
import { KNOWN_BRIDGE_KEYS, MAX_RATE_KEY, SAMPLER_KEY } from './row-keys.ts';

/** The values of `ovs-ipfix-sampler`: which of the two samplers a bridge has, or that the daemon chooses. */
const SAMPLER_POLICIES = ['packet-in', 'datapath', 'auto'] as const;

/** See `SAMPLER_POLICIES`. */
export type SamplerPolicy = (typeof SAMPLER_POLICIES)[number];

/** What the `external_ids` of a Bridge row set. */
interface BridgeKeys {
  /** `ovs-ipfix-max-rate`: samples a second. */
  readonly maxSampleRate: number;
  /** `ovs-ipfix-sampler`. */
  readonly samplerPolicy: SamplerPolicy;
}

/** Default of `ovs-ipfix-max-rate`, in samples a second; docs/operation.md has the reason. */
const MAX_SAMPLE_RATE_DEFAULT = 5000;
/** Largest `ovs-ipfix-max-rate`, in samples a second. */
const MAX_SAMPLE_RATE_LIMIT = 1_000_000;
/** Default of `ovs-ipfix-sampler`. */
const SAMPLER_POLICY_DEFAULT: SamplerPolicy = 'auto';

/** Reads the keys; an invalid value is a condition, and the default is used. */
export function readBridgeKeys(row: DatabaseRow, bridge: string, conditions: Condition[]): BridgeKeys {
  const externalIds = row.columns['external_ids'];
  const keys: ReadonlyMap<unknown, unknown> = externalIds instanceof Map ? externalIds : new Map();
  const where = `Bridge ${bridge}`;
  if (externalIds instanceof Map) {
    conditions.push(
      ...unknownKeyConditions(externalIds, KNOWN_BRIDGE_KEYS, { where, remove: `remove Bridge ${bridge}` }),
    );
  }
  return {
    maxSampleRate: readMaxSampleRate(keys.get(MAX_RATE_KEY), bridge, conditions),
    samplerPolicy: readSamplerPolicy(keys.get(SAMPLER_KEY), bridge, conditions),
  };
}

/** Whether the packets of a bridge are forwarded by the kernel (ovs-vswitchd.conf.db(5), Bridge.datapath_type). */
export function hasKernelDatapath({ columns }: DatabaseRow): boolean {
  const type = columns['datapath_type'];
  return type === '' || type === 'system';
}

function readMaxSampleRate(text: unknown, bridge: string, conditions: Condition[]): number {
  if (text === undefined) {
    return MAX_SAMPLE_RATE_DEFAULT;
  }
  const rate = typeof text === 'string' && /^\d{1,7}$/u.test(text) ? Number(text) : 0;
  if (rate >= 1 && rate <= MAX_SAMPLE_RATE_LIMIT) {
    return rate;
  }
  const message = `${JSON.stringify(text)} is not a whole number from 1 to ${MAX_SAMPLE_RATE_LIMIT}`;
  conditions.push(badValue(bridge, MAX_RATE_KEY, message, String(MAX_SAMPLE_RATE_DEFAULT)));
  return MAX_SAMPLE_RATE_DEFAULT;
}

function readSamplerPolicy(text: unknown, bridge: string, conditions: Condition[]): SamplerPolicy {
  const policy = SAMPLER_POLICIES.find((each) => each === text);
  if (policy === undefined && text !== undefined) {
    const message = `${JSON.stringify(text)} is not one of ${SAMPLER_POLICIES.join(', ')}`;
    conditions.push(badValue(bridge, SAMPLER_KEY, message, SAMPLER_POLICY_DEFAULT));
  }
  return policy ?? SAMPLER_POLICY_DEFAULT;
}

function badValue(bridge: string, key: string, message: string, byDefault: string): Condition {
  return {
    code: 'bad-value',
    severity: 'warning',
    where: `Bridge ${bridge}, external_ids:${key}`,
    message: `${message}; the default ${byDefault} is used.`,
    action: `Set it with "ovs-vsctl set Bridge ${bridge} external_ids:${key}=${byDefault}".`,
  };
}
