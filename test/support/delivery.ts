// Delivery over each transport: an exporter whose records are numbered, and strict collectors that say which numbers they got.

import { parseTarget } from '../../src/config/target.ts';
import type { DeliveryOptions } from '../../src/export/collector-choice.ts';
import type {
  CollectorSession,
  CollectorTarget,
  SessionListener,
} from '../../src/export/collector-session.ts';
import type { CollectorStatus } from '../../src/export/collector-stream.ts';
import { Exporter } from '../../src/export/exporter.ts';
import { EXPORTER_DEFAULTS } from '../../src/export/exporter-options.ts';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import type { DecodedRecord, ReaderProblem } from '../../src/ipfix/reader-types.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { udpFrame } from './frames.ts';
import type { StreamSink } from './stream-sink.ts';
import { UdpSink } from './udp-sink.ts';

/** A collector of any transport. */
export interface DeliveryCollector {
  readonly port: number;
  /** What has arrived so far. */
  records(): readonly DecodedRecord[];
  problems(): readonly ReaderProblem[];
  close(): Promise<unknown>;
}

/** One transport. */
export interface DeliveryTransport {
  readonly name: 'udp' | 'tcp' | 'tls' | 'file';
  readonly isReliable: boolean;
  /** Hosts of this machine that the collector can be reached by: addresses and a name. */
  readonly hosts: readonly string[];
  /** Opens a collector on 127.0.0.1. */
  readonly openCollector: () => Promise<DeliveryCollector>;
  readonly openSession: (target: CollectorTarget, listener: SessionListener) => CollectorSession;
  /** Returns the target of a collector as a row has it. Default: the transport, the host and the port. */
  readonly targetText?: (port: number) => string;
  /** The error of a collector that was closed. Default: that of a host at whose port no process listens. */
  readonly refusal?: { readonly code: string; readonly text: RegExp };
}

/** A strict collector over UDP. */
export async function openUdpCollector(): Promise<DeliveryCollector> {
  const sink = await UdpSink.open();
  const reader = new MessageReader();
  const records: DecodedRecord[] = [];
  const problems: ReaderProblem[] = [];
  let read = 0;
  const readOn = () => {
    for (; read < sink.datagrams.length; read += 1) {
      const message = reader.read(sink.sources[read] ?? '', sink.datagrams[read] ?? Buffer.alloc(0));
      records.push(...message.records);
      problems.push(...message.problems);
    }
  };
  return {
    port: sink.port,
    records: () => {
      readOn();
      return records;
    },
    problems: () => {
      readOn();
      return problems;
    },
    close: () => sink.close(),
  };
}

/** The same over a stream; see `StreamSink` for what else it can do. */
export function streamCollector(sink: StreamSink): DeliveryCollector & { readonly sink: StreamSink } {
  return {
    sink,
    port: sink.port,
    records: () => sink.records,
    problems: () => sink.problems,
    close: () => sink.close(),
  };
}

/** Returns a target as a row has it. */
export function targetOf(text: string): CollectorTarget {
  const parsed = parseTarget(text);
  if ('fault' in parsed) {
    throw new Error(parsed.fault);
  }
  return parsed.target;
}

/** An exporter without a cache: each sample is a record, and its number is the packet's source address. */
export class NumberedExporter {
  readonly exporter: Exporter;
  readonly #frame = udpFrame({});
  #next = 0;

  constructor(
    targets: readonly CollectorTarget[],
    openSession: (target: CollectorTarget, listener: SessionListener) => CollectorSession,
    delivery?: DeliveryOptions,
  ) {
    const parts = { clock: systemClock, log: silentLogger, openSession };
    this.exporter = new Exporter('br0', { ...EXPORTER_DEFAULTS, targets, delivery }, parts);
    this.exporter.start();
  }

  /** Exports that many records. */
  send(count: number): void {
    for (let sent = 0; sent < count; sent += 1) {
      this.#frame.writeUInt32BE(0x0a00_0000 + this.#next, 26);
      this.#next += 1;
      this.exporter.sample(this.#frame, 0, this.#frame.length, this.#frame.length, 1, 7, 1, 1);
    }
  }

  /** Exports so many records a second for that many seconds, and returns how many there were. */
  async sendFor(seconds: number, recordsPerSecond: number): Promise<number> {
    const startMs = performance.now();
    let sent = 0;
    for (let isOver = false; !isOver; ) {
      const elapsed = Math.min(seconds, (performance.now() - startMs) / 1000);
      const due = Math.floor(elapsed * recordsPerSecond) - sent;
      this.send(due);
      sent += due;
      isOver = elapsed === seconds;
      await new Promise<void>((resolve) => systemClock.setTimer(resolve, 10));
    }
    return sent;
  }

  collector(index = 0): CollectorStatus {
    const status = this.exporter.status().collectors[index];
    if (status === undefined) {
      throw new Error(`no collector ${index}`);
    }
    return status;
  }
}

/** Returns the numbers of records, in the order in which they arrived. */
export function numbersOf(records: readonly DecodedRecord[]): number[] {
  return records.map(({ template, values }) => {
    const address = String(values[template.fields.findIndex(({ name }) => name === 'sourceIPv4Address')]);
    const [, second = 0, third = 0, fourth = 0] = address.split('.').map(Number);
    return (second * 256 + third) * 256 + fourth;
  });
}

/** Returns the whole numbers from `first` up to, and without, `end`. */
export function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index);
}
