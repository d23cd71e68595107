// An exporter with a recording collector, whose deferred work the test runs, and which samples numbered flows.

import assert from 'node:assert/strict';
import { Exporter } from '../../src/export/exporter.ts';
import { EXPORTER_DEFAULTS, type ExporterOptions } from '../../src/export/exporter-options.ts';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import type { RecordFormat } from '../../src/ipfix/record-layout.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { recordingSessions } from './recording-session.ts';

export const SECOND = 1_000_000;

export const target = (port: number) => ({ host: '192.0.2.1', port, text: `192.0.2.1:${port}` });

interface SentRecord {
  readonly flow: number;
  readonly format: RecordFormat;
  readonly packets: number;
  readonly reason: number;
}

export class FormatBench {
  readonly clock = new ManualClock(1_400_000_000_250_000);
  readonly #deferred: (() => void)[] = [];
  readonly #recording;
  readonly exporter: Exporter;
  #options: ExporterOptions;
  readonly #frame = Buffer.from(
    '0200000000020200000000010800450000281234000040060000000000000a00000203e80050000000010000000050020000ffff0000',
    'hex',
  );

  constructor(options: Partial<ExporterOptions>, isReliable = false) {
    this.#recording = recordingSessions(isReliable);
    this.#options = { ...EXPORTER_DEFAULTS, recordFormat: 'original', targets: [target(1)], ...options };
    this.exporter = new Exporter('br0', this.#options, {
      clock: this.clock,
      log: silentLogger,
      openSession: this.#recording.openSession,
      defer: (callback) => this.#deferred.push(callback),
      hashSeed: 7,
    });
    this.exporter.start();
  }

  /** Samples a TCP frame of 54 bytes from the address `flow`. */
  sample(flow: number, domain = 1): void {
    this.#frame.writeUInt32BE(flow, 26);
    this.exporter.sample(this.#frame, 0, 54, 54, 1, domain, 5, 77);
  }

  configure(options: Partial<ExporterOptions>): void {
    this.#options = { ...this.#options, ...options };
    this.exporter.configure(this.#options);
  }

  /** Runs what is deferred now, but not what that defers. */
  turn(): void {
    for (const callback of this.#deferred.splice(0)) {
      callback();
    }
    this.clock.advance(1000);
  }

  /** Runs what is deferred, and what follows from that. */
  async settle(): Promise<void> {
    for (let quietTurns = 0; quietTurns < 30; quietTurns += 1) {
      if (this.#deferred.length > 0) {
        quietTurns = 0;
      }
      this.turn();
      await new Promise(setImmediate);
    }
  }

  /** Decodes the messages of a session strictly, and checks that no message holds records of both formats. */
  records(index = 0): SentRecord[] {
    const reader = new MessageReader();
    return (this.#recording.sessions[index]?.messages ?? []).flatMap((bytes) => {
      const { problems, records } = reader.read('s', bytes, 'udp');
      assert.deepEqual(problems, []);
      const sent = records.map(({ template, values }) => {
        const valueOf = (name: string) => values[template.fields.findIndex((field) => field.name === name)];
        const format: RecordFormat = template.id < 512 ? 'original' : 'extended';
        assert.equal(valueOf('ingressInterface'), format === 'extended' ? 77 : undefined);
        const address = String(valueOf('sourceIPv4Address')).split('.').map(Number);
        return {
          flow: Buffer.from(address).readUInt32BE(),
          format,
          packets: Number(valueOf('packetDeltaCount')),
          reason: Number(valueOf('flowEndReason')),
        };
      });
      assert.ok(new Set(sent.map(({ format }) => format)).size <= 1, 'a message has records of one format');
      return sent;
    });
  }

  messages(index = 0): readonly Buffer[] {
    return this.#recording.sessions[index]?.messages ?? [];
  }
}
