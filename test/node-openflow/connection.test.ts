import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import {
  OpenFlowConnection,
  type OpenFlowConnectionOptions,
  type OpenFlowMessage,
  OpenFlowRequestError,
  type PacketInView,
} from '../../src/node-openflow/index.ts';
import { waitFor } from '../support/wait.ts';
import { hexOf, vector } from './vectors/messages.ts';

/** The switch's end of a connection, controlled by the test: receives whole messages as hex, and sends any bytes. */
class FakeSwitch {
  readonly received: string[] = [];
  readonly stream: Duplex;
  isReading = true;
  #blocked: (() => void)[] = [];

  constructor() {
    this.stream = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        for (let at = 0; at < chunk.length; at += chunk.readUInt16BE(at + 2)) {
          this.received.push(chunk.toString('hex', at, at + chunk.readUInt16BE(at + 2)));
        }
        if (this.isReading) {
          done();
        } else {
          this.#blocked.push(done);
        }
      },
    });
  }

  send(...messages: readonly string[]): void {
    this.stream.push(Buffer.from(messages.join(''), 'hex'));
  }

  /** Reads what was held back. */
  read(): void {
    this.isReading = true;
    for (const done of this.#blocked.splice(0)) {
      done();
    }
  }

  hangUp(): void {
    this.stream.push(null);
  }

  async next(count: number): Promise<string> {
    await waitFor(() => this.received.length >= count, { what: `${count} messages have been sent` });
    return this.received[count - 1] ?? '';
  }
}

const HELLO_13 = hexOf('0400001000000001', '0001000800000012');
const BARRIER_REPLY = (xid: number) => `04150008${xid.toString(16).padStart(8, '0')}`;
const xidOf = (message: string) => Number.parseInt(message.slice(8, 16), 16);

/** The switch's reply to a bundle control. */
const bundleReply = (request: string, control: number) =>
  `0404001800${request.slice(10, 16)}4f4e4600000008fc${request.slice(32, 40)}000${control}0003`;
const remove = (meterId: number) =>
  ({ type: 'meter_mod', command: 'delete', meterId, flags: 0, bands: [] }) as const;

async function connected(options: OpenFlowConnectionOptions = {}) {
  const peer = new FakeSwitch();
  const messages: OpenFlowMessage[] = [];
  const connection = new OpenFlowConnection(peer.stream, {
    onMessage: (message) => messages.push(message),
    ...options,
  });
  peer.send(HELLO_13);
  assert.equal(await connection.ready, 4);
  return { peer, connection, messages };
}

test('offers the versions in a bitmap, with the highest in the header of the hello', async () => {
  const peer = new FakeSwitch();
  const connection = new OpenFlowConnection(peer.stream, { versions: [1, 4] });
  assert.equal(await peer.next(1), hexOf('0400001000000001', '0001000800000012'));
  assert.equal(connection.status().state, 'negotiating');
  connection.close();
});

const NEGOTIATIONS = [
  {
    peer: hexOf('0600001000000001', '0001000800000072'),
    expected: 6,
    what: 'the highest version in both bitmaps',
  },
  {
    peer: hexOf('0600001000000001', '0001000800000012'),
    expected: 4,
    what: 'the bitmap, not the header',
  },
  { peer: '0100000800000001', expected: 1, what: 'no bitmap, version 1 in the header' },
  { peer: '0400000800000001', expected: 4, what: 'no bitmap, version 4 in the header' },
  { peer: '0800000800000001', expected: 6, what: 'no bitmap, a newer version in the header' },
  {
    peer: hexOf('0600001800000001', '0002000600000000', '0001000800000010'),
    expected: 4,
    what: 'an unknown element first',
  },
] as const;
for (const { peer: hello, expected, what } of NEGOTIATIONS) {
  test(`negotiates the version: ${what}`, async () => {
    const peer = new FakeSwitch();
    const connection = new OpenFlowConnection(peer.stream);
    peer.send(hello);
    assert.equal(await connection.ready, expected);
    connection.close();
  });
}

test('tells the switch that there is no common version, and rejects ready with a named error', async () => {
  const peer = new FakeSwitch();
  const connection = new OpenFlowConnection(peer.stream, { versions: [4] });
  peer.send('0200000800000001');
  await assert.rejects(connection.ready, { code: 'OPENFLOW_VERSION' });
  const refusal = await peer.next(2);
  assert.ok(refusal.startsWith('0401') && refusal.slice(16, 24) === '00000000', refusal);
  assert.equal((await connection.ended).reason, 'version');
});

test('quotes a switch that refuses the hello', async () => {
  const peer = new FakeSwitch();
  const connection = new OpenFlowConnection(peer.stream);
  peer.send(hexOf('0101000f0000000100000000', Buffer.from('no!').toString('hex')));
  await assert.rejects(connection.ready, { code: 'OPENFLOW_VERSION', message: /OFPHFC_INCOMPATIBLE: no!/ });
});

test('refuses a switch whose first message is not a hello', async () => {
  const peer = new FakeSwitch();
  const connection = new OpenFlowConnection(peer.stream);
  peer.send('0402000800000001');
  await assert.rejects(connection.ready, { code: 'OPENFLOW_PROTOCOL' });
});

test('refuses to send before the version is negotiated', async () => {
  const peer = new FakeSwitch();
  const connection = new OpenFlowConnection(peer.stream);
  assert.throws(() => connection.send({ type: 'barrier_request' }), { code: 'OPENFLOW_NOT_READY' });
  await assert.rejects(connection.request({ type: 'barrier_request' }), { code: 'OPENFLOW_NOT_READY' });
  connection.close();
  await assert.rejects(connection.ready, { code: 'OPENFLOW_ENDED' });
});

test('answers echo requests with their data and transaction id', async () => {
  const { peer, connection } = await connected();
  peer.send('0402000b00000777aabbcc');
  assert.equal(await peer.next(2), '0403000b00000777aabbcc');
  connection.close();
});

test('probes with an echo request, and resolves with its reply', async () => {
  const { peer, connection } = await connected();
  const probe = connection.probe();
  const request = await peer.next(2);
  assert.ok(request.startsWith('04020008'));
  peer.send(`04030008${request.slice(8)}`);
  await probe;
  assert.equal(connection.receivedBytes, 24);
  connection.close();
});

test('matches replies to requests by transaction id, in any order', async () => {
  const { peer, connection, messages } = await connected();
  const config = connection.request({ type: 'get_config_request' });
  const barrier = connection.request({ type: 'barrier_request' });
  const barrierXid = xidOf(await peer.next(3));
  peer.send(BARRIER_REPLY(barrierXid));
  peer.send(`0408000c${(barrierXid - 1).toString(16).padStart(8, '0')}00030080`);
  assert.deepEqual(await config, { type: 'get_config_reply', flags: 3, missSendLength: 128 });
  assert.deepEqual(await barrier, { type: 'barrier_reply' });
  assert.deepEqual(messages, []);
  connection.close();
});

test('rejects a request with the name of the error about it', async () => {
  const { peer, connection } = await connected();
  const request = connection.request({ type: 'meter_features_request' });
  const xid = (await peer.next(2)).slice(8, 16);
  peer.send(`0401000c${xid}00010002`);
  await assert.rejects(request, {
    code: 'OPENFLOW_REQUEST',
    errorName: 'OFPBRC_BAD_STAT',
    requestType: 'meter_features_request',
  });
  connection.close();
});

test('delivers an error and a reply that do not answer a request', async () => {
  const { peer, connection, messages } = await connected();
  peer.send('0401000c0000999900010002', BARRIER_REPLY(0x9998));
  await waitFor(() => messages.length === 2, { what: 'both messages are delivered' });
  assert.deepEqual(
    messages.map(({ type }) => type),
    ['error', 'barrier_reply'],
  );
  connection.close();
});

test('joins a multipart reply to one list', async () => {
  const { peer, connection } = await connected();
  const request = connection.request({ type: 'meter_config_request', meterId: 0xffff_ffff });
  const xid = (await peer.next(2)).slice(8, 16);
  const part = (more: number, meterId: number) =>
    hexOf(`04130018${xid}000a000${more}00000000`, `0008000${meterId}0000000${meterId}`);
  peer.send(part(1, 1), part(1, 2), part(0, 3));
  const { entries } = await request;
  assert.deepEqual(
    entries.map(({ meterId }) => meterId),
    [1, 2, 3],
  );
  connection.close();
});

test('rejects a request whose multipart reply is too large, and discards the rest of it', async () => {
  const { peer, connection, messages } = await connected({ multipartBytesMax: 60 });
  const request = connection.request({ type: 'meter_config_request', meterId: 0xffff_ffff });
  const xid = (await peer.next(2)).slice(8, 16);
  const part = (more: number) => hexOf(`04130018${xid}000a000${more}00000000`, '0008000100000001');
  peer.send(part(1), part(1), part(1));
  await assert.rejects(request, { code: 'OPENFLOW_MULTIPART' });
  peer.send(part(1), part(0));
  const probe = connection.probe();
  peer.send(`04030008${(await peer.next(3)).slice(8, 16)}`);
  await probe;
  assert.deepEqual(messages, []);
  assert.equal(connection.status().pendingRequests, 0);
  connection.close();
});

test('collects the errors about the messages of a transaction until its barrier', async () => {
  const { peer, connection, messages } = await connected();
  const transaction = connection.transact([remove(1), remove(2), remove(3)]);
  const barrierXid = xidOf(await peer.next(5));
  const second = (barrierXid - 2).toString(16).padStart(8, '0');
  peer.send(`0401000c${second}000c0003`, BARRIER_REPLY(barrierXid));
  const errors = await transaction;
  assert.equal(errors.length, 1);
  assert.ok(errors[0] instanceof OpenFlowRequestError);
  assert.deepEqual(
    [errors[0].errorName, errors[0].index, errors[0].requestType],
    ['OFPMMFC_UNKNOWN_METER', 1, 'meter_mod'],
  );
  assert.deepEqual(messages, []);
  assert.equal(connection.status().pendingRequests, 0);
  connection.close();
});

test('waits, in a transaction of many messages, for a switch that reads slowly', async () => {
  const { peer, connection } = await connected();
  const data = Buffer.alloc(1000);
  peer.isReading = false;
  const messages = Array.from({ length: 2000 }, () => ({ type: 'echo_reply', data }) as const);
  const transaction = connection.transact(messages);
  await new Promise((resolve) => setImmediate(resolve));
  const { sendBacklogBytes } = connection.status();
  assert.ok(sendBacklogBytes > 200_000 && sendBacklogBytes < 400_000, `${sendBacklogBytes} bytes wait`);
  peer.read();
  const barrier = await peer.next(2 + messages.length);
  peer.send(BARRIER_REPLY(xidOf(barrier)));
  assert.deepEqual(await transaction, []);
  connection.close();
});

test('ends a transaction that waits for a slow switch with the connection', async () => {
  const { peer, connection } = await connected();
  peer.isReading = false;
  const data = Buffer.alloc(1000);
  const messages = Array.from({ length: 2000 }, () => ({ type: 'echo_reply', data }) as const);
  const transaction = connection.transact(messages);
  connection.close('enough');
  await assert.rejects(transaction, { code: 'OPENFLOW_ENDED', message: /enough/ });
});

test('opens, fills, closes and commits a bundle', async () => {
  const { peer, connection } = await connected();
  const bundle = connection.bundle([{ type: 'set_config', flags: 0, missSendLength: 1 }]);
  const open = await peer.next(2);
  assert.equal(open.slice(16), hexOf('4f4e4600000008fc', '0000000100000003'));
  peer.send(bundleReply(open, 1));
  const add = await peer.next(3);
  assert.equal(
    add.slice(16),
    hexOf(`4f4e4600000008fd0000000100000003`, `0409000c${add.slice(8, 16)}00000001`),
  );
  const close = await peer.next(4);
  assert.equal(close.slice(40), '00020003');
  peer.send(bundleReply(close, 3));
  const commit = await peer.next(5);
  assert.equal(commit.slice(40), '00040003');
  peer.send(bundleReply(commit, 5));
  assert.deepEqual(await bundle, []);
  connection.close();
});

test('discards a bundle with a refused message', async () => {
  const { peer, connection } = await connected();
  const bundle = connection.bundle([{ type: 'set_config', flags: 0, missSendLength: 1 }]);
  peer.send(bundleReply(await peer.next(2), 1));
  const add = await peer.next(3);
  peer.send(`04010010${add.slice(8, 16)}ffff09064f4e4600`);
  peer.send(bundleReply(await peer.next(4), 3));
  const discard = await peer.next(5);
  assert.equal(discard.slice(40), '00060003');
  peer.send(bundleReply(discard, 7));
  const errors = await bundle;
  assert.deepEqual(
    errors.map(({ errorName, index }) => [errorName, index]),
    [['OFPBFC_MSG_UNSUP', 0]],
  );
  connection.close();
});

test('refuses requests beyond pendingRequestsMax, and keeps the connection', async () => {
  const { peer, connection } = await connected({ pendingRequestsMax: 1 });
  const first = connection.request({ type: 'barrier_request' });
  await assert.rejects(connection.request({ type: 'barrier_request' }), { code: 'OPENFLOW_PENDING' });
  peer.send(BARRIER_REPLY(xidOf(await peer.next(2))));
  await first;
  connection.close();
});

test('refuses messages beyond sendBacklogBytesMax, and keeps the connection', async () => {
  const { peer, connection } = await connected({ sendBacklogBytesMax: 1000 });
  peer.isReading = false;
  const big = { type: 'echo_reply', data: Buffer.alloc(2000) } as const;
  connection.send(big);
  assert.throws(() => connection.send(big), { code: 'OPENFLOW_BACKLOG' });
  peer.read();
  await waitFor(() => connection.status().sendBacklogBytes === 0, { what: 'the backlog is sent' });
  connection.send(big);
  connection.close();
});

test('reads nothing beyond replyBytesMax while the switch does not read the echo replies', async () => {
  const { peer, connection } = await connected({ replyBytesMax: 3000 });
  peer.isReading = false;
  for (let n = 0; n < 3; n += 1) {
    peer.send(`040207d800000007${'00'.repeat(2000)}`);
  }
  await waitFor(() => peer.stream.isPaused(), { what: 'reading is stopped' });
  assert.equal(connection.status().readPauses, 1);
  assert.ok(connection.status().sendBacklogBytes < 5000, 'the third request is not read');
  peer.read();
  await waitFor(() => connection.status().receivedMessages === 4, { what: 'the rest is read' });
  assert.equal(connection.status().state, 'ready');
  connection.close();
});

test('ends the connection on a malformed message, and rejects all pending requests with the named error', async () => {
  const { peer, connection } = await connected();
  const request = connection.request({ type: 'barrier_request' });
  await peer.next(2);
  peer.send('0406000900000001ff');
  const end = await connection.ended;
  assert.equal(end.reason, 'malformed');
  assert.equal((end.error as { code?: string } | null)?.code, 'OPENFLOW_DECODE');
  await assert.rejects(request, { code: 'OPENFLOW_ENDED', message: /features/ });
  assert.throws(() => connection.send({ type: 'barrier_request' }), { code: 'OPENFLOW_ENDED' });
  assert.ok(peer.stream.destroyed);
});

test('ends the connection on a message of another version', async () => {
  const { peer, connection } = await connected();
  peer.send('0512000800000001');
  assert.equal((await connection.ended).reason, 'protocol');
});

test('reports once whether the switch, the stream or this side ended the connection', async () => {
  const hungUp = await connected();
  hungUp.peer.hangUp();
  assert.equal((await hungUp.connection.ended).reason, 'disconnected');
  const failed = await connected();
  failed.peer.stream.destroy(new Error('ECONNRESET'));
  const { reason, message } = await failed.connection.ended;
  assert.deepEqual([reason, message], ['stream', 'the connection failed: ECONNRESET']);
  const closed = await connected();
  closed.connection.close('no longer wanted');
  closed.connection.close('again');
  assert.deepEqual(await closed.connection.ended, {
    reason: 'closed',
    message: 'no longer wanted',
    error: null,
  });
});

test('delivers nothing after the end, not even from the same chunk', async () => {
  const types: string[] = [];
  const { peer, connection } = await connected({
    onMessage: (message) => {
      types.push(message.type);
      connection.close();
    },
  });
  const { hex } = vector(4, 'OFPT_PORT_STATUS');
  peer.send(hex, hex, hex);
  await connection.ended;
  assert.deepEqual(types, ['port_status']);
});

test('reads a stream that arrives byte by byte', async () => {
  const { peer, connection, messages } = await connected();
  const stream = Buffer.from(vector(4, 'OFPT_PORT_STATUS').hex + vector(4, 'ONFT_REQUESTFORWARD').hex, 'hex');
  for (const byte of stream) {
    peer.stream.push(Buffer.from([byte]));
  }
  await waitFor(() => messages.length === 2, { what: 'both messages are delivered' });
  assert.deepEqual(
    messages.map(({ type }) => type),
    ['port_status', 'requestforward'],
  );
  connection.close();
});

test('delivers packet-ins in one view, into the memory that was read', async () => {
  const { hex } = vector(4, 'NXT_PACKET_IN2');
  const views = new Set<PacketInView>();
  const frames: string[] = [];
  const { peer, connection, messages } = await connected({
    onPacketIn: (view) => {
      views.add(view);
      frames.push(view.bytes.toString('hex', view.packetStart, view.packetEnd));
    },
  });
  const chunk = Buffer.from(hex.repeat(3), 'hex');
  for (let cut = 1; cut < chunk.length; cut += 7) {
    peer.stream.push(chunk.subarray(0, cut));
    peer.stream.push(chunk.subarray(cut));
  }
  const count = 3 * Math.ceil((chunk.length - 1) / 7);
  await waitFor(() => frames.length === count, { what: `${count} packet-ins are delivered` });
  assert.equal(views.size, 1);
  assert.equal(new Set(frames).size, 1);
  assert.ok(frames[0]?.startsWith('505400000001505400000002'));
  assert.equal(connection.status().packetIns, count);
  assert.deepEqual(messages, []);
  connection.close();
});

test('reads the same messages from a source whose memory is reused for each chunk', async () => {
  const stream = Buffer.from(
    HELLO_13 + vector(4, 'NXT_PACKET_IN2').hex.repeat(3) + vector(4, 'OFPT_PORT_STATUS').hex,
    'hex',
  );
  const memory = Buffer.alloc(stream.length);
  for (let pieceBytes = 1; pieceBytes <= stream.length; pieceBytes += 5) {
    let receive: (bytes: Buffer, end: number) => void = () => {};
    const frames: string[] = [];
    const types: string[] = [];
    const peer = new FakeSwitch();
    const connection = new OpenFlowConnection(peer.stream, {
      source: {
        receive: (receiver) => {
          receive = receiver;
        },
      },
      onPacketIn: (view) => frames.push(view.bytes.toString('hex', view.packetStart, view.packetEnd)),
      onMessage: ({ type }) => types.push(type),
    });
    for (let at = 0; at < stream.length; at += pieceBytes) {
      const end = stream.copy(memory, 0, at, at + pieceBytes);
      receive(memory, end);
      memory.fill(0xee);
    }
    assert.equal(await connection.ready, 4);
    assert.equal(new Set(frames).size, 1);
    assert.deepEqual([frames.length, types], [3, ['port_status']]);
    assert.equal(connection.receivedBytes, stream.length);
    connection.close();
  }
});

test('lets the switch close first, unless a request is pending', async () => {
  const idle = await connected();
  idle.connection.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(idle.peer.stream.writableEnded && !idle.peer.stream.destroyed);
  idle.peer.hangUp();
  await waitFor(() => idle.peer.stream.destroyed, { what: 'the stream is destroyed' });
  const waiting = await connected();
  const request = waiting.connection.request({ type: 'barrier_request' });
  waiting.connection.close();
  assert.ok(waiting.peer.stream.destroyed);
  await assert.rejects(request, { code: 'OPENFLOW_ENDED' });
});
