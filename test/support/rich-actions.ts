// The actions and instructions of ovs-actions(7) in ovs-ofctl's syntax, each as a kind with random arguments, for users' flows
// in tests. Tests omit kinds that their ovs-ofctl cannot parse.

/** A random generator with a seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Returns an integer from 0 to `bound - 1`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  chance(probability: number): boolean {
    return this.below(1_000_000) < probability * 1_000_000;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) {
      throw new Error('There is nothing to pick from.');
    }
    return item;
  }

  /** Returns bytes as "01.fe.20". */
  bytes(count: number): string {
    return Array.from({ length: count }, () => this.below(256).toString(16).padStart(2, '0')).join('.');
  }

  hex(bits: number): string {
    return `0x${this.below(2 ** Math.min(bits, 32)).toString(16)}`;
  }
}

/** The packets that an action needs, which the flow's match selects. */
export type Protocol =
  | 'any'
  | 'ethernet'
  | 'ip'
  | 'tcp'
  | 'udp'
  | 'icmp'
  | 'ipv6'
  | 'arp'
  | 'vlan'
  | 'mpls'
  | 'nsh'
  | 'bare ip';

/** The part of a match that selects packets of a protocol. */
export const PROTOCOL_MATCHES: Readonly<Record<Protocol, string>> = {
  any: '',
  ethernet: '',
  ip: 'ip',
  tcp: 'tcp',
  udp: 'udp',
  icmp: 'icmp',
  ipv6: 'ipv6',
  arp: 'arp',
  vlan: 'dl_vlan=7',
  mpls: 'mpls',
  nsh: 'dl_type=0x894f',
  'bare ip': 'packet_type=(1,0x800)',
};

/** Whether packets of one protocol are packets of the other as well. */
export function isProtocol(packets: Protocol, needed: Protocol): boolean {
  if (needed === 'any' || packets === needed) {
    return true;
  }
  if (needed === 'ethernet') {
    return packets !== 'bare ip';
  }
  return needed === 'ip' && (packets === 'tcp' || packets === 'udp' || packets === 'icmp');
}

/** A kind of action. */
export interface ActionKind {
  readonly name: string;
  readonly needs: Protocol;
  /**
   * - `anywhere` in a list;
   * - `last`, because it changes what the packet is;
   * - `alone`, beside nothing but notes.
   */
  readonly place: 'anywhere' | 'last' | 'alone';
  /** Wire numbers of the first and the last version that accept it. */
  readonly versionMin: number;
  readonly versionMax: number;
  readonly text: (random: Random) => string;
}

type Text = string | ((random: Random) => string);

function kinds(
  needs: Protocol,
  texts: Readonly<Record<string, Text>>,
  place: ActionKind['place'] = 'anywhere',
  versionMin = 1,
  versionMax = 6,
): ActionKind[] {
  return Object.entries(texts).map(([name, text]) => ({
    name,
    needs,
    place,
    versionMin,
    versionMax,
    text: typeof text === 'string' ? () => text : text,
  }));
}

/** The managed collector set of tests, and an unmanaged one. */
export const MANAGED_SET = 1;
const UNMANAGED_SET = 77;
/** Numbers of groups and meters of the bridge. */
export const GROUP_COUNT = 6;
export const METER_COUNT = 3;
const PORTS = ['1', '2', 'LOCAL', 'IN_PORT'];

const register = (random: Random) => `NXM_NX_REG${random.below(5)}`;
const bits = (random: Random) => {
  const first = random.below(16);
  return `[${first}..${first + random.below(16)}]`;
};

/** Returns a `sample` action in one of its forms. */
export function sampleText(random: Random): string {
  return sampleFor(random.chance(0.8) ? MANAGED_SET : UNMANAGED_SET, random);
}

export function managedSampleText(random: Random): string {
  return sampleFor(MANAGED_SET, random);
}

function sampleFor(set: number, random: Random): string {
  const parts = [`probability=${1 + random.below(65_535)}`, `collector_set_id=${set}`];
  if (random.chance(0.8)) {
    parts.push(`obs_domain_id=${random.below(2 ** 32)}`);
  }
  if (random.chance(0.8)) {
    parts.push(`obs_point_id=${random.below(2 ** 32)}`);
  }
  if (random.chance(0.4)) {
    parts.push(`sampling_port=${random.pick(['1', '2', 'LOCAL'])}`);
  }
  if (random.chance(0.4)) {
    parts.push(random.pick(['ingress', 'egress']));
  }
  return `sample(${parts.join(',')})`;
}

/** Returns a value with a mask; bits outside the mask must be 0. */
function maskedText(random: Random): string {
  const mask = 1 + random.below(2 ** 31);
  return `set_field:0x${(random.below(2 ** 31) & mask).toString(16)}/0x${mask.toString(16)}->reg${random.below(16)}`;
}

function conjunctionText(random: Random): string {
  return `conjunction(${random.below(99)},${1 + random.below(2)}/2),note:${random.bytes(4)}`;
}

/** Returns a `sample` action with ids from fields (Open vSwitch 3.4 and later). */
function sampleFieldsText(random: Random): string {
  const domain = random.pick(['NXM_NX_REG0[]', 'NXM_NX_XXREG0[0..31]', 'NXM_OF_IN_PORT[]', '5']);
  const point = random.pick(['NXM_NX_CT_LABEL[96..127]', 'NXM_NX_REG3[]', 'NXM_OF_ETH_TYPE[]']);
  return `sample(probability=65535,collector_set_id=${MANAGED_SET},obs_domain_id=${domain},obs_point_id=${point})`;
}

const OUTPUTS = kinds('any', {
  output: (random) => `output:${random.pick(PORTS)}`,
  NORMAL: 'NORMAL',
  FLOOD: 'FLOOD',
  ALL: 'ALL',
  'output to a register': (random) => `output:${register(random)}[0..15]`,
  'output to a field': (random) =>
    `output:${random.pick(['OXM_OF_METADATA[0..15]', 'NXM_NX_XXREG1[3..18]'])}`,
  'output truncated': (random) => `output(port=${random.pick(['1', '2'])},max_len=${64 + random.below(900)})`,
  enqueue: (random) => `enqueue:${random.pick(['1', '2'])}:${random.below(8)}`,
  CONTROLLER: (random) => `CONTROLLER:${random.pick(['65535', '128'])}`,
  'controller with options': (random) =>
    `controller(reason=${random.pick(['no_match', 'action', 'invalid_ttl'])},max_len=${random.below(1000)},id=${random.below(1000)})`,
  'controller with userdata': (random) => `controller(userdata=${random.bytes(1 + random.below(20))},id=5)`,
  'controller with pause': 'controller(pause,userdata=01.02)',
  'controller with a meter': (random) => `controller(max_len=128,meter_id=${1 + random.below(METER_COUNT)})`,
  group: (random) => `group:${1 + random.below(GROUP_COUNT)}`,
  bundle: (random) => `bundle(eth_src,${random.below(99)},hrw,ofport,members:1,2)`,
  bundle_load: (random) =>
    `bundle_load(symmetric_l4,9,active_backup,ofport,${register(random)}[0..15],members:1,2)`,
});

const FIELDS = [
  ...kinds('any', {
    load: (random) => `load:${random.hex(1)}->${register(random)}${bits(random)}`,
    'load of a field': (random) => `load:${random.hex(12)}->OXM_OF_METADATA[8..19]`,
    'set_field of a register': (random) => `set_field:${random.hex(32)}->reg${random.below(16)}`,
    'set_field with a mask': maskedText,
    'set_field of a pair': (random) => `set_field:${random.hex(32)}->xreg${random.below(8)}`,
    'set_field of four': (random) => `set_field:${random.hex(32)}->xxreg${random.below(4)}`,
    'set_field of metadata': (random) => `set_field:${random.hex(16)}/0xffff->metadata`,
    'set_field of a tunnel': (random) => `set_field:10.0.0.${random.below(256)}->tun_src`,
    'set_field of a tunnel option': (random) => `set_field:${random.hex(32)}->tun_metadata0`,
    'set_field of a mark': (random) => `set_field:${random.hex(8)}->pkt_mark`,
    move: (random) => `move:${register(random)}[0..7]->${register(random)}[8..15]`,
    'move of a wide field': 'move:NXM_NX_TUN_ID[0..15]->NXM_NX_XXREG0[100..115]',
    push: (random) => `push:${register(random)}[]`,
    'push and pop': (random) => `push:${register(random)}${bits(random)},pop:${register(random)}[0..31]`,
    set_tunnel: (random) => `set_tunnel:${random.below(2 ** 24)}`,
    set_tunnel64: (random) =>
      `set_tunnel64:0x1${random
        .below(2 ** 32)
        .toString(16)
        .padStart(8, '0')}`,
    set_queue: (random) => `set_queue:${random.below(100)}`,
    pop_queue: 'pop_queue',
    delete_field: 'delete_field:tun_metadata0',
    check_pkt_larger: (random) =>
      `check_pkt_larger(${random.below(9000)})->${register(random)}[${random.below(32)}]`,
    multipath: (random) =>
      `multipath(eth_src,50,${random.pick(['modulo_n', 'hrw'])},12,0,${register(random)}[0..7])`,
  }),
  ...kinds('ip', {
    mod_nw_src: (random) => `mod_nw_src:10.0.0.${random.below(256)}`,
    mod_nw_dst: (random) => `mod_nw_dst:10.0.0.${random.below(256)}`,
    mod_nw_tos: (random) => `mod_nw_tos:${4 * random.below(64)}`,
    mod_nw_ecn: (random) => `mod_nw_ecn:${random.below(4)}`,
    mod_nw_ttl: (random) => `mod_nw_ttl:${random.below(256)}`,
    'set_field of ip': (random) => `set_field:10.1.${random.below(256)}.0/255.255.255.0->ip_dst`,
    dec_ttl: 'dec_ttl',
    'dec_ttl with ids': (random) => `dec_ttl(${random.below(9)},${random.below(9)})`,
  }),
  ...kinds('tcp', {
    mod_tp_src: (random) => `mod_tp_src:${random.below(65_536)}`,
    'set_field of tcp': (random) => `set_field:${random.below(65_536)}->tcp_dst`,
    fin_timeout: (random) => `fin_timeout(idle_timeout=${random.below(99)},hard_timeout=${random.below(99)})`,
  }),
  ...kinds('udp', { mod_tp_dst: (random) => `mod_tp_dst:${random.below(65_536)}` }),
  ...kinds('ipv6', {
    'set_field of ipv6': (random) => `set_field:fe80::${random.below(9999)}->ipv6_src`,
    'load of ipv6': 'load:3->NXM_NX_IPV6_DST[64..127]',
    'set_field of a label': (random) => `set_field:${random.hex(16)}->ipv6_label`,
  }),
  ...kinds('arp', {
    'set_field of arp': (random) => `set_field:10.0.0.${random.below(256)}->arp_spa`,
    'load of arp': 'load:2->NXM_OF_ARP_OP[],move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]',
  }),
  ...kinds('icmp', { 'set_field of icmp': (random) => `set_field:${random.below(256)}->icmp_type` }),
  ...kinds('vlan', {
    mod_vlan_vid: (random) => `mod_vlan_vid:${random.below(4096)}`,
    mod_vlan_pcp: (random) => `mod_vlan_pcp:${random.below(8)}`,
    'set_field of a vlan': (random) => `set_field:${4096 + random.below(4096)}->vlan_vid`,
  }),
  ...kinds('mpls', {
    set_mpls_label: (random) => `set_mpls_label:${random.below(2 ** 20)}`,
    set_mpls_tc: (random) => `set_mpls_tc:${random.below(8)}`,
    set_mpls_ttl: (random) => `set_mpls_ttl:${random.below(256)}`,
    dec_mpls_ttl: 'dec_mpls_ttl',
  }),
  ...kinds('nsh', { dec_nsh_ttl: 'dec_nsh_ttl' }, 'anywhere', 4),
];

const ETHERNET = kinds('ethernet', {
  'set_field of an address': (random) => `set_field:${random.bytes(6).replaceAll('.', ':')}->eth_src`,
  'set_field of a masked address': 'set_field:01:00:00:00:00:00/01:00:00:00:00:00->eth_dst',
  'move of addresses': 'move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]',
  mod_dl_src: (random) => `mod_dl_src:${random.bytes(6).replaceAll('.', ':')}`,
  mod_dl_dst: (random) => `mod_dl_dst:${random.bytes(6).replaceAll('.', ':')}`,
  learn: (random) =>
    `learn(table=${1 + random.below(99)},idle_timeout=${random.below(99)},priority=${random.below(999)},` +
    'NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:NXM_NX_REG0[0..15]->NXM_NX_REG1[0..15],output:NXM_OF_IN_PORT[])',
  'learn with a limit': (random) =>
    `learn(table=9,cookie=${random.hex(30)},limit=${1 + random.below(9)},result_dst=reg0[${random.below(32)}],` +
    'delete_learned,send_flow_rem,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0x5->NXM_NX_REG2[])',
});

const PIPELINE = [
  ...kinds('any', {
    resubmit: (random) => `resubmit:${random.pick(['1', '2'])}`,
    'resubmit to a table': (random) => `resubmit(,${1 + random.below(200)})`,
    'resubmit both': (random) => `resubmit(${random.pick(['1', '2'])},${1 + random.below(200)})`,
    note: (random) => `note:${random.bytes(1 + random.below(30))}`,
    clone: (random) => `clone(set_field:${random.below(9)}->reg1,output:${random.pick(PORTS)})`,
    'clone in clone': (random) => `clone(clone(output:1),set_queue:${random.below(9)},resubmit(,9))`,
    sample: sampleText,
    'sample in clone': (random) => `clone(${sampleText(random)},output:${random.pick(PORTS)})`,
    'sample in clone in clone': (random) =>
      `clone(push:NXM_NX_REG0[],clone(${sampleText(random)}),${sampleText(random)})`,
    'sample with ids from fields': sampleFieldsText,
  }),
  ...kinds('ip', {
    ct: (random) => `ct(zone=${random.below(65_536)},table=${1 + random.below(99)})`,
    'ct with a zone of a field': (random) => `ct(zone=${register(random)}[0..15])`,
    'ct that commits': (random) =>
      `ct(commit,zone=${random.below(99)},exec(set_field:${random.hex(32)}->ct_mark,set_field:${random.hex(16)}/0xffff->ct_label))`,
    'ct with moves': 'ct(commit,exec(move:NXM_NX_REG0[]->NXM_NX_CT_MARK[],load:1->NXM_NX_CT_LABEL[5..9]))',
    'ct with nat': (random) =>
      `ct(commit,nat(${random.pick(['src', 'dst'])}=10.0.0.1-10.0.0.9:1000-${2000 + random.below(9)},${random.pick(['random', 'hash'])},persistent))`,
    'ct with nat that undoes': 'ct(table=7,nat)',
    'ct with nat and mark': (random) =>
      `ct(commit,force,nat(src=10.0.0.7),exec(set_field:${random.hex(8)}->ct_mark))`,
    'sample beside ct': (random) => `${sampleText(random)},ct(commit,table=3,zone=${random.below(9)})`,
  }),
  ...kinds('ipv6', { 'ct with nat of ipv6': 'ct(commit,nat(dst=[fe80::1]-[fe80::9]:80-90))' }),
  ...kinds('tcp', { 'ct with a helper': 'ct(commit,alg=ftp),ct_clear' }),
];

const LAST = [
  ...kinds('any', { exit: 'exit' }, 'last'),
  ...kinds(
    'ip',
    { push_mpls: (random) => `push_mpls:0x8847,set_mpls_label:${random.below(2 ** 20)}` },
    'last',
  ),
  ...kinds('vlan', { strip_vlan: 'strip_vlan' }, 'last'),
  ...kinds('mpls', { pop_mpls: 'pop_mpls:0x0800' }, 'last'),
  ...kinds('ethernet', { push_vlan: 'push_vlan:0x8100,set_field:4101->vlan_vid' }, 'last', 4),
  ...kinds(
    'any',
    {
      'encap nsh': (random) => `encap(nsh(md_type=1)),set_field:${random.hex(20)}->nsh_spi`,
      'encap nsh with tlv': 'encap(nsh(md_type=2,tlv(0x1000,10,0x12345678)))',
      'encap mpls': (random) => `encap(${random.pick(['mpls', 'mpls_mc'])})`,
      decap: 'decap()',
    },
    'last',
    4,
  ),
  ...kinds('bare ip', { 'encap ethernet': 'encap(ethernet)' }, 'last', 4),
  ...kinds('any', { conjunction: conjunctionText }, 'alone'),
];

/**
 * Actions that OpenFlow 1.0 accepts for any packet, and later versions only with a prerequisite match. `mod_vlan_vid` replaces
 * the tag of a packet or adds one; later versions show it as a push of another tag, which a rewritten flow then has.
 */
const INCONSISTENT = kinds(
  'ethernet',
  {
    'mod_vlan_vid of any packet': (random) => `mod_vlan_vid:${random.below(4096)}`,
    'mod_vlan_pcp of any packet': (random) => `mod_vlan_pcp:${random.below(8)}`,
    'strip_vlan of any packet': 'strip_vlan',
    'mod_nw_src of any packet': (random) => `mod_nw_src:10.0.0.${random.below(256)}`,
    'mod_tp_dst of any packet': (random) => `mod_tp_dst:${random.below(65_536)}`,
  },
  'anywhere',
  1,
  1,
);

/** All kinds of applied actions. */
export const ACTION_KINDS: readonly ActionKind[] = [
  ...OUTPUTS,
  ...FIELDS,
  ...ETHERNET,
  ...INCONSISTENT,
  ...PIPELINE,
  ...LAST,
];

/** Actions of an action set. */
const ACTION_SETS: readonly Text[] = [
  (random) => `output:${random.pick(['1', '2'])}`,
  (random) => `group:${1 + random.below(GROUP_COUNT)}`,
  (random) => `set_field:${random.hex(32)}->reg${random.below(5)},output:1`,
  (random) => `set_queue:${random.below(9)},push_vlan:0x8100,output:2`,
  (random) => `resubmit(,${1 + random.below(200)})`,
  'drop',
];

/** A kind of instruction besides apply_actions, in the order that ovs-ofctl requires. */
export interface InstructionKind {
  readonly name: string;
  readonly place: 'before the actions' | 'behind the actions';
  readonly text: (random: Random, tableId: number) => string;
}

export const INSTRUCTION_KINDS: readonly InstructionKind[] = [
  {
    name: 'meter',
    place: 'before the actions',
    text: (random) => `meter:${1 + random.below(METER_COUNT)}`,
  },
  { name: 'clear_actions', place: 'behind the actions', text: () => 'clear_actions' },
  {
    name: 'write_actions',
    place: 'behind the actions',
    text: (random) => {
      const set = random.pick(ACTION_SETS);
      return `write_actions(${typeof set === 'string' ? set : set(random)})`;
    },
  },
  {
    name: 'write_metadata',
    place: 'behind the actions',
    text: (random) => `write_metadata:${random.hex(32)}${random.chance(0.5) ? `/${random.hex(32)}` : ''}`,
  },
  {
    name: 'goto_table',
    place: 'behind the actions',
    text: (random, tableId) => `goto_table:${tableId + 1 + random.below(253 - tableId)}`,
  },
];
