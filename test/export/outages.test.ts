import { TcpSession } from '../../src/export/tcp-session.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { StreamSink } from '../support/stream-sink.ts';
import { testOutages } from './outage-contract.ts';

testOutages({
  name: 'tcp',
  openSink: () => StreamSink.open(),
  openSession: (options) => (target, listener) =>
    new TcpSession(target, listener, { clock: systemClock, log: silentLogger }, options),
});
