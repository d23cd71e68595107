// The demo's frames against those of the tests, which were written from the standards and apart from them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  arpFrame,
  echo,
  ipv4Frame,
  ipv6Frame,
  TCP_FLAGS,
  tcp,
  udp,
} from '../../../src/commands/demo/frames.ts';
import * as reference from '../../support/frames.ts';

const ALICE = { mac: '02000000000a', ipv4: '0a00000a', ipv6: 'fd00000000000000000000000000000a' };
const BOB = { mac: '02000000000b', ipv4: '0a00000b', ipv6: 'fd00000000000000000000000000000b' };
const MACS = { source: '02:00:00:00:00:0a', destination: '02:00:00:00:00:0b' };
const IPV4 = { source: '10.0.0.10', destination: '10.0.0.11', doNotFragment: true };
const IPV6 = { source: 'fd00::a', destination: 'fd00::b' };

test('broadcasts an ARP request, and sends the reply to the requester', () => {
  assert.deepEqual(
    arpFrame(ALICE, BOB, 1),
    reference.ethernet(
      { source: MACS.source, destination: 'ff:ff:ff:ff:ff:ff' },
      reference.arp({ senderMac: MACS.source, senderIp: '10.0.0.10', targetIp: '10.0.0.11' }),
    ),
  );
  assert.deepEqual(
    arpFrame(BOB, ALICE, 2),
    reference.ethernet(
      { source: MACS.destination, destination: MACS.source },
      reference.arp({
        operation: 2,
        senderMac: MACS.destination,
        senderIp: '10.0.0.11',
        targetMac: MACS.source,
        targetIp: '10.0.0.10',
      }),
    ),
  );
});

test('makes echoes of ICMP and ICMPv6, with and without a tag', () => {
  const data = Buffer.alloc(60);
  data.writeUInt16BE(1, 0);
  data.writeUInt16BE(3, 2);
  const request = reference.ipv4(IPV4, reference.icmp({ type: 8 }, data));
  assert.deepEqual(ipv4Frame(ALICE, BOB, echo(4, 'request', 3)), reference.ethernet(MACS, request));
  assert.deepEqual(
    ipv4Frame(ALICE, BOB, echo(4, 'request', 3), 7),
    reference.ethernet({ ...MACS, vlans: [{ id: 7 }] }, request),
  );
  const reply = reference.ipv6(IPV6, reference.icmpv6({ type: 129 }, data));
  assert.deepEqual(ipv6Frame(ALICE, BOB, echo(6, 'reply', 3)), reference.ethernet(MACS, reply));
});

test('makes datagrams and segments with correct lengths and checksums over both versions of IP', () => {
  const data = Buffer.alloc(31);
  const datagram = reference.udp({ source: 4000, destination: 53 }, data);
  assert.deepEqual(
    ipv4Frame(ALICE, BOB, udp(4000, 53, data.length)),
    reference.ethernet(MACS, reference.ipv4(IPV4, datagram)),
  );
  assert.deepEqual(
    ipv6Frame(ALICE, BOB, udp(4000, 53, data.length)),
    reference.ethernet(MACS, reference.ipv6(IPV6, datagram)),
  );
  const flags = TCP_FLAGS.push | TCP_FLAGS.ack;
  const segment = reference.tcp(
    { source: 4000, destination: 80, sequence: 1000, acknowledgement: 5000, flags },
    data,
  );
  const own = tcp({
    sourcePort: 4000,
    destinationPort: 80,
    sequence: 1000,
    acknowledgement: 5000,
    flags,
    dataSize: data.length,
  });
  assert.deepEqual(ipv4Frame(ALICE, BOB, own), reference.ethernet(MACS, reference.ipv4(IPV4, segment)));
  assert.deepEqual(ipv6Frame(ALICE, BOB, own), reference.ethernet(MACS, reference.ipv6(IPV6, segment)));
});
