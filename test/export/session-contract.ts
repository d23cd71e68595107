// The tests of every transport to a collector: the test file of each transport calls them with a collector of its kind. The
// sockets are real ones on loopback, so that the system's errors are too.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type {
  CollectorSession,
  CollectorTarget,
  SessionListener,
} from '../../src/export/collector-session.ts';
import { waitFor } from '../support/wait.ts';

/** A collector that keeps the messages that it received, in order. */
export interface ContractCollector {
  readonly port: number;
  readonly messages: readonly Buffer[];
  close(): Promise<void>;
}

/** One transport. */
export interface ContractTransport {
  readonly name: string;
  readonly isReliable: boolean;
  /** Hosts of this machine: addresses of both families and a name. */
  readonly hosts: readonly string[];
  openCollector(host: string, port?: number): Promise<ContractCollector>;
  openSession(target: CollectorTarget, listener: SessionListener): CollectorSession;
}

/** Returns a target on this machine. */
export function targetAt(host: string, port: number): CollectorTarget {
  return { host, port, text: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}` };
}

/** A listener that counts. */
export class CountingListener implements SessionListener {
  restartCount = 0;
  doubtCount = 0;
  restarted(): void {
    this.restartCount += 1;
  }
  templatesDoubtful(): void {
    this.doubtCount += 1;
  }
  stamp(): void {
    // Messages of these tests have their numbers.
  }
}

/** Returns a message that consists of a header only, with `serial` as its sequence number. */
export function numberedMessage(serial: number, size = 16): Buffer {
  const message = Buffer.alloc(size);
  message.writeUInt16BE(10, 0);
  message.writeUInt16BE(size, 2);
  message.writeUInt32BE(serial, 8);
  return message;
}

/** Declares the tests for one transport. */
export function testSessionContract(transport: ContractTransport): void {
  describe(`a session over ${transport.name}`, () => {
    for (const host of transport.hosts) {
      test(`delivers messages to ${host} in order, those from before it was open as well`, async () => {
        const collector = await transport.openCollector(host);
        const listener = new CountingListener();
        const session = transport.openSession(targetAt(host, collector.port), listener);
        session.start();
        const reused = Buffer.alloc(16);
        for (let serial = 0; serial < 20; serial += 1) {
          numberedMessage(serial).copy(reused);
          assert.ok(session.send(reused, 16, 2));
          reused.fill(0xff);
        }
        await waitFor(() => collector.messages.length === 20, { what: '20 messages have arrived' });
        assert.deepEqual(
          collector.messages.map((message) => message.readUInt32BE(8)),
          Array.from({ length: 20 }, (_, serial) => serial),
          'a message is copied before send returns',
        );
        const status = session.status();
        assert.equal(status.state, 'open');
        assert.deepEqual(
          [
            status.messagesSent,
            status.recordsSent,
            status.octetsSent,
            status.messagesLost,
            status.connectionCount,
          ],
          [20, 40, 320, 0, 1],
        );
        assert.equal(listener.restartCount, 0);
        assert.equal(session.isReliable, transport.isReliable);
        await session.stop();
        await collector.close();
      });
    }

    test('sends what waits before it closes', async () => {
      const [host = ''] = transport.hosts;
      const collector = await transport.openCollector(host);
      const session = transport.openSession(targetAt(host, collector.port), new CountingListener());
      session.start();
      for (let serial = 0; serial < 100; serial += 1) {
        session.send(numberedMessage(serial, 1000), 1000, 1);
      }
      await session.stop();
      await waitFor(() => collector.messages.length === 100, { what: '100 messages have arrived' });
      const { state, messagesSent, messagesLost, backlogCount } = session.status();
      assert.deepEqual([state, messagesSent, messagesLost, backlogCount], ['closed', 100, 0, 0]);
      await collector.close();
    });

    test('accepts nothing after its end, and can be stopped twice', async () => {
      const [host = ''] = transport.hosts;
      const collector = await transport.openCollector(host);
      const session = transport.openSession(targetAt(host, collector.port), new CountingListener());
      session.start();
      await Promise.all([session.stop(), session.stop()]);
      assert.equal(session.send(numberedMessage(1), 16, 3), false);
      const { state, messagesLost, recordsLost } = session.status();
      assert.deepEqual([state, messagesLost, recordsLost], ['closed', 1, 3]);
      await collector.close();
    });

    test('leaves nothing open when it is stopped before or right after its start', async () => {
      const never = transport.openSession(targetAt('127.0.0.1', 9), new CountingListener());
      await never.stop();
      never.start();
      assert.equal(never.status().state, 'closed');
      const soon = transport.openSession(targetAt('127.0.0.1', 9), new CountingListener());
      soon.start();
      await soon.stop();
      assert.equal(soon.status().state, 'closed');
    });

    test('keeps trying while there is no collector, and reaches it once there is', async () => {
      const [host = ''] = transport.hosts;
      const gone = await transport.openCollector(host);
      const { port } = gone;
      await gone.close();
      const listener = new CountingListener();
      const session = transport.openSession(targetAt(host, port), listener);
      session.start();
      await waitFor(
        () => {
          session.send(numberedMessage(1), 16, 1);
          return (session.status().errors['ECONNREFUSED'] ?? 0) > 0;
        },
        { what: 'the refusal is counted' },
      );
      const collector = await transport.openCollector(host, port);
      await waitFor(
        () => {
          session.send(numberedMessage(2), 16, 1);
          return collector.messages.length > 0;
        },
        { what: 'a message arrives' },
      );
      assert.ok(listener.doubtCount + listener.restartCount > 0, 'templates are to be sent again');
      await session.stop();
      await collector.close();
    });
  });
}
