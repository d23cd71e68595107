import { FileSession } from '../../src/export/file-session.ts';
import { TcpSession } from '../../src/export/tcp-session.ts';
import { UdpSession } from '../../src/export/udp-session.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { openUdpCollector, streamCollector } from '../support/delivery.ts';
import { FileCollectors } from '../support/file-collector.ts';
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

const files = new FileCollectors();
testDelivery({
  name: 'file',
  isReliable: true,
  hosts: ['a file'],
  openCollector: () => files.open(),
  openSession: (target, listener) => {
    const folder = files.folderOf(target);
    return new FileSession(target, listener, { ...parts, folder }, { retryMinMs: 20, retryMaxMs: 40 });
  },
  targetText: (port) => files.targetText(port),
  refusal: { code: 'ENOENT', text: /no such file or directory/u },
});
