// The output of a replay: a progress line while it runs, and a summary of packets, records and messages at its end, as text or
// JSON.

import { linkTypeAdvice, linkTypeText } from '../../capture/link-types.ts';
import type { CollectorStatus } from '../../export/collector-stream.ts';
import { counted, whole } from '../../runtime/counted.ts';
import type { ReplayStatus } from './replay-run.ts';

/** Sentences of one kind that are shown; the number of the others follows. */
const SENTENCES_MAX = 10;

/** Returns the progress line; `seconds` since the start. */
export function progressLine(status: ReplayStatus, seconds: number): string {
  const { fileBytes, fileBytesRead, packets, exporter } = status;
  const share =
    fileBytes === undefined || fileBytes === 0
      ? ''
      : `${Math.floor((100 * fileBytesRead) / fileBytes)
          .toString()
          .padStart(3)}%  `;
  const rate = seconds > 0 ? Math.round(packets / seconds) : 0;
  return (
    `${share}${counted(packets, 'packet')}, ${whole(rate)}/s, ${counted(exporter.cache.flows, 'flow')}, ` +
    counted(recordCount(status), 'record')
  );
}

/** Returns the number of records, sent or lost. */
function recordCount({ exporter }: ReplayStatus): number {
  const { activeTimeout, forcedEnd, lackOfResources } = exporter.records;
  return activeTimeout + forcedEnd + lackOfResources;
}

/** Returns what makes a replay incomplete, as sentences; empty when every packet is in a record that was sent. */
export function shortfalls(status: ReplayStatus): string[] {
  const { exporter, faults, skipped } = status;
  const sentences = some(faults, 'captures could not be read to their ends');
  const skips = Array.from(
    skipped,
    ([linkType, packets]) =>
      `Packets skipped because ${linkTypeText(linkType)} is not supported: ${whole(packets)}. ${linkTypeAdvice(linkType)}`,
  );
  sentences.push(...some(skips, 'link types were skipped'));
  if (exporter.state === 'running' || exporter.state === 'stopping') {
    sentences.push(
      `A second signal ended the replay before all records were sent; ${counted(exporter.cache.flows, 'flow was', 'flows were')} left in the cache.`,
    );
  }
  if (exporter.cache.refused > 0) {
    sentences.push(
      `${counted(exporter.cache.refused, 'packet')} refused by the full cache and in no record.`,
    );
  }
  return [...sentences, ...exporter.collectors.flatMap(shortfallsOf)];
}

/** What a collector has not got, or may not have got. */
function shortfallsOf(collector: CollectorStatus): string[] {
  const { target, recordsLost, recordsDeliveryUnknown, lastError, files } = collector;
  const why = lastError === undefined ? '' : ` (${lastError})`;
  const sentences: string[] = [];
  if (recordsLost > 0) {
    sentences.push(`${counted(recordsLost, 'record was', 'records were')} not sent to ${target}${why}.`);
  }
  if (recordsDeliveryUnknown > 0) {
    const records = counted(recordsDeliveryUnknown, 'record');
    sentences.push(`${records} may not have arrived at ${target}${why}.`);
  }
  if (files !== undefined && files.removed > 0) {
    const removed = counted(files.removed, 'file was', 'files were');
    sentences.push(`${removed} removed for newer ones of ${target}: raise --file-targets-bytes.`);
  }
  return sentences;
}

/** Returns the first sentences, and one about the number of the others. */
function some(sentences: readonly string[], what: string): string[] {
  const others = sentences.length - SENTENCES_MAX;
  return others <= 0
    ? [...sentences]
    : [...sentences.slice(0, SENTENCES_MAX), `${whole(others)} other ${what}.`];
}

/** Says that the captures were not read to their ends; what was read is complete. */
function interruption({ isInterrupted }: ReplayStatus): string[] {
  return isInterrupted ? ['A signal ended the replay: what follows in the captures was not read.'] : [];
}

/** Returns the summary as text, in lines of at most 80 columns. */
export function summaryText(status: ReplayStatus, seconds: number): string {
  const { exporter, packets } = status;
  const { records, malformed, cache } = exporter;
  const faults = Object.values(malformed).reduce((sum, value) => sum + value, 0);
  const captureSeconds =
    status.firstMicros === undefined || status.lastMicros === undefined
      ? 0
      : (status.lastMicros - status.firstMicros) / 1_000_000;
  const filtered =
    status.filteredOut === 0 ? [] : [`           ${whole(status.filteredOut)} left out by the filter`];
  const lines = [
    `packets    ${whole(packets)}, ${counted(status.octets, 'octet')} (${whole(status.octetsCaptured)} captured), ` +
      `${captureSeconds.toFixed(3)} s of capture`,
    `           ${whole(cache.inserted + cache.aggregated)} counted in flows, ${whole(cache.refused)} not`,
    `           ${whole(faults)} with a truncated or malformed header, ${whole(status.outOfOrder)} out of order`,
    ...filtered,
    `flows      ${whole(cache.inserted)}, of which ${whole(cache.flows)} are left in the cache`,
    `records    ${whole(recordCount(status))}: ${whole(records.activeTimeout)} active timeout, ` +
      `${whole(records.lackOfResources)} lack of resources,`,
    `           ${whole(records.forcedEnd)} forced end; in ${counted(exporter.messages, 'message')}`,
    ...exporter.collectors.map(
      (collector) =>
        `collector  ${collector.target}: ${counted(collector.recordsSent, 'record')} sent, ${whole(collector.recordsLost)} lost`,
    ),
    `took       ${seconds.toFixed(3)} s, ${whole(seconds > 0 ? Math.round(packets / seconds) : 0)} packets/s`,
    ...[...shortfalls(status), ...status.warnings, ...interruption(status)].map(
      (sentence) => `WARNING    ${sentence}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

/** Returns the summary as an object; docs/replay.md has the fields. */
export function summaryJson(status: ReplayStatus, seconds: number): string {
  const { exporter, skipped, ...replay } = status;
  const { records, malformed, cache, messages, collectors } = exporter;
  return `${JSON.stringify(
    {
      schema: 'ovs-ipfix/replay',
      version: 1,
      seconds,
      ...replay,
      skipped: Array.from(skipped, ([linkType, packets]) => ({ linkType, packets })),
      packetsInFlows: cache.inserted + cache.aggregated,
      packetsRefused: cache.refused,
      malformed,
      flows: cache.inserted,
      cacheMemoryBytes: cache.memoryBytes,
      engine: cache.engine,
      records,
      messages,
      messageBytesMax: exporter.messageBytesMax,
      collectors: collectors.map((collector) => ({
        target: collector.target,
        pathMtu: collector.pathMtu,
        messagesSent: collector.messagesSent,
        recordsSent: collector.recordsSent,
        octetsSent: collector.octetsSent,
        messagesLost: collector.messagesLost,
        recordsLost: collector.recordsLost,
        recordsDeliveryUnknown: collector.recordsDeliveryUnknown,
        files: collector.files,
        errors: collector.errors,
      })),
      shortfalls: shortfalls(status),
    },
    undefined,
    2,
  )}\n`;
}
