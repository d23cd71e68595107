// The status document as text for a terminal of 80 columns: readiness first, then each bridge from its hook to its collectors,
// then the conditions. docs/status.md explains the numbers.

import type {
  BridgeSamplingStatus,
  FlowSamplingStatus,
  SampledBridgeStatus,
} from '../control/sampled-bridge-status.ts';
import type { CollectorStatus } from '../export/collector-stream.ts';
import type { ExporterStatus } from '../export/exporter-status.ts';
import type { MeterLedgerStatus } from '../intake/meter-ledger.ts';
import { counted, whole } from '../runtime/counted.ts';
import { conditionLines, omittedLines } from './condition-lines.ts';
import type { DatapathUpcalls, StatusDocument } from './status-document.ts';
import { collectorState, errorsText } from './tables.ts';
import { foldText, numberText } from './text-table.ts';

/** The meaning of a line, for its colour. */
export type Mood = 'good' | 'warning' | 'bad' | 'head';
/** Colours a line without changing its width. */
export type Paint = (mood: Mood, text: string) => string;

const plain: Paint = (_mood, text) => text;

/** Formats a status document, which may come from JSON: about ten lines a bridge. */
export function statusText(status: StatusDocument, paint: Paint = plain): string {
  const { database, program, conditions } = status;
  const upSeconds = program.upSeconds;
  const lines = [
    ...verdictLines(status, paint),
    ...foldText(`ovs-ipfix ${program.version}, pid ${program.pid}, up ${durationText(upSeconds)}`),
    ...foldText(`database ${database.endpoint}: ${database.state}, lock ${database.lock}`),
    ...webLines(status),
    ...status.upcalls.flatMap(upcallLines),
    ...status.bridges.flatMap((bridge) => bridgeLines(bridge, paint)),
  ];
  if (status.bridges.length === 0) {
    lines.push('no bridge has an IPFIX row that this daemon exports');
  }
  for (const condition of conditions) {
    const mood = condition.severity === 'error' ? 'bad' : 'warning';
    lines.push(...conditionLines(condition, (line) => paint(mood, line)));
  }
  return [...lines, ...omittedLines(status.conditionsOmitted)].join('\n');
}

function verdictLines({ missing }: StatusDocument, paint: Paint): string[] {
  if (missing.length === 0) {
    return [paint('good', 'ready')];
  }
  return [paint('bad', 'not ready:'), ...missing.flatMap((sentence) => foldText(`  ${sentence}`, ''))];
}

function webLines({ web }: StatusDocument): string[] {
  if (web === undefined) {
    return [];
  }
  const trouble = web.refused + web.ended === 0 ? '' : `, ${web.refused} refused, ${web.ended} ended`;
  return foldText(`page: ${counted(web.clients, 'browser')}${trouble}`);
}

/** An upper bound of the samples that were lost before ovs-vswitchd; the account of a bridge does not include them. */
function upcallLines({ datapath, lost }: DatapathUpcalls): string[] {
  const what = 'flow misses and samples, which ovs-vswitchd did not receive';
  return lost === 0 ? [] : foldText(`datapath ${datapath}: ${counted(lost, 'upcall')} lost (${what})`);
}

function bridgeLines(status: SampledBridgeStatus, paint: Paint): string[] {
  const { session, sampling, sampleActionMeter } = status;
  const limit =
    session.meterRate === undefined ? 'no meter' : `limited to at most ${session.meterRate} packet-ins/s`;
  const head = `bridge ${status.bridge}: hook ${session.hook}, ${session.protocol ?? 'no OpenFlow'} (${session.connection.state})`;
  const mood = session.hook === 'installed' ? 'head' : 'bad';
  const lines = [
    ...foldText(head).map((line) => paint(mood, line)),
    `  ${limit}; reinstalled ${counted(session.hookRepairs, 'time')}`,
  ];
  if (sampling !== undefined) {
    lines.push(
      `  whole bridge, IPFIX row ${sampling.ipfixRow}`,
      `    sampling   1 in ${sampling.sampler.interval} where packets enter`,
      ...samplerLines(status),
      ...datapathLines(status),
      ...packetInLines(status, paint),
      ...formatLines(sampling),
      ...exporterLines(sampling.exporter, paint),
    );
  }
  if (status.flowSampling.some(({ datapath }) => datapath === undefined)) {
    lines.push(
      `  "sample" actions of flows: ${whole(session.translation.rewrites + session.translation.groupRewrites)} rewritten`,
    );
    lines.push(...meterLines(sampleActionMeter, paint));
  }
  for (const set of status.flowSampling) {
    lines.push(
      `  collector set ${set.collectorSetId}, IPFIX row ${set.ipfixRow}`,
      ...setLines(set),
      ...formatLines(set),
      ...exporterLines(set.exporter, paint),
    );
  }
  return lines;
}

/** The sampler where it is not always packet-ins: "datapath since 12:03:10: meter dropped". */
function samplerLines({ samplerChoice }: SampledBridgeStatus): string[] {
  if (samplerChoice === undefined) {
    return [];
  }
  const { sampler, since, reason } = samplerChoice;
  return foldText(`    sampler    ${sampler} since ${since.slice(11, 19)}: ${reason}`, VALUE_INDENT);
}

/** Samples of the datapath, and what of them was lost; nothing before the datapath has been needed. */
function datapathLines({ ownRows, samplerChoice, sampling }: SampledBridgeStatus): string[] {
  const datapath = sampling?.datapath;
  if (datapath === undefined || samplerChoice === undefined || ownRows === undefined) {
    return [];
  }
  const { selected, received, samplesLost, tail } = datapath;
  const { probability, path } = samplerChoice;
  const after = tail.samples === 0 ? '' : `, and ${whole(tail.samples)} after the last that arrived`;
  const text = `    datapath   ${whole(selected)} kept of ${whole(received)} received, ${numberText(samplesLost)} lost${after}`;
  return [...foldText(text, VALUE_INDENT), `               P ${probability} of 65535, path ${path}`];
}

/** Packet-ins and what they are kept as; nothing where the datapath samples and none has arrived. */
function packetInLines({ samplerChoice, sampling }: SampledBridgeStatus, paint: Paint): string[] {
  const sampler = sampling?.sampler;
  if (sampler === undefined || (samplerChoice?.sampler === 'datapath' && sampler.received === 0)) {
    return [];
  }
  const text = `    samples    ${whole(sampler.selected)} kept, weight ${numberText(sampler.sampleWeight)}`;
  return [...meterLines(sampler, paint), ...foldText(text, VALUE_INDENT)];
}

/** How the samples of a collector set arrive. */
function setLines({ flows, groups, sampler, datapath }: FlowSamplingStatus): string[] {
  if (datapath === undefined) {
    return [
      `    sampling   in ${counted(flows, 'flow')} and ${counted(groups, 'group')}`,
      `    samples    ${whole(sampler.selected)} kept of ${whole(sampler.received)} received`,
    ];
  }
  const text = `    samples    ${whole(sampler.selected)} received, ${numberText(datapath.samplesLost)} lost`;
  return [
    `    sampling   in ${counted(flows, 'flow')}, by the datapath; no flow is changed`,
    ...foldText(text, VALUE_INDENT),
  ];
}

/** Indent of continued values. */
const VALUE_INDENT = '           ';

function meterLines(meter: MeterLedgerStatus, paint: Paint): string[] {
  const received = `    packet-ins ${whole(meter.received)} received, ${whole(meter.droppedByMeter)} dropped by the meter, ${whole(meter.lost)} lost`;
  const isDropping = meter.shareDropped > 0;
  const lines = [
    ...foldText(
      `    observed   ${counted(meter.observedPackets, 'packet')}, ${counted(meter.observedOctets, 'octet')}`,
      VALUE_INDENT,
    ),
    ...foldText(received, VALUE_INDENT).map((line) => (isDropping ? paint('warning', line) : line)),
  ];
  if (meter.surplusPackets > 0) {
    lines.push(`    surplus    ${counted(meter.surplusPackets, 'packet-in')} more than passed the meter`);
  }
  if (meter.compensationFactor !== 1 || meter.writtenOffPackets > 0) {
    lines.push(
      `    loss       each packet-in represents ${meter.compensationFactor.toFixed(2)} packets;`,
      `               ${whole(meter.pendingLossPackets)} pending, ${whole(meter.writtenOffPackets)} written off`,
    );
  }
  if (meter.octetCompensationFactor !== 1 || meter.writtenOffOctets > 0) {
    lines.push(
      `    octets     each of a packet-in represents ${meter.octetCompensationFactor.toFixed(2)} octets;`,
      `               ${whole(meter.pendingLossOctets)} pending, ${whole(meter.writtenOffOctets)} written off`,
    );
  }
  return lines;
}

/** The format of the records where it is the default: a user of an earlier version may expect the other one. */
function formatLines({
  rowSetsFormat,
  exporter,
}: Pick<BridgeSamplingStatus, 'rowSetsFormat' | 'exporter'>): string[] {
  return rowSetsFormat
    ? []
    : [`    format     ${exporter.options.recordFormat}, by default: the row has no ovs-ipfix-record-format`];
}

function exporterLines(exporter: ExporterStatus, paint: Paint): string[] {
  const { cache, options, records } = exporter;
  const engine = cache.engine === 'typescript' ? '' : `, engine ${cache.engine}`;
  const caching =
    options.activeTimeoutSeconds > 0 && options.flowsMax > 0
      ? `${whole(cache.flows)} of ${whole(options.flowsMax)} flows, active timeout ${options.activeTimeoutSeconds} s${engine}`
      : `off (each sample is a record)`;
  const reasons =
    `${whole(records.activeTimeout)} active timeout, ${whole(records.lackOfResources)} lack of resources, ` +
    `${whole(records.forcedEnd)} forced end`;
  return [
    `    cache      ${caching}`,
    ...foldText(`    records    ${reasons}`, VALUE_INDENT),
    ...messageLines(exporter),
    ...deliveryLines(exporter),
    ...removedLines(exporter),
    ...exporter.collectors.flatMap((collector) =>
      collectorLines(collector, hasSource(exporter, collector), paint),
    ),
  ];
}

/** The length of messages where a path to a collector shortens them. */
function messageLines({ messageBytesMax, options, collectors }: ExporterStatus): string[] {
  if (messageBytesMax >= options.messageBytesMax) {
    return [];
  }
  const paths = collectors
    .filter(({ pathMtu }) => pathMtu !== undefined)
    .map(({ target, pathMtu }) => `${pathMtu} to ${target}`);
  return foldText(
    `    messages   of ${messageBytesMax} bytes at most; path MTU ${paths.join(', ')}`,
    VALUE_INDENT,
  );
}

/** What was lost by collectors that are not listed any more. */
function removedLines({ removedCollectors }: ExporterStatus): string[] {
  const { recordsLost } = removedCollectors;
  return recordsLost === 0 ? [] : [`    removed    collectors lost ${counted(recordsLost, 'record')}`];
}

/** How one of several collectors is chosen. */
function deliveryLines({ delivery }: ExporterStatus): string[] {
  if (delivery === undefined) {
    return [];
  }
  const { mode, failbackSeconds, changes } = delivery;
  return [`    delivery   ${mode}, back after ${failbackSeconds} s; ${counted(changes, 'change')}`];
}

/** Whether the row or the process sets the address that messages to the collector are sent from. */
function hasSource({ options }: ExporterStatus, { target }: CollectorStatus): boolean {
  return options.targets.some(({ text, source }) => text === target && source !== undefined);
}

function collectorLines(collector: CollectorStatus, showsSource: boolean, paint: Paint): string[] {
  const errors = errorsText(collector.errors);
  const { messagesLost, recordsLost, recordsDeliveryUnknown, backlogCount } = collector;
  const lost = messagesLost === 0 ? '' : `, ${counted(recordsLost, 'record')} lost`;
  const unknown =
    recordsDeliveryUnknown === 0 ? '' : `, ${whole(recordsDeliveryUnknown)} of unknown delivery`;
  const waiting = backlogCount === 0 ? '' : `, ${counted(backlogCount, 'message')} waiting`;
  const options =
    collector.optionsRecordsSent > 0 ? `, ${counted(collector.optionsRecordsSent, 'options record')}` : '';
  const sent = `${counted(collector.messagesSent, 'message')}, ${counted(collector.recordsSent, 'record')}${options}`;
  const from = showsSource && collector.sourceAddress !== undefined ? ` from ${collector.sourceAddress}` : '';
  const facts = `${sent}${filesText(collector)}${lost}${unknown}${waiting}${errors === '' ? '' : ` (${errors})`}`;
  const text = `${collector.target}${from} ${collectorState(collector)}: ${facts}`;
  const mood = collector.state === 'open' ? 'good' : 'bad';
  return foldText(`    collector  ${text}`, VALUE_INDENT).map((line) => paint(mood, line));
}

/** The files of a target that is one. */
function filesText({ files }: CollectorStatus): string {
  if (files === undefined) {
    return '';
  }
  return files.removed === 0
    ? `, ${counted(files.written, 'file')}`
    : `, ${counted(files.written, 'file')} (${whole(files.removed)} of them removed)`;
}

/** Formats a duration: `3 h 12 min`, `45 s`. */
export function durationText(seconds: number): string {
  const units: readonly (readonly [string, number])[] = [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ];
  const first = units.findIndex(([, size]) => seconds >= size);
  const shown = first < 0 ? units.slice(-1) : units.slice(first, first + 2);
  let rest = seconds;
  return shown
    .map(([unit, size]) => {
      const count = Math.floor(rest / size);
      rest -= count * size;
      return `${count} ${unit}`;
    })
    .join(' ');
}
