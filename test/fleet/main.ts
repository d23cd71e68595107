// `npm run test:fleet`: a hundred exporters of ours, each a process with an address and an observation domain of its own, export bursts
// of records to real collectors: over UDP to nfacctd, which writes rows into PostgreSQL, and to nfcapd; over TCP to ipfixcol2; over TLS to
// stunnel in front of ipfixcol2. Each record must be in the output of each collector once, for the right exporter.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { programPath } from '../support/tiers.ts';
import { type FleetResult, runOverUdp } from './datagrams.ts';
import { captureOf } from './fleet.ts';
import { runOverStreams } from './streams.ts';

const { values } = parseArgs({
  options: {
    exporters: { type: 'string', default: '100' },
    records: { type: 'string', default: '1000' },
    /** Exporters that send at the same time. */
    jobs: { type: 'string', default: '8' },
    postgres: { type: 'string', default: '/usr/lib/postgresql/15/bin' },
    over: { type: 'string', default: 'udp,tcp,tls' },
  },
});
const size = {
  exporters: Number(values.exporters),
  records: Number(values.records),
  jobs: Number(values.jobs),
};
const total = size.exporters * size.records;

const say = (text: string) => void process.stdout.write(`${text}\n`);

function report(over: string, { seconds, processorSeconds, notes }: FleetResult): void {
  say(
    `${over}: ${size.exporters} exporters sent ${total} records in ${seconds.toFixed(1)} s, ${size.jobs} at a time`,
  );
  for (const note of notes) {
    say(`${over}: ${note}`);
  }
  for (const [name, used] of Object.entries(processorSeconds)) {
    const rate =
      used === 0 ? 'too few to tell' : `${Math.round(total / used)} records a second of one processor`;
    say(`${over}: ${name}: ${used.toFixed(2)} s of processor time, ${rate}`);
  }
}

/** Returns why the collectors of a transport cannot be run here; undefined if they can. */
function lackOf(over: string): string | undefined {
  const needed = { udp: ['nfacctd', 'nfcapd', 'psql'], tcp: ['ipfixcol2'], tls: ['ipfixcol2', 'stunnel'] }[
    over
  ];
  if (needed === undefined) {
    return 'it is not udp, tcp or tls';
  }
  const missing = needed.filter((program) => programPath(program) === undefined);
  return missing.length === 0 ? undefined : `this machine lacks ${missing.join(', ')}`;
}

const folder = await mkdtemp(join(tmpdir(), 'fleet-'));
try {
  const capture = join(folder, 'flows.pcap');
  await writeFile(capture, captureOf(size));
  say(`load of the machine before: ${loadavg()[0]?.toFixed(1)}`);
  for (const over of values.over.split(',')) {
    const lack = lackOf(over);
    if (lack !== undefined) {
      say(`${over}: not run: ${lack}`);
      process.exitCode ||= process.env['CI'] === 'true' ? 1 : 0;
    } else if (over === 'udp') {
      report(over, await runOverUdp(size, capture, values.postgres));
    } else {
      report(over, await runOverStreams(over === 'tcp' ? 'tcp' : 'tls', size, capture));
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
