// A collector that counts the records of each numbered packet, whoever exports them, and can be stopped and started at its port.

import { MessageReader } from '../../src/ipfix/message-reader.ts';
import type { DecodedRecord } from '../../src/ipfix/reader-types.ts';
import { UdpSink } from '../support/udp-sink.ts';

/** Template ids of the daemon in the format `extended`; those of ovs-vswitchd are below. */
const EXTENDED_TEMPLATE_MIN = 512;
/** The flowDirection of packets that leave the switch, which ovs-vswitchd exports once more. */
const EGRESS = 1;
/** What a stop of the collector, or the end of an exporter, explains. */
const EXPECTED_PROBLEMS = new Set(['sequence-gap', 'sequence-repeat']);

export class NumberedCollector {
  /** Records of each number. */
  readonly records = new Map<number, number>();
  /** Data records that daemons have sent and that have arrived. */
  fromDaemons = 0;
  /** Faults of messages, other than gaps of sequence numbers. */
  readonly problems: string[] = [];
  readonly #reader = new MessageReader();
  readonly #port: number;
  #sink: UdpSink | undefined;
  #readCount = 0;

  private constructor(sink: UdpSink) {
    this.#sink = sink;
    this.#port = sink.port;
  }

  static async open(): Promise<NumberedCollector> {
    return new NumberedCollector(await UdpSink.open());
  }

  get target(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Decodes what has arrived. */
  read(): void {
    const sink = this.#sink;
    if (sink === undefined) {
      return;
    }
    for (; this.#readCount < sink.datagrams.length; this.#readCount += 1) {
      const datagram = sink.datagrams[this.#readCount];
      if (datagram === undefined) {
        return;
      }
      const message = this.#reader.read(sink.sources[this.#readCount] ?? '', datagram);
      for (const { code, message: text } of message.problems) {
        if (!EXPECTED_PROBLEMS.has(code)) {
          this.problems.push(`${code}: ${text}`);
        }
      }
      for (const record of message.records) {
        this.#count(record);
      }
    }
  }

  /** Closes the port; what has arrived stays. */
  async stop(): Promise<void> {
    this.read();
    await this.#sink?.close();
    this.#sink = undefined;
  }

  /** Opens the same port again. */
  async restart(): Promise<void> {
    this.#readCount = 0;
    this.#sink = await UdpSink.open({ port: this.#port });
  }

  #count({ template, values }: DecodedRecord): void {
    const at = template.fields.findIndex(({ name }) => name === 'sourceTransportPort');
    if (template.scopeCount > 0 || at < 0) {
      return;
    }
    const isOfDaemon = template.id >= EXTENDED_TEMPLATE_MIN;
    const direction = values[template.fields.findIndex(({ name }) => name === 'flowDirection')];
    if (!isOfDaemon && Number(direction) === EGRESS) {
      return;
    }
    const number = Number(values[at]);
    this.records.set(number, (this.records.get(number) ?? 0) + 1);
    if (isOfDaemon) {
      this.fromDaemons += 1;
    }
  }
}
