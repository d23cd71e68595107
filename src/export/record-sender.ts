// What an exporter sends: packs records into messages, and gives each message to the collectors, with the templates and options
// records of the present options. The exporter decides which records, and when.

import type { FlowRecord, FlowRun } from '../flow/flow-record.ts';
import type { DescribedInterface } from '../ipfix/options-sets.ts';
import { layoutOfTemplate, type RecordLayout } from '../ipfix/record-layout.ts';
import type { Clock } from '../runtime/clock.ts';
import type { MessageTime } from './collector-stream.ts';
import { CollectorStreams } from './collector-streams.ts';
import { type ExporterOptions, layoutOf } from './exporter-options.ts';
import type { ExporterParts } from './exporter-parts.ts';
import type { DeliveryStatus } from './exporter-status.ts';
import { MessagePacker } from './message-packer.ts';
import type { OpenMessage } from './open-message.ts';
import { OptionsRecords } from './options-records.ts';
import { RecentMessages } from './recent-messages.ts';
import { type StreamOptions, streamOptions } from './stream-options.ts';

export class RecordSender {
  readonly streams: CollectorStreams;
  readonly #clock: Clock;
  readonly #steadyOffsetMicros: number;
  readonly #recent = new RecentMessages();
  #options: ExporterOptions;
  #optionsRecords: OptionsRecords;
  /** One for each group of flows: see `CollectorStreams.groupCount`. */
  #packers: readonly MessagePacker[];
  /** The layout of the records that are sent now; it differs from that of the options until older flows have been sent. */
  #layout: RecordLayout;
  #messageCount = 0;
  #messageBytesMax: number;

  /** @param name the exporter's, for the log */
  constructor(
    name: string,
    options: ExporterOptions,
    {
      clock,
      log,
      openSession,
      sendBudget,
    }: Pick<ExporterParts, 'clock' | 'log' | 'openSession' | 'sendBudget'>,
  ) {
    this.streams = new CollectorStreams({
      openSession,
      clock,
      log: log.limited(`collectors of ${name}`),
      budget: sendBudget,
      onMessageBytes: () => this.#fitPaths(),
      timeNow: (observationDomainId) => this.#timeNow(observationDomainId),
    });
    this.#clock = clock;
    this.#steadyOffsetMicros = clock.wallMicros() - clock.monotonicMicros();
    this.#options = options;
    this.#messageBytesMax = options.messageBytesMax;
    this.#optionsRecords = new OptionsRecords(options.optionsRecords, []);
    this.#layout = layoutOf(options);
    this.#packers = this.#makePackers();
  }

  /** Messages with records, each counted once for all collectors. */
  get messageCount(): number {
    return this.#messageCount;
  }

  /** The state of the delivery to one of several collectors; undefined where each gets each record. */
  deliveryStatus(): DeliveryStatus | undefined {
    const { delivery } = this.#options;
    return delivery === undefined || delivery.mode === 'all'
      ? undefined
      : { ...delivery, changes: this.streams.changes };
  }

  /** The longest message in bytes: as in the options, or less where the path to a collector is narrower. */
  get messageBytesMax(): number {
    return this.#messageBytesMax;
  }

  /** Interfaces beyond the limit, which have no options record. */
  get interfacesOmitted(): number {
    return this.#optionsRecords.interfacesOmitted;
  }

  /** Opens the sessions of collectors that have none, and closes those of collectors that are not in the options any more. */
  setCollectors(): void {
    const { targets, delivery } = this.#options;
    this.finishAll();
    this.streams.setTargets(targets, this.#streamOptions(), delivery);
    this.#packers = this.#makePackers();
    this.#fitPaths();
  }

  /** Ends the open messages and applies other options to the next ones; `setCollectors` applies them to the collectors. */
  setOptions(options: ExporterOptions): void {
    this.finishAll();
    this.#optionsRecords = this.#optionsRecords.with(options.optionsRecords);
    this.#options = options;
    this.#messageBytesMax = this.#fittingBytes;
    this.#packers = this.#makePackers();
  }

  /** Sets the interfaces that options records describe, each number once. */
  setInterfaces(interfaces: readonly DescribedInterface[]): void {
    this.#optionsRecords.setInterfaces(interfaces);
  }

  /** Adds one record; `reason` is its flowEndReason. */
  add(record: FlowRecord, reason: number): void {
    this.#setLayout(layoutOfTemplate(record.templateId));
    const packers = this.#packers;
    const group = packers.length === 1 ? 0 : this.streams.groupOf(record.hash);
    packers[group]!.add(record, reason);
  }

  /** Adds records that the engine encodes, from the beginning of the run; returns how many, 0 if they have to be added one by one. */
  addEncoded(run: FlowRun): number {
    const packers = this.#packers;
    if (packers.length > 1 || !run.isEncoded) {
      return 0;
    }
    this.#setLayout(layoutOfTemplate(run.first.templateId));
    return packers[0]!.addEncoded(run);
  }

  /** Sends all open messages. */
  finishAll(): void {
    for (const packer of this.#packers) {
      packer.finishAll();
    }
  }

  /** Returns copies of the newest messages with records, newest first, without sequence numbers; valid until the next one. */
  recentMessages(): readonly Buffer[] {
    return this.#recent.newestFirst();
  }

  /** Ends the messages of one layout; the templates of the other are sent before its first record. */
  #setLayout(layout: RecordLayout): void {
    if (layout !== this.#layout) {
      this.finishAll();
      this.#layout = layout;
      this.streams.setOptions(this.#streamOptions());
    }
  }

  /** All collectors get the same messages, so that the narrowest path decides. */
  get #fittingBytes(): number {
    return Math.min(this.#options.messageBytesMax, this.streams.messageBytesMax);
  }

  /** Makes the next messages shorter or longer, as the paths to the collectors allow. */
  #fitPaths(): void {
    if (this.#fittingBytes !== this.#messageBytesMax) {
      this.finishAll();
      this.#messageBytesMax = this.#fittingBytes;
      this.#packers = this.#makePackers();
      this.streams.setOptions(this.#streamOptions());
    }
  }

  #streamOptions(): StreamOptions {
    const options = { ...this.#options, messageBytesMax: this.#messageBytesMax };
    return streamOptions(options, this.#layout, this.#optionsRecords);
  }

  #makePackers(): readonly MessagePacker[] {
    return Array.from({ length: this.streams.groupCount }, (_, group) => {
      const deliver = (message: OpenMessage) => {
        this.#messageCount += 1;
        this.#recent.keep(message.writer.bytes, message.writer.size);
        this.streams.deliver(message, group);
      };
      return new MessagePacker(this.#clock, this.#messageBytesMax, this.#steadyOffsetMicros, deliver);
    });
  }

  /** The times of a message that is sent now, as the packer sets them. */
  #timeNow(observationDomainId: number): MessageTime {
    const monotonicMicros = this.#clock.monotonicMicros();
    return {
      observationDomainId,
      exportTimeSeconds: Math.ceil(this.#clock.wallMicros() / 1_000_000),
      steadySeconds: Math.ceil((monotonicMicros + this.#steadyOffsetMicros) / 1_000_000),
    };
  }
}
