import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkCollector } from '../../src/commands/doctor/collector-checks.ts';
import { systemClock } from '../../src/runtime/clock.ts';

for (const transport of ['udp', 'tcp'] as const) {
  test(`a collector over ${transport} of a family without a source address is a finding`, async () => {
    const target = { host: '127.0.0.1', port: 9, text: '127.0.0.1:9', transport, source: { ipv6: '::1' } };
    const findings = await checkCollector(target, systemClock);
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
