// The daemon's state as an operator reads it in a terminal of 80 columns, and as JSON for programs. What the numbers mean
// is in docs/status.md.

import type { ControlStatus } from '../control/control.ts';
import type { SampledBridgeStatus } from '../control/sampled-bridge.ts';
import type { CollectorStatus } from '../export/collector-stream.ts';

/** The state as text, some ten lines a bridge. */
export function statusText(status: ControlStatus): string {
  const { database } = status;
  const lines = [
    status.missing.length === 0 ? 'ready' : 'not ready:',
    ...status.missing.map((sentence) => `  ${sentence}`),
    `database ${database.endpoint}: ${database.state}, lock ${database.lock}`,
    ...status.bridges.flatMap(bridgeLines),
  ];
  if (status.bridges.length === 0) {
    lines.push('no bridge has an IPFIX row that is exported here');
  }
  for (const problem of status.problems) {
    lines.push(
      `${problem.severity} ${problem.code}: ${problem.where}`,
      `  ${problem.message}`,
      `  ${problem.remedy}`,
    );
  }
  return lines.join('\n');
}

/** The same as JSON; whole numbers beyond 2^53 are strings. */
export function statusJson(status: ControlStatus): string {
  return JSON.stringify(
    status,
    (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
    2,
  );
}

function bridgeLines(status: SampledBridgeStatus): string[] {
  const { session, sampler, exporter } = status;
  const { cache, options, records } = exporter;
  const caching =
    options.activeTimeoutSeconds > 0 && options.flowsMax > 0
      ? `${cache.flows} of ${options.flowsMax} flows, active timeout ${options.activeTimeoutSeconds} s`
      : `off (each sample is a record)`;
  const lines = [
    `bridge ${status.bridge}: hook ${session.hook}, ${session.protocol ?? 'no OpenFlow'} (${session.connection.state})`,
    `  IPFIX row  ${status.ipfixRow}`,
    `  sampling   1 in ${sampler.interval} where packets enter, at most ${session.meterRate ?? 'any number of'} packet-ins/s`,
    `  pool       ${sampler.poolPackets} packets, ${sampler.poolOctets} octets`,
    `  packet-ins ${sampler.received} received, ${sampler.droppedByMeter} dropped by the meter, ${sampler.lost} lost`,
    `  samples    ${sampler.selected} kept, each counted as ${sampler.interval} packets`,
    `  cache      ${caching}`,
    `  records    ${records.activeTimeout} active timeout, ${records.lackOfResources} lack of resources, ${records.forcedEnd} forced end`,
    `  repaired   ${session.hookRepairs} times`,
  ];
  if (sampler.shareDropped > 0) {
    const percent = (100 * sampler.shareDropped).toFixed(1);
    lines.push(`  WARNING    the meter drops ${percent}% of the pool now: counts are too low by that share`);
  }
  return [...lines, ...exporter.collectors.map(collectorLine)];
}

function collectorLine(collector: CollectorStatus): string {
  const errors = Object.entries(collector.errors)
    .map(([code, count]) => `${code} ${count}`)
    .join(', ');
  const lost = collector.messagesLost === 0 ? '' : `, ${collector.recordsLost} records lost`;
  const sent = `${collector.messagesSent} messages, ${collector.recordsSent} records`;
  return `  collector  ${collector.target} ${collector.state}: ${sent}${lost}${errors === '' ? '' : ` (${errors})`}`;
}
