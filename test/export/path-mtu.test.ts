import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import { MTU_POLL_MS, NARROW_MS, NARROW_PATHS_MAX, PathMtus } from '../../src/export/path-mtu.ts';
import { mtuOfRoute, readHostInterfaces } from '../../src/runtime/host-mtu.ts';
import { ManualClock } from '../support/manual-clock.ts';

function info(address: string, mac: string): NetworkInterfaceInfo {
  const isIpv6 = address.includes(':');
  const internal = mac === '00:00:00:00:00:00';
  const common = { address, netmask: '', mac, internal, cidr: null };
  return isIpv6 ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' };
}

const LO = '00:00:00:00:00:00';

/** A host with loopback and two interfaces, whose MTUs a test changes. */
function host(mtus: Record<string, number>) {
  return {
    interfaces: {
      lo: [info('127.0.0.1', LO), info('::1', LO), info('198.51.100.1', LO)],
      eth0: [info('192.0.2.1', '02:00:00:00:00:01'), info('2001:db8::1', '02:00:00:00:00:01')],
      eth1: [info('203.0.113.1', '02:00:00:00:00:02')],
    },
    mtuOf: (name: string) => mtus[name],
  };
}

test('the MTU is that of the interface with the local address, of loopback for own addresses, or the smallest', () => {
  const some = host({ lo: 65_536, eth0: 1500, eth1: 9000 });
  assert.equal(mtuOfRoute(some, '192.0.2.9', '192.0.2.1'), 1500);
  assert.equal(mtuOfRoute(some, '203.0.113.9', '203.0.113.1'), 9000);
  assert.equal(mtuOfRoute(some, '2001:db8::9', '2001:db8::1'), 1500);
  assert.equal(mtuOfRoute(some, '192.0.2.1', '192.0.2.1'), 65_536, 'an address of this host');
  assert.equal(mtuOfRoute(some, '203.0.113.9', '198.51.100.1'), 1500, 'a source address on loopback');
  assert.equal(mtuOfRoute(some, '203.0.113.9', '192.0.2.200'), 1500, 'an address that no interface has');
  assert.equal(mtuOfRoute(host({ lo: 65_536 }), '192.0.2.9', '192.0.2.1'), undefined);
});

test('sysfs shows the MTU of loopback, and nothing of an interface with another MAC address', () => {
  const { mtuOf } = readHostInterfaces();
  assert.equal(mtuOf('lo', LO), mtuOf('lo:1', LO));
  assert.ok((mtuOf('lo', LO) ?? 0) >= 1280);
  assert.equal(mtuOf('lo', '02:00:00:00:00:09'), undefined);
  assert.equal(mtuOf('no-such-interface', LO), undefined);
});

test('messages fit into one packet, are never shorter than the limit, and follow a change of the MTU', async () => {
  const clock = new ManualClock();
  const mtus = { lo: 65_536, eth0: 1500, eth1: 400 };
  const paths = new PathMtus(clock, () => host(mtus));
  let changeCount = 0;
  const onChange = () => {
    changeCount += 1;
  };
  const ipv4 = paths.open('192.0.2.9', '192.0.2.1', onChange);
  const ipv6 = paths.open('2001:db8::9', '2001:db8::1', onChange);
  const own = paths.open('::1', '::1', onChange);
  assert.deepEqual([ipv4.messageBytesMax, ipv6.messageBytesMax], [1472, 1452]);
  assert.equal(own.messageBytesMax, 65_487, 'a packet has 65,535 bytes at most');
  assert.equal(paths.open('203.0.113.9', '203.0.113.1', onChange).messageBytesMax, 512);
  mtus.eth0 = 1000;
  await clock.advanceMs(MTU_POLL_MS - 1);
  assert.equal(changeCount, 0);
  await clock.advanceMs(1);
  assert.deepEqual([ipv4.mtu, ipv4.messageBytesMax, changeCount], [1000, 972, 2]);
});

test('after a refusal the path is as narrow as every path may be, for all exporters, for an hour', async () => {
  const clock = new ManualClock();
  const paths = new PathMtus(clock, () => host({ eth0: 1500 }));
  const changed: string[] = [];
  const first = paths.open('192.0.2.9', '192.0.2.1', () => changed.push('first'));
  const second = paths.open('192.0.2.9', '192.0.2.1', () => changed.push('second'));
  const other = paths.open('192.0.2.8', '192.0.2.1', () => changed.push('other'));
  assert.ok(first.refused());
  assert.deepEqual([first.messageBytesMax, second.messageBytesMax, other.messageBytesMax], [548, 548, 1472]);
  assert.deepEqual(changed, ['first', 'second']);
  assert.ok(!second.refused(), 'known already');
  await clock.advanceMs(NARROW_MS);
  assert.deepEqual([first.mtu, second.mtu], [1500, 1500]);
  const ipv6 = paths.open('2001:db8::9', '2001:db8::1', () => {});
  assert.ok(ipv6.refused());
  assert.equal(ipv6.messageBytesMax, 1232);
  for (const path of [first, second, other, ipv6]) {
    path.close();
  }
  assert.equal(clock.pendingCount, 0);
});

test('forgets the oldest narrow path at the limit', () => {
  const clock = new ManualClock();
  const paths = new PathMtus(clock, () => host({ eth0: 1500 }));
  const oldest = paths.open('192.0.2.9', '192.0.2.1', () => {});
  oldest.refused();
  for (let index = 1; index <= NARROW_PATHS_MAX; index += 1) {
    const path = paths.open(`198.18.${index >> 8}.${index & 255}`, '192.0.2.1', () => {});
    path.refused();
    assert.equal(path.mtu, 576);
    path.close();
  }
  assert.equal(oldest.mtu, 1500);
});
