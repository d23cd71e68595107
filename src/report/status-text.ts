// The daemon's state as an operator reads it in a terminal of 80 columns. What the numbers mean
// is in docs/status.md.

import type { ControlStatus } from '../control/control.ts';
import type { SampledBridgeStatus } from '../control/sampled-bridge.ts';
import type { CollectorStatus } from '../export/collector-stream.ts';
import type { ExporterStatus } from '../export/exporter.ts';
import type { PacketSamplerStatus } from '../flow/sampler.ts';

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

function bridgeLines(status: SampledBridgeStatus): string[] {
  const { session, sampling, samplePool } = status;
  const rate = session.meterRate === undefined ? 'any number of' : `at most ${session.meterRate}`;
  const lines = [
    `bridge ${status.bridge}: hook ${session.hook}, ${session.protocol ?? 'no OpenFlow'} (${session.connection.state})`,
    `  bounded to ${rate} packet-ins/s; put back ${session.hookRepairs} times`,
  ];
  if (sampling !== undefined) {
    lines.push(
      `  whole bridge, IPFIX row ${sampling.ipfixRow}`,
      `    sampling   1 in ${sampling.sampler.interval} where packets enter`,
      ...poolLines(sampling.sampler),
      `    samples    ${sampling.sampler.selected} kept, each counted as ${shortNumber(sampling.sampler.sampleWeight)} packets`,
      ...exporterLines(sampling.exporter),
    );
  }
  if (status.flowSampling.length > 0) {
    lines.push(
      `  "sample" actions of flows: ${session.translation.rewrites + session.groupRewrites} rewritten`,
    );
    lines.push(...poolLines(samplePool));
  }
  for (const set of status.flowSampling) {
    lines.push(
      `  collector set ${set.collectorSetId}, IPFIX row ${set.ipfixRow}`,
      `    sampling   in ${set.flows} flows and ${set.groups} groups`,
      `    samples    ${set.sampler.selected} kept of ${set.sampler.received} received`,
      ...exporterLines(set.exporter),
    );
  }
  return lines;
}

function poolLines(pool: PacketSamplerStatus): string[] {
  const lines = [
    `    pool       ${pool.poolPackets} packets, ${pool.poolOctets} octets`,
    `    packet-ins ${pool.received} received, ${pool.droppedByMeter} dropped by the meter, ${pool.lost} lost`,
  ];
  if (pool.expansion !== 1 || pool.packetsGivenUp > 0) {
    lines.push(
      `    made up    a packet-in stands for ${pool.expansion.toFixed(2)} packets now, for those that are missing;`,
      `               ${Math.round(pool.packetsOwed)} still to be made up for, ${Math.round(pool.packetsGivenUp)} given up`,
    );
  }
  return lines;
}

function exporterLines(exporter: ExporterStatus): string[] {
  const { cache, options, records } = exporter;
  const caching =
    options.activeTimeoutSeconds > 0 && options.flowsMax > 0
      ? `${cache.flows} of ${options.flowsMax} flows, active timeout ${options.activeTimeoutSeconds} s`
      : `off (each sample is a record)`;
  return [
    `    cache      ${caching}`,
    `    records    ${records.activeTimeout} active timeout, ${records.lackOfResources} lack of resources, ` +
      `${records.forcedEnd} forced end`,
    ...exporter.collectors.map(collectorLine),
  ];
}

function collectorLine(collector: CollectorStatus): string {
  const errors = Object.entries(collector.errors)
    .map(([code, count]) => `${code} ${count}`)
    .join(', ');
  const lost = collector.messagesLost === 0 ? '' : `, ${collector.recordsLost} records lost`;
  const sent = `${collector.messagesSent} messages, ${collector.recordsSent} records`;
  return `    collector  ${collector.target} ${collector.state}: ${sent}${lost}${errors === '' ? '' : ` (${errors})`}`;
}

/** A number that is rarely not whole, in few characters. */
function shortNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}
