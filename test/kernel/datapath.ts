// The daemon with the kernel datapath: what it installs, that records count exactly the packets that the switch received, and
// what remains when it stops, is killed, or ovs-vswitchd restarts with saved flows. Run by `npm run test:kernel`; the tests
// depend on each other. Most are about packet-ins, so the bridge asks for them; by default the datapath samples on this datapath.
// TCP is tested with the datapath sampler only: of a segmented packet the meter counts one, and the daemon gets a packet-in for
// each segment.

import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { PROBABILITY_ALL } from '../../src/intake/sampler.ts';
import { type FlowRecord, FlowRecordSink } from '../support/flow-records.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';
import { type Guest, HOST_ADDRESS } from './guest.ts';
import { GUEST_TIMEOUT_MS, GuestSwitch, LOCAL, macOf, type Source } from './guest-switch.ts';

const PINGS = 50;
/** Size of a ping's frame in octets: Ethernet, IPv4 and ICMP headers, and ping's default of 56. */
const PING_OCTETS = 14 + 20 + 8 + 56;
const HOOK_TIMEOUT_SECONDS = 30;
/** The largest packet of the kernel, before it is segmented, in octets: the sampling unit of the datapath. */
const SEGMENTED_MAX = 65_536;
/** The row of the bridge. */
const ROW = '$(ovs-vsctl get Bridge br0 ipfix)';
const SAMPLER_KEY = 'ovs-ipfix-sampler';
const PACKET_INS = `external_ids:${SAMPLER_KEY}=packet-in`;
const FORWARDING = [
  'priority=0,actions=NORMAL',
  'priority=9,tcp,actions=resubmit(,3)',
  'table=3,actions=NORMAL',
];

let guest: Guest;
let ovs: GuestSwitch;
let sink: FlowRecordSink;
let a: Source;
let b: Source;

before(async () => {
  sink = await FlowRecordSink.open();
  ovs = await GuestSwitch.boot({ suite: process.env['KERNEL_GUEST_SUITE'] });
  guest = ovs.guest;
  a = await ovs.addHost({ name: 'a', address: '10.0.0.1/24' });
  b = await ovs.addHost({ name: 'b', address: '10.0.0.2/24' });
  await ovs.setFlows(...FORWARDING);
  // Without the columns of the cache each sample is a record, sent at once.
  await guest.run(
    `ovs-vsctl set Bridge br0 ipfix=@i ${PACKET_INS} -- --id=@i create IPFIX sampling=1 obs_domain_id=1 ${targets(sink.port)}`,
  );
  await ovs.startDaemon();
});
after(async () => {
  await guest?.stop();
  await sink?.close();
});

const targets = (port: number) => `targets='"${HOST_ADDRESS}:${port}"'`;

/** Defines a test that prints the daemon's log when it fails. */
function check(name: string, body: (t: TestContext) => Promise<void>): void {
  test(name, async (t) => {
    try {
      await body(t);
    } catch (error) {
      t.diagnostic(await ovs.log());
      throw error;
    }
  });
}

/** Sends `PINGS` pings; fails unless all are answered. */
const ping = (host: string, address: string, size = 56) =>
  ovs.on(
    host,
    `ping -q -n -c ${PINGS} -i 0.05 -W 20 -s ${size} ${address} | grep ' ${PINGS} received, 0% packet loss'`,
  );

/** Returns the sums of the records with all these values. */
function counted(
  records: readonly FlowRecord[],
  match: Readonly<Record<string, unknown>>,
): { readonly packets: number; readonly octets: number } {
  const chosen = records.filter(({ fields }) =>
    Object.entries(match).every(([name, value]) => fields[name] === value),
  );
  const sum = (name: string) => chosen.reduce((total, { fields }) => total + Number(fields[name]), 0);
  return { packets: sum('packetDeltaCount'), octets: sum('layer2OctetDeltaCount') };
}

/** Returns the values of records of a host's ICMP. */
const icmpOf = (source: Source) => ({ sourceMacAddress: source.mac, protocolIdentifier: 1 });

/**
 * Returns the records of `traffic`. For each source their packets must be those that the switch received from it. Hosts may
 * send an ARP request later, so both are read until the switch has received nothing in between.
 */
async function recordsOf(
  sources: readonly Source[],
  traffic: () => Promise<unknown>,
): Promise<readonly FlowRecord[]> {
  const read = () => Promise.all(sources.map(({ port }) => ovs.received(port)));
  const before = await read();
  const received = async () => (await read()).map((packets, index) => packets - (before[index] ?? 0));
  const recorded = () => sources.map(({ mac }) => counted(sink.records, { sourceMacAddress: mac }).packets);
  sink.clear();
  await traffic();
  for (let last = await received(); ; ) {
    const truth = last;
    await waitFor(() => recorded().every((packets, index) => packets >= (truth[index] ?? 0)), {
      what: `records of ${truth.join(', ')} packets`,
      timeoutMs: 30_000,
    }).catch((cause: unknown) => {
      throw new Error(`The records count ${recorded().join(', ')} of ${truth.join(', ')} packets.`, {
        cause,
      });
    });
    // The daemon replies after all packet-ins that it received before the request.
    await ovs.status();
    const packets = recorded();
    last = await received();
    if (last.join() !== truth.join()) {
      continue;
    }
    assert.deepEqual(packets, truth);
    return sink.records;
  }
}

/** Sends pings between a and b; fails unless the records have all of them. */
async function assertPingsExact(): Promise<void> {
  const records = await recordsOf([a, b], () => ping('a', '10.0.0.2'));
  const expected = { packets: PINGS, octets: PINGS * PING_OCTETS };
  assert.deepEqual(counted(records, icmpOf(a)), expected);
  assert.deepEqual(counted(records, icmpOf(b)), expected);
}

/** Returns the flows without actions of the daemon. */
const userFlows = async () => (await ovs.flows()).filter((flow) => !flow.includes('id=18768'));

const meters = () => guest.run('ovs-ofctl -O OpenFlow13 dump-meters br0');

check('hook and meter are installed on a datapath that is the kernel', async (t) => {
  assert.match(await guest.run('ovs-appctl dpif/show'), /^system@ovs-system:/u);
  assert.match(await guest.run('lsmod'), /^openvswitch /mu);
  assert.equal((await ovs.ownFlows()).length, 1);
  assert.match(
    await meters(),
    /^meter=65000 pktps burst stats bands=\ntype=drop rate=5000 burst_size=100$/mu,
  );
  t.diagnostic(`kernel ${(await guest.run('uname -r')).trim()}`);
  t.diagnostic((await guest.run('ovs-vswitchd --version')).split('\n')[0] ?? '');
});

check('pings are counted to the packet and the octet', async () => {
  await assertPingsExact();
  const records = await recordsOf([a, b], () => ping('b', '10.0.0.1', 1000));
  const expected = { packets: PINGS, octets: PINGS * (PING_OCTETS - 56 + 1000) };
  assert.deepEqual(counted(records, icmpOf(a)), expected);
  assert.deepEqual(counted(records, icmpOf(b)), expected);
  const [bridge] = (await ovs.status()).bridges;
  assert.equal(bridge?.sampling?.sampler.lost, 0);
  assert.equal(bridge?.sampling?.sampler.droppedByMeter, 0);
});

check('UDP datagrams are counted to the packet and the octet, and all arrive', async () => {
  const count = 600;
  const lengths = [10, 100, 1400];
  const receiver = `socket(S, PF_INET, SOCK_DGRAM, 17); bind(S, sockaddr_in(9000, INADDR_ANY)) or die; $| = 1; print "up\\n";
    while ($n < ${count}) { $r = ""; vec($r, fileno(S), 1) = 1; select($r, undef, undef, 20) or last; recv(S, $m, 2000, 0); $n++ }
    print "received $n\\n";`;
  const sender = `socket(S, PF_INET, SOCK_DGRAM, 17); connect(S, sockaddr_in(9000, inet_aton("10.0.0.2"))) or die;
    for $n (0 .. ${count - 1}) { send(S, "x" x (${lengths.join(', ')})[$n % 3], 0); select(undef, undef, undef, 0.005) }`;
  const records = await recordsOf([a, b], async () => {
    const text = await guest.run(`
      ip netns exec b perl -MSocket -e '${receiver}' >/tmp/received &
      until [ -s /tmp/received ]; do sleep 0.1; done
      ip netns exec a perl -MSocket -e '${sender}'
      wait
      cat /tmp/received`);
    assert.match(text, new RegExp(`^received ${count}$`, 'mu'));
  });
  const octets = lengths.reduce((sum, length) => sum + (count / 3) * (14 + 20 + 8 + length), 0);
  const udp = { sourceMacAddress: a.mac, protocolIdentifier: 17, destinationTransportPort: 9000 };
  assert.deepEqual(counted(records, udp), { packets: count, octets });
});

check('frames with a VLAN tag are counted with their tag, as they were received', async () => {
  const c = await ovs.addHost({ name: 'c', vlan: { id: 20, address: '10.0.20.1/24' } });
  const d = await ovs.addHost({ name: 'd', address: '10.0.20.2/24', port: ['tag=20'] });
  const records = await recordsOf([c, d], () => ping('c', '10.0.20.2'));
  const tagged = { ...icmpOf(c), vlanId: 20, ethernetHeaderLength: 18 };
  assert.deepEqual(counted(records, tagged), { packets: PINGS, octets: PINGS * (PING_OCTETS + 4) });
  const untagged = { ...icmpOf(d), vlanId: undefined, ethernetHeaderLength: 14 };
  assert.deepEqual(counted(records, untagged), { packets: PINGS, octets: PINGS * PING_OCTETS });
});

check('packets of the port LOCAL are counted once', async () => {
  await guest.run('ip address add 10.0.0.254/24 dev br0\nip link set br0 up');
  const records = await recordsOf([LOCAL, a], () =>
    guest.run(`ping -q -n -c ${PINGS} -i 0.05 -W 20 10.0.0.1 | grep ' ${PINGS} received, 0% packet loss'`),
  );
  const expected = { packets: PINGS, octets: PINGS * PING_OCTETS };
  assert.deepEqual(counted(records, icmpOf(LOCAL)), expected);
  assert.deepEqual(counted(records, icmpOf(a)), expected);
});

check('packets that connection tracking recirculates are counted once', async () => {
  await ovs.setFlows(
    'priority=0,actions=NORMAL',
    'priority=9,ip,ct_state=-trk,actions=ct(table=1,zone=5)',
    'table=1,priority=9,ip,ct_state=+new+trk,actions=ct(commit,zone=5),NORMAL',
    'table=1,priority=9,ip,ct_state=+est+trk,actions=NORMAL',
  );
  await assertPingsExact();
  assert.match(
    await guest.run('ovs-appctl dpctl/dump-conntrack'),
    /^icmp,orig=\(src=10\.0\.0\.1,dst=10\.0\.0\.2,.*zone=5/mu,
  );
  await ovs.setFlows(...FORWARDING);
});

check('packets that come out of a geneve tunnel are counted once, without the tunnel', async () => {
  const far = { port: 'tunnel', mac: macOf('f') };
  await guest.run(`
    ip netns add f
    ip netns exec f sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip link add underlay type veth peer name eth0 netns f
    ip address add 172.31.0.1/24 dev underlay
    ip link set underlay up
    ip -n f address add 172.31.0.2/24 dev eth0
    ip -n f link set eth0 up
    ip -n f link add inner address ${far.mac} type geneve id 5 remote 172.31.0.1
    ip -n f address add 10.0.0.9/24 dev inner
    ip -n f link set inner up
    ovs-vsctl add-port br0 tunnel -- set Interface tunnel type=geneve options:remote_ip=172.31.0.2 options:key=5`);
  const records = await recordsOf([a, far], () => ping('a', '10.0.0.9'));
  const expected = { packets: PINGS, octets: PINGS * PING_OCTETS };
  assert.deepEqual(counted(records, icmpOf(a)), expected);
  assert.deepEqual(counted(records, icmpOf(far)), expected);
  assert.equal(counted(records, { protocolIdentifier: 17 }).packets, 0);
  await guest.run('ovs-vsctl del-port tunnel');
});

check("`sample` actions send each packet to their collector set, and to the bridge's", async (t) => {
  const setSink = await FlowRecordSink.open();
  t.after(() => setSink.close());
  await guest.run(`ovs-vsctl -- --id=@b get Bridge br0 -- --id=@i create IPFIX ${targets(setSink.port)} \
    -- create Flow_Sample_Collector_Set id=1 bridge=@b ipfix=@i`);
  const sample = 'sample(probability=65535,collector_set_id=1,obs_domain_id=7,obs_point_id=9)';
  await ovs.setFlows(...FORWARDING, `priority=9,icmp,actions=${sample},NORMAL`);
  await waitFor(async () => (await ovs.ownFlows()).length === 2, {
    what: 'hook and translated flow',
    timeoutMs: GUEST_TIMEOUT_MS,
  });
  await guest.run('ovs-appctl revalidator/wait');
  await assertPingsExact();
  const records = await setSink.waitForPackets(2 * PINGS, 30_000);
  for (const source of [a, b]) {
    const match = { ...icmpOf(source), observationPointId: 9 };
    assert.deepEqual(counted(records, match), { packets: PINGS, octets: PINGS * PING_OCTETS });
  }
  assert.deepEqual(new Set(records.map((record) => record.observationDomainId)), new Set([7]));
  await ovs.setFlows(...FORWARDING);
  await guest.run('ovs-vsctl --all destroy Flow_Sample_Collector_Set');
});

check('without a key the datapath samples, and pings are counted to the packet and the octet', async () => {
  await guest.run(`ovs-vsctl remove Bridge br0 external_ids ${SAMPLER_KEY}`);
  const { samplerChoice } = await waitFor(
    async () => {
      const bridge = await hookedBridge();
      const { sampler, probability } = bridge.samplerChoice ?? {};
      return sampler === 'datapath' && probability === 65_535 && bridge;
    },
    { what: 'the datapath samples every packet', timeoutMs: GUEST_TIMEOUT_MS, intervalMs: 1000 },
  );
  assert.deepEqual([samplerChoice?.policy, samplerChoice?.reason], ['auto', 'kernel datapath']);
  await guest.run('ovs-appctl revalidator/wait');
  await assertPingsExact();
});

for (const interval of [16, 64, 400]) {
  check(
    `the datapath sampler at 1 in ${interval} counts segmented TCP within its error, and all that is lost is known`,
    async (t) => {
      await guest.run(`ovs-vsctl set IPFIX ${ROW} sampling=${interval}`);
      await waitFor(() => isSampledAt(interval), {
        what: `the datapath samples 1 in ${interval}`,
        timeoutMs: GUEST_TIMEOUT_MS,
      });
      await guest.run('ovs-appctl revalidator/wait');
      sink.clear();
      const before = await account();
      const octetsBefore = await ovs.receivedOctets(a.port);
      const upcallsBefore = await lostUpcalls();
      await sendTcp();
      const truth = (await ovs.receivedOctets(a.port)) - octetsBefore;
      const after = await settledSamples();
      assert.equal(after.exported, after.received + after.lost);
      const received = after.received - before.received;
      const exported = after.exported - before.exported;
      const { octets } = counted(sink.records, { sourceMacAddress: a.mac, protocolIdentifier: 6 });
      // What is lost between ovs-vswitchd and the daemon makes the sampling coarser.
      const factor = (interval * exported) / received;
      const standardError = Math.sqrt((SEGMENTED_MAX * (factor - 1)) / truth);
      t.diagnostic(
        `octets ${(octets / truth).toFixed(3)} of the port's (standard error at most ${standardError.toFixed(3)}); ` +
          `${received} of ${exported} packets arrived, counted by ovs-vswitchd`,
      );
      assert.ok(received > 100);
      assert.ok(Math.abs(octets / truth - 1) < 6 * standardError, `${octets} of ${truth}`);
      assert.equal((await lostUpcalls()) - upcallsBefore, 0, 'upcalls that the datapath lost');
    },
  );
}

check('packet-ins sample again, and count pings to the packet and the octet', async () => {
  await guest.run(`ovs-vsctl set IPFIX ${ROW} sampling=1 -- set Bridge br0 ${PACKET_INS}`);
  await waitFor(async () => (await ovs.ownFlows()).some((flow) => flow.includes('meter_id=65000')), {
    what: 'packet-ins sample again',
    timeoutMs: GUEST_TIMEOUT_MS,
  });
  await ovs.waitForReady();
  await assertPingsExact();
});

/** Whether the datapath samples the packets of the bridge, with the probability that a row asks for. */
async function isSampledAt(interval: number): Promise<boolean> {
  const { samplerChoice } = await hookedBridge();
  return (
    samplerChoice?.sampler === 'datapath' &&
    samplerChoice.probability === Math.ceil(PROBABILITY_ALL / interval)
  );
}

/** Sends 200 MiB from one host to the other. */
async function sendTcp(): Promise<void> {
  await guest.run(
    `ip netns exec b iperf3 -s -1 -D >/dev/null
     until ip netns exec a iperf3 -c 10.0.0.2 -n 200M >/tmp/iperf3.log; do sleep 0.2; done`,
    { timeoutMs: GUEST_TIMEOUT_MS },
  );
}

/** Returns the number of flow misses and samples that the datapath could not hand to ovs-vswitchd. */
async function lostUpcalls(): Promise<number> {
  return Number(/lost:(\d+)/u.exec(await guest.run('ovs-appctl dpctl/show'))?.[1]);
}

/** Returns the account of packets that the datapath has sampled, as ovs-vswitchd counts them. */
async function account() {
  const packets = (await hookedBridge()).sampling?.datapath?.packets;
  assert.ok(packets !== undefined);
  return packets;
}

/** Returns the bridge's part of the status. */
async function hookedBridge() {
  const [bridge] = (await ovs.status()).bridges;
  assert.ok(bridge !== undefined);
  return bridge;
}

/** Waits until no sample arrives any more; returns the account of packets, as ovs-vswitchd counts them. */
async function settledSamples() {
  let last = -1;
  return waitFor(
    async () => {
      const packets = (await hookedBridge()).sampling?.datapath?.packets;
      const isSettled = packets !== undefined && packets.received === last;
      last = packets?.received ?? -1;
      return isSettled ? packets : false;
    },
    { what: 'no sample arrives any more', timeoutMs: GUEST_TIMEOUT_MS, intervalMs: 1000 },
  );
}

check('a stop restores flows, meters and row, loses no ping, and ovs-vswitchd exports', async (t) => {
  const users = await userFlows();
  const pings = await ovs.startPings('a', '10.0.0.2');
  await pings.pass(10);
  await stopDaemon(t);
  await pings.pass(10);
  const { sent, received } = await pings.stop();
  assert.equal(received, sent);
  assert.deepEqual(await ovs.flows(), users);
  assert.doesNotMatch(await meters(), /meter=/u);
  assert.equal(
    await guest.run('ovs-vsctl --bare --columns=targets,external_ids list IPFIX'),
    `${HOST_ADDRESS}:${sink.port}\n\n`,
  );
  // The strict reader refuses messages of ovs-vswitchd: they go to another target from here on.
  await sink.close();
  const builtIn = await UdpSink.open();
  await guest.run(`ovs-vsctl set IPFIX $(ovs-vsctl get Bridge br0 ipfix) ${targets(builtIn.port)}`);
  await ping('a', '10.0.0.2');
  await builtIn.waitForCount(1, GUEST_TIMEOUT_MS);
  sink = await FlowRecordSink.open();
  // From here on only the daemon exports, so that no record of ovs-vswitchd gets to the reader before the daemon is started.
  const held = `external_ids:ovs-ipfix-targets=\\"${HOST_ADDRESS}:${sink.port}\\"`;
  await guest.run(`ovs-vsctl set IPFIX $(ovs-vsctl get Bridge br0 ipfix) targets=[] ${held}`);
  await builtIn.close();
});

async function stopDaemon(t: TestContext): Promise<void> {
  const { neededRelease } = await ovs.stopDaemon();
  if (neededRelease) {
    t.diagnostic('the host was too busy for the deadline of a stop: "ovs-ipfix release" has cleaned up');
  }
}

/** Waits until none of the daemon's flows is left; returns the seconds of the guest's clock. */
async function secondsUntilUnhooked(first = ''): Promise<number> {
  const text = await guest.run(`
    ${first}
    begin=$(cut -d . -f 1 /proc/uptime)
    until [ "$(ovs-ofctl dump-flows br0 | grep -c id=18768)" = 0 ]; do sleep 0.5; done
    echo $(($(cut -d . -f 1 /proc/uptime) - begin))`);
  return Number(text);
}

check(
  'after SIGKILL the hook is removed by its hard timeout, no ping is lost, and the next start continues',
  async (t) => {
    const users = await ovs.flows();
    await ovs.startDaemon();
    const pings = await ovs.startPings('a', '10.0.0.2');
    await pings.pass(10);
    const seconds = await secondsUntilUnhooked('kill -KILL $(cat /tmp/daemon.pid)');
    t.diagnostic(`the hook was gone after ${seconds} s`);
    // It was refreshed less than a hard timeout ago, and was not removed with the connection.
    assert.ok(seconds > HOOK_TIMEOUT_SECONDS / 3 && seconds <= HOOK_TIMEOUT_SECONDS + 2, `${seconds} s`);
    await pings.pass(10);
    const { sent, received } = await pings.stop();
    assert.equal(received, sent);
    assert.deepEqual(await ovs.flows(), users);
    await ovs.startDaemon();
    await assertPingsExact();
  },
);

check('saved and restored flows under a living daemon: it hooks the bridge again', async () => {
  const users = await userFlows();
  await ovs.reload();
  await ovs.waitForReady();
  assert.equal((await ovs.ownFlows()).length, 1);
  assert.deepEqual(await userFlows(), users);
  assert.match(
    await meters(),
    /^meter=65000 pktps burst stats bands=\ntype=drop rate=5000 burst_size=100$/mu,
  );
  await assertPingsExact();
  // A controller action keeps the meter that existed when its flow was written: the datapath's flow shows it.
  assert.match(
    await guest.run('ovs-appctl dpctl/dump-flows'),
    /in_port\(\d+\).*actions:.*meter\(\d+\),userspace/u,
  );
});

check('saved and restored flows after a kill: the restored hook goes by its hard timeout', async (t) => {
  const users = await userFlows();
  assert.equal(await ovs.endDaemon('KILL'), 137);
  await ovs.reload();
  const seconds = await secondsUntilUnhooked();
  t.diagnostic(`the hook was gone ${seconds} s after the restart`);
  assert.ok(seconds <= HOOK_TIMEOUT_SECONDS + 2, `${seconds} s`);
  assert.deepEqual(await ovs.flows(), users);
  await ping('a', '10.0.0.2');
  await ovs.startDaemon();
  await assertPingsExact();
});

check('saved and restored flows after a stop: nothing of the daemon is left', async (t) => {
  const users = await userFlows();
  await stopDaemon(t);
  await ovs.reload();
  assert.deepEqual(await ovs.flows(), users);
  assert.doesNotMatch(await meters(), /meter=/u);
  await ping('a', '10.0.0.2');
});
