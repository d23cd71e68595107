import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkCollector } from '../../src/commands/doctor/collector-checks.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createTlsBench } from '../support/collector-tls.ts';
import { StreamSink } from '../support/stream-sink.ts';

for (const transport of ['udp', 'tcp'] as const) {
  test(`a collector over ${transport} of a family without a source address is a finding`, async () => {
    const target = { host: '127.0.0.1', port: 9, text: '127.0.0.1:9', transport, source: { ipv6: '::1' } };
    const findings = await checkCollector(target, undefined, systemClock);
    assert.deepEqual(
      findings.map(({ code, message }) => [code, message]),
      [
        [
          'collector-refuses',
          'Nothing can be sent to it: no source address is an IPv4 address, as 127.0.0.1 needs (EAFNOSUPPORT).',
        ],
      ],
    );
  });
}

test('with the TLS files, a collector whose certificate cannot be verified is a finding', async (t) => {
  const bench = await createTlsBench();
  const other = await bench.folder.authority('other');
  const sink = await StreamSink.open({ tls: bench.serverOptions });
  t.after(() => sink.close());
  const target = { host: '127.0.0.1', port: sink.port, text: sink.target, transport: 'tls' } as const;
  assert.deepEqual(await checkCollector(target, bench.files, systemClock), []);
  assert.deepEqual(await checkCollector(target, undefined, systemClock), [], 'a connection alone succeeds');
  const cases = [
    [
      { ca: other.cert },
      /^No TLS session with it: its certificate is not signed by the CA of .*other\.pem\.$/u,
    ],
    [{ certificate: undefined, key: undefined }, /^No TLS session with it: .*certificate/u],
    [{ ca: '/nonexistent/ca.crt' }, /^No TLS session with it: the TLS files cannot be used\.$/u],
  ] as const;
  for (const [files, message] of cases) {
    const findings = await checkCollector(target, { ...bench.files, ...files }, systemClock);
    assert.deepEqual(
      findings.map(({ code, where }) => [code, where]),
      [['collector-tls-refused', `Collector ${sink.target}`]],
    );
    assert.match(findings[0]?.message ?? '', message);
    assert.match(findings[0]?.action ?? '', /^[A-Z].*\.$/u);
  }
});
