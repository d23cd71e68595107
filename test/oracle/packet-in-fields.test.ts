// Compares fields of packet-ins with Open vSwitch's own values. OVS reads each field in the actions of a flow: since 3.4 by
// `sample` actions that take their observation point from it, so that ovs-vswitchd's records have the value, and before by
// `move` to a register, which packet-ins have. The field is then read from the same packet-ins by its name.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fieldByName } from '../../src/node-openflow/fields.ts';
import {
  decodeMetadata,
  fieldValue,
  type MatchField,
  OpenFlowConnection,
  type OpenFlowMessage,
  PACKET_IN_FORMATS,
  PacketInFields,
  type PacketInView,
  versionName,
} from '../../src/node-openflow/index.ts';
import {
  arp,
  type EthernetPayload,
  ethernet,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  rawEthernetPayload,
  rawIpPayload,
  tcp,
  udp,
} from '../support/frames.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';
import { differs } from '../versions/differences.ts';

type Name = MatchField['field'];

const V4 = { source: '10.1.2.3', destination: '192.0.2.77', ttl: 7, tos: 0xb9 };
const V6 = {
  source: '2001:db8::1234',
  destination: 'fe80::99:7',
  hopLimit: 9,
  trafficClass: 0xb6,
  flowLabel: 0xabcde,
};
const ND = Buffer.from('20000005fe800000000000000000000000001234', 'hex');
const SLL = Buffer.from('0101020304050607', 'hex');
const TLL = Buffer.from('0201020304050608', 'hex');

const ETHERNET = ['eth_src', 'eth_dst', 'eth_type', 'vlan_tci'] as const;
const VLAN = ['vlan_vid', 'vlan_pcp'] as const;
const IP = ['nw_tos', 'ip_dscp', 'nw_ecn', 'nw_ttl', 'nw_proto', 'nw_frag'] as const;
const IPV4 = [
  ...IP,
  'ip_src',
  'ip_dst',
  'ct_nw_src',
  'ct_nw_dst',
  'ct_nw_proto',
  'ct_tp_src',
  'ct_tp_dst',
] as const;
const IPV6 = [
  ...IP,
  'ipv6_src',
  'ipv6_dst',
  'ipv6_label',
  'ct_ipv6_src',
  'ct_ipv6_dst',
  'ct_nw_proto',
] as const;
const OTHER_METADATA =
  'in_port in_port_oxm tun_id tun_src tun_dst tun_flags tun_ipv6_src tun_gbp_id tun_gbp_flags metadata pkt_mark ' +
  'ct_state ct_zone ct_mark ct_label packet_type xxreg0 xxreg1 xxreg2';
/** Without reg15 and the registers that include it, which the flows of this test write. */
const METADATA = [
  ...OTHER_METADATA.split(' '),
  ...Array.from({ length: 15 }, (_, index) => `reg${index}`),
  ...Array.from({ length: 7 }, (_, index) => `xreg${index}`),
] as Name[];

interface Kind {
  /** The match that a `move` of the fields needs. */
  readonly match: string;
  readonly frame: Buffer;
  readonly fields: readonly Name[];
}

const frame = (payload: EthernetPayload, vlan?: object) =>
  ethernet(
    {
      source: '02:aa:bb:cc:dd:01',
      destination: '02:11:22:33:44:55',
      ...(vlan === undefined ? {} : { vlans: [{ id: 0x789, priority: 5 }] }),
    },
    payload,
  );

const KINDS: Readonly<Record<string, Kind>> = {
  'UDP in a VLAN': {
    match: 'udp,vlan_tci=0x1000/0x1000,ct_state=+trk-inv',
    frame: frame(ipv4(V4, udp({ source: 1111, destination: 0x8123 })), {}),
    fields: [...ETHERNET, ...VLAN, ...IPV4, 'udp_src', 'udp_dst', ...METADATA],
  },
  'TCP with flags': {
    match: 'tcp,ct_state=+trk-inv',
    frame: frame(ipv4(V4, tcp({ source: 2222, destination: 443, flags: 0xc2 }))),
    fields: [...ETHERNET, ...IPV4, 'tcp_src', 'tcp_dst', 'tcp_flags'],
  },
  'a later fragment': {
    match: 'tcp',
    frame: frame(ipv4({ ...V4, fragmentOffset: 9 }, rawIpPayload(6, Buffer.alloc(40, 7)))),
    fields: [...IP, 'ip_src', 'tcp_src', 'tcp_dst', 'tcp_flags'],
  },
  SCTP: {
    match: 'sctp',
    frame: frame(ipv4(V4, rawIpPayload(132, Buffer.from('0457822300000000000000000000', 'hex')))),
    fields: ['sctp_src', 'sctp_dst'],
  },
  ICMP: {
    match: 'icmp',
    frame: frame(ipv4(V4, icmp({ type: 3, code: 4 }))),
    fields: ['icmp_type', 'icmp_code', ...IP],
  },
  'a truncated UDP header': {
    match: 'udp',
    frame: frame(ipv4(V4, rawIpPayload(17, Buffer.from('0102', 'hex')))),
    fields: ['udp_src', 'udp_dst', 'nw_proto'],
  },
  'IPv6 with extension headers': {
    match: 'udp6,ct_state=+trk-inv',
    frame: frame(
      ipv6(
        {
          ...V6,
          extensions: [
            { header: 0, bytes: Buffer.alloc(8) },
            { header: 60, bytes: Buffer.alloc(8) },
          ],
        },
        udp({ source: 3333, destination: 53 }),
      ),
    ),
    fields: [...IPV6, 'udp_src', 'udp_dst'],
  },
  ICMPv6: {
    match: 'icmp6',
    frame: frame(ipv6(V6, icmpv6({ type: 1, code: 3 }))),
    fields: ['icmpv6_type', 'icmpv6_code', ...IP],
  },
  'a neighbor solicitation': {
    match: 'icmp6,icmp_type=135,icmp_code=0',
    frame: frame(ipv6({ ...V6, hopLimit: 255 }, icmpv6({ type: 135, code: 0 }, Buffer.concat([ND, SLL])))),
    fields: ['icmpv6_type', 'nd_target', 'nd_sll', 'nd_reserved', 'nd_options_type'],
  },
  'a neighbor advertisement': {
    match: 'icmp6,icmp_type=136,icmp_code=0',
    frame: frame(ipv6({ ...V6, hopLimit: 255 }, icmpv6({ type: 136, code: 0 }, Buffer.concat([ND, TLL])))),
    fields: ['icmpv6_type', 'nd_target', 'nd_tll', 'nd_reserved', 'nd_options_type'],
  },
  ARP: {
    match: 'arp',
    frame: frame(
      arp({ operation: 2, senderIp: '10.9.8.7', targetIp: '10.0.0.9', targetMac: '02:00:00:00:00:07' }),
    ),
    fields: [...ETHERNET, 'arp_op', 'arp_spa', 'arp_tpa', 'arp_sha', 'arp_tha', 'in_port'],
  },
  'a later IPv6 fragment': {
    match: 'ipv6',
    frame: frame(
      ipv6(
        { ...V6, extensions: [{ header: 44, bytes: Buffer.from('0000001900000001', 'hex') }] },
        rawIpPayload(17, Buffer.alloc(24, 9)),
      ),
    ),
    fields: [...IP, 'ipv6_src', 'ipv6_label'],
  },
  'an IPv4 packet that is longer than its frame': {
    match: 'ip',
    frame: frame(ipv4({ ...V4, totalLength: 400 }, udp({ source: 5, destination: 6 }))),
    fields: [...IP, 'ip_src', 'ip_dst', 'eth_type'],
  },
  'two VLAN tags': {
    match: 'vlan_tci=0x1000/0x1000',
    frame: ethernet(
      { vlans: [{ id: 5, priority: 1, tpid: 0x88a8 }, { id: 6 }] },
      ipv4(V4, udp({ source: 5, destination: 6 })),
    ),
    fields: [...ETHERNET, ...VLAN],
  },
  'an 802.3 frame with SNAP': {
    match: 'arp',
    frame: ethernet(
      {},
      rawEthernetPayload(
        36,
        Buffer.concat([
          Buffer.from('aaaa030000000806', 'hex'),
          arp({ senderIp: '10.9.8.7', targetIp: '10.0.0.9' }).bytes,
        ]),
      ),
    ),
    fields: [...ETHERNET, 'arp_op', 'arp_spa'],
  },
  MPLS: {
    match: 'mpls',
    frame: frame(rawEthernetPayload(0x8847, Buffer.from('12345b7f45000014000000004000000001020304', 'hex'))),
    fields: ['mpls_label', 'mpls_tc', 'mpls_bos', 'mpls_ttl', 'eth_type'],
  },
  'an unknown type': {
    match: '',
    frame: frame(rawEthernetPayload(0x88cc, Buffer.alloc(40))),
    fields: [...ETHERNET, 'in_port_oxm', 'reg3'],
  },
};

/** All fields, for an oracle that reads any field from any packet. */
const EVERY_FIELD = [...new Set(Object.values(KINDS).flatMap(({ fields }) => fields))];

/** Widths in bits of fields that are not whole bytes. */
const ODD_WIDTHS: Readonly<Partial<Record<Name, number>>> = {
  vlan_vid: 12,
  vlan_pcp: 3,
  mpls_label: 20,
  mpls_tc: 3,
  mpls_bos: 1,
  ipv6_label: 20,
  nw_frag: 2,
  ip_dscp: 6,
  nw_ecn: 2,
  tcp_flags: 12,
  tun_flags: 1,
};

/** At most 32 bits of a field. */
interface Slice {
  readonly name: Name;
  readonly offset: number;
  readonly bitCount: number;
}

/** Returns the slices of a field: parts of 32 bits, and the middle of a wide one. */
function slices(name: Name): readonly Slice[] {
  const width = ODD_WIDTHS[name] ?? (fieldByName(name)?.width ?? 0) * 8;
  const offsets = Array.from({ length: Math.ceil(width / 32) }, (_, index) => index * 32);
  const parts = offsets.map((offset) => ({ name, offset, bitCount: Math.min(32, width - offset) }));
  return width < 64 ? parts : [...parts, { name, offset: 17, bitCount: 27 }];
}

const text = ({ name, offset, bitCount }: Slice) => `${name}[${offset}..${offset + bitCount - 1}]`;

/** Sets registers, tunnel fields and others, and then tracks the connection. */
const SETUP = [
  'load:0x11223344->NXM_NX_REG0[],load:0x55667788->NXM_NX_REG1[],load:0x99aabbcc->NXM_NX_REG3[]',
  'load:0x1->NXM_NX_REG4[],load:0xffffffff->NXM_NX_REG7[],load:0x80000001->NXM_NX_REG9[],load:0x77->NXM_NX_REG14[]',
  'load:0x123456789abcdef0->OXM_OF_METADATA[],load:0xfedcba9876543210->NXM_NX_TUN_ID[]',
  'load:0x0a000001->NXM_NX_TUN_IPV4_SRC[],load:0x0a000002->NXM_NX_TUN_IPV4_DST[],load:0xcafe0001->NXM_NX_PKT_MARK[]',
].join(',');
const TRACK =
  'ct(commit,table=1,zone=77,exec(load:0xdead0001->NXM_NX_CT_MARK[],load:0x1122334455667788->NXM_NX_CT_LABEL[0..63],' +
  'load:0x99aabbccddeeff01->NXM_NX_CT_LABEL[64..127]))';

/** Slices of one flow, so that its packet-ins fit into the switch's queue of a connection (100). */
const SLICES_MAX = 40;
/** First observation domain of the records of a flow's slices; domain 0 has statistics of the exporter. */
const FIRST_DOMAIN = 1000;

/** A way to read OVS's values of slices of fields. */
interface Oracle {
  /** Returns the actions that report the value of a slice and send a packet-in with its index. */
  readonly actions: (slice: Slice, index: number) => string;
  /** Called with each packet-in. */
  readonly read: (index: number, packetIn: PacketInView) => void;
  /** Waits for that many values, and returns the value of each slice by its index. */
  readonly values: (count: number) => Promise<ReadonlyMap<number, number>>;
  readonly clear: () => void;
  /** Whether fields can only be read from packets that have them. */
  readonly needsMatch: boolean;
}

/** Returns `controller` with the index as userdata. */
const tell = (index: number) => `controller(userdata=${index.toString(16).padStart(2, '0')})`;

/** Makes the oracle for OVS before 3.4: the value is moved to reg15 for the packet-in. */
function registerOracle(): Oracle {
  const values = new Map<number, number>();
  return {
    needsMatch: true,
    actions: (slice, index) =>
      `load:0->NXM_NX_REG15[],move:${text(slice)}->NXM_NX_REG15[0..${slice.bitCount - 1}],${tell(index)}`,
    read: (index, packetIn) => {
      // OpenFlow 1.5 has it as half of xreg7.
      const register = decodeMetadata(packetIn).find(({ field }) => field === 'reg15' || field === 'xreg7');
      values.set(index, register === undefined ? 0 : Number(BigInt.asUintN(32, fieldValue(register))));
    },
    values: async (count) => {
      await waitFor(() => values.size === count, { what: `${count} packet-ins` });
      return values;
    },
    clear: () => values.clear(),
  };
}

/** Makes the oracle for OVS 3.4 and later: the value is the observation point of a record of ovs-vswitchd. */
async function exporterOracle(t: TestContext, ovs: Ovs): Promise<Oracle> {
  const sink = await UdpSink.open();
  t.after(() => sink.close());
  const bridge = (await ovs.vsctl('get', 'Bridge', 'br0', '_uuid')).trim();
  const row = `-- --id=@i create IPFIX targets="${sink.target}"`;
  const set = `-- create Flow_Sample_Collector_Set bridge=${bridge} id=1 ipfix=@i`;
  await ovs.vsctl(...`${row} ${set}`.split(' '));
  return {
    needsMatch: false,
    actions: (slice, index) => {
      const ids = `obs_domain_id=${FIRST_DOMAIN + index},obs_point_id=${text(slice)}`;
      return `sample(probability=65535,collector_set_id=1,${ids}),${tell(index)}`;
    },
    read: () => {},
    values: async (count) => {
      await waitFor(() => points(sink.datagrams).size === count, {
        what: `${count} records of ovs-vswitchd`,
      });
      return points(sink.datagrams);
    },
    clear: () => sink.clear(),
  };
}

/** Returns the observation points of ovs-vswitchd's messages by domain; records begin with it, one in each message. */
function points(messages: readonly Buffer[]): ReadonlyMap<number, number> {
  const data = messages.filter((message) => message.readUInt16BE(16) >= 256);
  const ofFlows = data.filter((message) => message.readUInt32BE(12) >= FIRST_DOMAIN);
  return new Map(
    ofFlows.map((message) => [message.readUInt32BE(12) - FIRST_DOMAIN, message.readUInt32BE(20)]),
  );
}

for (const version of [1, 5, 6] as const) {
  test(`every field of a packet-in has OVS's value, ${versionName(version)}`, tier('ovs'), async (t) => {
    const ovs = await startOvs();
    t.after(() => ovs.stop());
    const protocols = ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'];
    await ovs.addBridge('br0', { protocols, failMode: 'secure' });
    await ovs.addDummyPort('br0', 'p1', 7);
    const oracle = differs(t, 'ids-from-fields') ? registerOracle() : await exporterOracle(t, ovs);
    const byPacketIn = new Map<number, bigint | undefined>();
    let asked: readonly Slice[] = [];
    const connection = new OpenFlowConnection(connect(join(ovs.rundir, 'br0.mgmt')), {
      versions: [version],
      onPacketIn: (packetIn) => {
        const index = packetIn.bytes.readUInt8(packetIn.userdataStart);
        oracle.read(index, packetIn);
        byPacketIn.set(index, valueOf(asked[index], packetIn));
      },
    });
    t.after(() => connection.close());
    await connection.ready;
    const setUp: readonly OpenFlowMessage[] = [
      { type: 'set_packet_in_format', format: PACKET_IN_FORMATS.nxtPacketIn2 },
      { type: 'set_config', flags: 0, missSendLength: 128 },
      { type: 'set_async', packetIn: { active: 2, secondary: 2 } },
    ];
    assert.deepEqual(await connection.transact(setUp), []);
    await ovs.ofctl('add-flow', 'br0', `priority=1,actions=${SETUP},resubmit(,1)`);
    await ovs.ofctl('add-flow', 'br0', `priority=2,ip,ct_state=-trk,nw_frag=no,actions=${SETUP},${TRACK}`);
    await ovs.ofctl('add-flow', 'br0', `priority=2,ipv6,ct_state=-trk,nw_frag=no,actions=${SETUP},${TRACK}`);
    for (const [what, { match, frame: bytes, fields }] of Object.entries(KINDS)) {
      const all = (oracle.needsMatch ? fields : EVERY_FIELD).flatMap(slices);
      for (let first = 0; first < all.length; first += SLICES_MAX) {
        asked = all.slice(first, first + SLICES_MAX);
        oracle.clear();
        byPacketIn.clear();
        const actions = asked.map(oracle.actions).join(',');
        await ovs.ofctl('add-flow', 'br0', `table=1,${match === '' ? '' : `${match},`}actions=${actions}`);
        await ovs.inject('p1', bytes);
        const values = await oracle.values(asked.length);
        await waitFor(() => byPacketIn.size === asked.length, { what: 'all packet-ins' });
        const seen = (value: (index: number) => number | bigint | undefined) =>
          asked.map((slice, index) => `${text(slice)}=${value(index)}`);
        assert.deepEqual(
          seen((index) => byPacketIn.get(index)),
          seen((index) => values.get(index)),
          what,
        );
        await ovs.ofctl('del-flows', 'br0', 'table=1');
      }
    }
  });
}

function valueOf(slice: Slice | undefined, packetIn: PacketInView): bigint | undefined {
  if (slice === undefined) {
    return undefined;
  }
  const value = new PacketInFields(packetIn).value(slice.name);
  return value === undefined ? undefined : BigInt.asUintN(slice.bitCount, value >> BigInt(slice.offset));
}
