// The daemon's messages, decoded by tshark and by ipfixDump, which is strict. The messages come from an exporter with every
// frame of record-vectors.json, uncached and cached, with several domains and small messages.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Exporter } from '../../src/export/exporter.ts';
import { EXPORTER_DEFAULTS, type ExporterOptions } from '../../src/export/exporter-options.ts';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import type { DecodedRecord } from '../../src/ipfix/reader-types.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { recordingSessions } from '../export/recording-session.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { runForOutput } from '../support/process.ts';
import { tier } from '../support/tiers.ts';

const EXPORTER_PORT = 40_000;
const COLLECTOR_PORT = 4739;

interface Vectors {
  readonly vectors: readonly { readonly frame: string }[];
}

const frames = (
  JSON.parse(readFileSync(new URL('../vectors/record-vectors.json', import.meta.url), 'utf8')) as Vectors
).vectors.map((vector) => Buffer.from(vector.frame, 'hex'));

/** Returns the messages of an exporter that samples all frames in each of three domains, some seconds apart, twice. */
async function exportFrames(options: Partial<ExporterOptions>): Promise<readonly Buffer[]> {
  const clock = new ManualClock(1_400_000_000_250_000);
  const deferred: (() => void)[] = [];
  const endBatch = () => {
    for (const callback of deferred.splice(0)) {
      callback();
    }
  };
  const { sessions, openSession } = recordingSessions();
  const exporter = new Exporter(
    'br0',
    {
      ...EXPORTER_DEFAULTS,
      targets: [{ host: '192.0.2.1', port: 4739, text: '192.0.2.1:4739' }],
      ...options,
    },
    { clock, log: silentLogger, openSession, defer: (callback) => deferred.push(callback), hashSeed: 3 },
  );
  exporter.start();
  for (let round = 0; round < 2; round += 1) {
    for (const domain of [1, 7, 0xffff_ffff]) {
      for (const frame of frames) {
        exporter.sample(frame, 0, frame.length, frame.length, 400, domain, 22, 3);
        clock.advance(1000);
      }
      endBatch();
      clock.advance(2_000_000);
    }
    clock.advance(601_000_000);
    endBatch();
  }
  await exporter.stop();
  return sessions[0]?.messages ?? [];
}

function recordsOf(messages: readonly Buffer[]): DecodedRecord[] {
  const reader = new MessageReader();
  return messages.flatMap((message) => {
    const { problems, records } = reader.read('s', message);
    assert.deepEqual(problems, []);
    return records;
  });
}

function valuesOf(records: readonly DecodedRecord[], name: string): string[] {
  return records.flatMap(({ template, values }) => {
    const index = template.fields.findIndex((field) => field.name === name);
    return index < 0 ? [] : [String(values[index])];
  });
}

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'ovs-ipfix-oracle-'));
  context.after(() => rmSync(path, { recursive: true }));
  return path;
}

/** Returns a capture file of UDP datagrams from one local port to another (pcap, link type 101: IP). */
function capture(messages: readonly Buffer[]): Buffer {
  const file = Buffer.alloc(24);
  file.writeUInt32LE(0xa1b2c3d4, 0);
  file.writeUInt16LE(2, 4);
  file.writeUInt16LE(4, 6);
  file.writeUInt32LE(65_535, 16);
  file.writeUInt32LE(101, 20);
  const packets = messages.map((message) => {
    const size = 28 + message.length;
    const packet = Buffer.alloc(16 + size);
    packet.writeUInt32LE(message.readUInt32BE(4), 0);
    packet.writeUInt32LE(size, 8);
    packet.writeUInt32LE(size, 12);
    const ip = packet.subarray(16);
    ip.writeUInt16BE(0x4500, 0);
    ip.writeUInt16BE(size, 2);
    ip.writeUInt16BE(0x4011, 8);
    ip.writeUInt32BE(0x7f00_0001, 12);
    ip.writeUInt32BE(0x7f00_0001, 16);
    ip.writeUInt16BE(EXPORTER_PORT, 20);
    ip.writeUInt16BE(COLLECTOR_PORT, 22);
    ip.writeUInt16BE(8 + message.length, 24);
    message.copy(ip, 28);
    return packet;
  });
  return Buffer.concat([file, ...packets]);
}

const cases: readonly [name: string, options: Partial<ExporterOptions>][] = [
  ['uncached', {}],
  ['cached', { activeTimeoutSeconds: 5, flowsMax: 20 }],
  ['in small messages', { messageBytesMax: 256 }],
  ['in the largest messages of UDP', { messageBytesMax: 65_507 }],
  ['in the format extended', { recordFormat: 'extended', activeTimeoutSeconds: 5, flowsMax: 20 }],
  ['in the format extended in small messages', { recordFormat: 'extended', messageBytesMax: 256 }],
];

for (const [name, options] of cases) {
  test(
    `tshark decodes messages exported ${name} without an error, to the same values`,
    tier('tshark'),
    async (context) => {
      const messages = await exportFrames(options);
      const records = recordsOf(messages);
      assert.ok(records.length > 100);
      const file = join(folder(context), 'messages.pcap');
      writeFileSync(file, capture(messages));
      const base = ['-n', '-r', file, '-d', `udp.port==${COLLECTOR_PORT},cflow`];
      const { stdout: complaints } = await runForOutput(
        'tshark',
        [...base, '-Y', '_ws.expert || _ws.malformed || !cflow', '-V'],
        { timeoutMs: 60_000 },
      );
      assert.equal(complaints, '');
      const columns = {
        observationPointId: 'cflow.observation_point_id',
        sourceMacAddress: 'cflow.srcmac',
        packetDeltaCount: 'cflow.packets',
        layer2OctetDeltaCount: 'cflow.layer2_octet_delta_count',
        flowEndReason: 'cflow.flow_end_reason',
        sourceIPv4Address: 'cflow.srcaddr',
        destinationTransportPort: 'cflow.dstport',
        octetDeltaSumOfSquares: 'cflow.delta_octets_squared',
        maximumIpTotalLength: 'cflow.length_max',
      };
      const fields = Object.values(columns).flatMap((field) => ['-e', field]);
      const { stdout } = await runForOutput('tshark', [...base, '-T', 'fields', ...fields], {
        timeoutMs: 60_000,
      });
      const lines = stdout.split('\n').map((line) => line.split('\t'));
      for (const [index, element] of Object.keys(columns).entries()) {
        const seen = lines.flatMap((line) => (line[index] ?? '').split(',').filter((value) => value !== ''));
        assert.deepEqual(seen, valuesOf(records, element), element);
      }
    },
  );

  test(
    `ipfixDump decodes messages exported ${name} without a warning, and as many records`,
    tier('fixbuf'),
    async (context) => {
      const messages = await exportFrames(options);
      const records = recordsOf(messages);
      const file = join(folder(context), 'messages.ipfix');
      writeFileSync(file, Buffer.concat(messages));
      const { stdout, stderr } = await runForOutput('ipfixDump', ['--in', file], { timeoutMs: 60_000 });
      assert.equal(stderr, '');
      assert.doesNotMatch(stdout, /warn|error/i);
      assert.equal(stdout.match(/^--- data record/gm)?.length, records.length);
    },
  );
}
