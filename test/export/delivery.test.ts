import { TcpSession } from '../../src/export/tcp-session.ts';
import { UdpSession } from '../../src/export/udp-session.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { openUdpCollector, streamCollector } from '../support/delivery.ts';
import { StreamSink } from '../support/stream-sink.ts';
import { testDelivery } from './delivery-contract.ts';

const parts = { clock: systemClock, log: silentLogger };

testDelivery({
  name: 'udp',
  isReliable: false,
  hosts: ['127.0.0.1', 'localhost'],
  openCollector: openUdpCollector,
  openSession: (target, listener) => new UdpSession(target, listener, parts),
});

testDelivery({
  name: 'tcp',
  isReliable: true,
  hosts: ['127.0.0.1', 'localhost'],
  openCollector: async () => streamCollector(await StreamSink.open()),
  openSession: (target, listener) => new TcpSession(target, listener, parts, { retryMinMs: 20 }),
});
