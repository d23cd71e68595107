import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { framePcap } from '../support/collectors.ts';
import { arp, ethernet, icmp, icmpv6, ipv4, ipv6, tcp, udp, udpFrame } from '../support/frames.ts';
import { runProgram } from '../support/process.ts';
import { tier } from '../support/tiers.ts';

test(
  'tshark finds the frames of the tests well-formed, with correct checksums',
  tier('tshark'),
  async (t) => {
    const v4 = { source: '10.0.0.1', destination: '10.0.0.2' };
    const v6 = { source: 'fe80::1', destination: 'ff02::1' };
    const options = Buffer.from('94040000', 'hex');
    const vlans = [{ id: 7, priority: 3 }, { id: 9 }];
    const hop = Buffer.from('0000010400000000', 'hex');
    const extensions = [
      { header: 0, bytes: hop },
      { header: 60, bytes: hop },
    ];
    const frames = [
      udpFrame({}),
      ethernet({ vlans }, ipv4({ ...v4, tos: 0xb8, options }, tcp({ source: 1, destination: 2 }))),
      ethernet({}, arp({ senderIp: '10.0.0.1', targetIp: '10.0.0.2' })),
      ethernet({}, ipv4(v4, icmp({ type: 8 }))),
      ethernet({}, ipv6({ ...v6, flowLabel: 0xabcde, extensions }, icmpv6({ type: 128 }))),
      ethernet({}, ipv6(v6, udp({ source: 50_000, destination: 50_001 }, Buffer.from('odd')))),
    ];
    const folder = await mkdtemp(join(tmpdir(), 'frames-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, 'frames.pcap'), framePcap(frames));
    const checks = ['ip', 'tcp', 'udp'].flatMap((layer) => ['-o', `${layer}.check_checksum:TRUE`]);
    const fields = ['frame.protocols', 'ip.checksum.status', 'tcp.checksum.status', 'udp.checksum.status'];
    fields.push('icmp.checksum.status', 'icmpv6.checksum.status', '_ws.malformed');
    const text = await runProgram(
      'tshark',
      ['-n', '-r', join(folder, 'frames.pcap'), ...checks, '-T', 'fields', '-E', 'separator=|'].concat(
        fields.flatMap((field) => ['-e', field]),
      ),
      { timeoutMs: 60_000 },
    );
    assert.deepEqual(text.trim().split('\n'), [
      'eth:ethertype:ip:udp:data|1||1|||',
      'eth:ethertype:vlan:ethertype:vlan:ethertype:ip:tcp|1|1||||',
      'eth:ethertype:arp||||||',
      'eth:ethertype:ip:icmp|1|||1||',
      'eth:ethertype:ipv6:ipv6.hopopts:ipv6.dstopts:icmpv6|||||1|',
      'eth:ethertype:ipv6:udp:data|||1|||',
    ]);
  },
);
