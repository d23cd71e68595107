// What an exporter sends: packs records into messages, and gives each message to the collectors, with the templates and options
// records of the present options. The exporter decides which records, and when.

import type { FlowRecord } from '../flow/flow-record.ts';
import type { DescribedInterface } from '../ipfix/options-sets.ts';
import { layoutOfTemplate, type RecordLayout } from '../ipfix/record-layout.ts';
import type { Clock } from '../runtime/clock.ts';
import { CollectorStreams } from './collector-streams.ts';
import { type ExporterOptions, layoutOf } from './exporter-options.ts';
import type { ExporterParts } from './exporter-parts.ts';
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
  readonly #deliver: (message: OpenMessage) => void;
  #options: ExporterOptions;
  #optionsRecords: OptionsRecords;
  #packer: MessagePacker;
  /** The layout of the records that are sent now; it differs from that of the options until older flows have been sent. */
  #layout: RecordLayout;
  #messageCount = 0;
  #messageBytesMax: number;

  constructor(
    options: ExporterOptions,
    { clock, openSession, sendBudget }: Pick<ExporterParts, 'clock' | 'openSession' | 'sendBudget'>,
  ) {
    this.streams = new CollectorStreams(openSession, sendBudget, () => this.#fitPaths());
    this.#clock = clock;
    this.#steadyOffsetMicros = clock.wallMicros() - clock.monotonicMicros();
    this.#options = options;
    this.#messageBytesMax = options.messageBytesMax;
    this.#optionsRecords = new OptionsRecords(options.optionsRecords, []);
    this.#layout = layoutOf(options);
    this.#deliver = (message) => {
      this.#messageCount += 1;
      this.#recent.keep(message.writer.bytes, message.writer.size);
      this.streams.deliver(message);
    };
    this.#packer = this.#makePacker();
  }

  /** Messages with records, each counted once for all collectors. */
  get messageCount(): number {
    return this.#messageCount;
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
    this.streams.setTargets(this.#options.targets, this.#streamOptions());
    this.#fitPaths();
  }

  /** Ends the open messages and applies other options to the next ones; `setCollectors` applies them to the collectors. */
  setOptions(options: ExporterOptions): void {
    this.#packer.finishAll();
    this.#optionsRecords = this.#optionsRecords.with(options.optionsRecords);
    this.#options = options;
    this.#messageBytesMax = this.#fittingBytes;
    this.#packer = this.#makePacker();
  }

  /** Sets the interfaces that options records describe, each number once. */
  setInterfaces(interfaces: readonly DescribedInterface[]): void {
    this.#optionsRecords.setInterfaces(interfaces);
  }

  /** Adds one record; `reason` is its flowEndReason. */
  add(record: FlowRecord, reason: number): void {
    this.#setLayout(layoutOfTemplate(record.templateId));
    this.#packer.add(record, reason);
  }

  /** Sends all open messages. */
  finishAll(): void {
    this.#packer.finishAll();
  }

  /** Returns copies of the newest messages with records, newest first, without sequence numbers; valid until the next one. */
  recentMessages(): readonly Buffer[] {
    return this.#recent.newestFirst();
  }

  /** Ends the messages of one layout; the templates of the other are sent before its first record. */
  #setLayout(layout: RecordLayout): void {
    if (layout !== this.#layout) {
      this.#packer.finishAll();
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
      this.#packer.finishAll();
      this.#messageBytesMax = this.#fittingBytes;
      this.#packer = this.#makePacker();
      this.streams.setOptions(this.#streamOptions());
    }
  }

  #streamOptions(): StreamOptions {
    const options = { ...this.#options, messageBytesMax: this.#messageBytesMax };
    return streamOptions(options, this.#layout, this.#optionsRecords);
  }

  #makePacker(): MessagePacker {
    return new MessagePacker(this.#clock, this.#messageBytesMax, this.#steadyOffsetMicros, this.#deliver);
  }
}
