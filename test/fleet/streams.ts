// The fleet into ipfixcol2 over TCP, and over TLS by stunnel in front of it: a connection of each exporter, templates once.

import assert from 'node:assert/strict';
import { certificateArguments, createTlsBench } from '../support/collector-tls.ts';
import { drained, startIpfixcol2 } from '../support/collectors.ts';
import { processorSecondsOf } from '../support/processor-usage.ts';
import { startStunnel } from '../support/stunnel.ts';
import { waitFor } from '../support/wait.ts';
import type { FleetResult } from './datagrams.ts';
import { exportersOf, FIRST_PORT, type FleetSize, runFleet } from './fleet.ts';

/** Each exporter has each of its records as one line, by its observation domain. */
function checkJson(text: string, size: FleetSize): void {
  const ports = new Map<number, number[]>();
  for (const line of text.split('\n').filter((each) => each.startsWith('{'))) {
    const record = JSON.parse(line) as Readonly<Record<string, unknown>>;
    const domain = Number(record['ipfix:odid']);
    const known = ports.get(domain) ?? [];
    known.push(Number(record['iana:sourceTransportPort']));
    ports.set(domain, known);
  }
  const expected = Array.from({ length: size.records }, (_, index) => FIRST_PORT + index);
  assert.deepEqual(
    [...ports.keys()].toSorted((a, b) => a - b),
    exportersOf(size),
  );
  for (const found of ports.values()) {
    assert.deepEqual(
      found.toSorted((a, b) => a - b),
      expected,
    );
  }
}

/** Waits until a process has nothing to do. Its standard output tells nothing: ipfixcol2 writes that at its end. */
async function hasSettled(pid: number): Promise<void> {
  let before = Number.NaN;
  await waitFor(
    async () => {
      const [last, now] = [before, await processorSecondsOf(pid)];
      before = now;
      return now === last;
    },
    { what: 'ipfixcol2 has nothing to do', timeoutMs: 60_000, intervalMs: 1000 },
  );
}

/** Runs the fleet over a transport and checks each count, from the flow to the line of JSON. */
export async function runOverStreams(
  transport: 'tcp' | 'tls',
  size: FleetSize,
  capture: string,
): Promise<FleetResult> {
  const bench = transport === 'tls' ? await createTlsBench() : undefined;
  const collector = await startIpfixcol2('tcp', true);
  const stunnel = bench && (await startStunnel(bench, collector.port));
  let text: Promise<string> | undefined;
  const stopCollector = () => {
    text ??= collector.stop();
    return text;
  };
  try {
    const files = bench && certificateArguments(bench);
    const target = stunnel?.target ?? `tcp:${collector.target}`;
    const seconds = await runFleet(size, capture, [target], files);
    await drained(collector.port, 'tcp');
    const total = size.exporters * size.records;
    await hasSettled(collector.pid);
    const processorSeconds = {
      [`ipfixcol2 over ${transport}`]: await processorSecondsOf(collector.pid),
      ...(stunnel && { stunnel: await processorSecondsOf(stunnel.pid) }),
    };
    checkJson(await stopCollector(), size);
    assert.equal(collector.complaints(), '');
    return { seconds, processorSeconds, notes: [`${total} lines of ipfixcol2, none missing`] };
  } finally {
    await stunnel?.stop();
    await stopCollector();
  }
}
