// Flows in ovs-ofctl's syntax, one line for each kind of field and action. generate.ts has ovs-ofctl encode them in every
// version that can express them.

/** Matches, encoded with the same action. */
export const MATCH_TEXTS: readonly string[] = [
  '',
  'in_port=1',
  'in_port=LOCAL',
  'priority=1,dl_src=00:01:02:03:04:05,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00',
  'dl_type=0x1234',
  'dl_vlan=5',
  'dl_vlan=5,dl_vlan_pcp=3',
  'vlan_tci=0x1000/0x1000',
  'vlan_tci=0x1123',
  'vlan_vid=0x1005/0x1005',
  'mpls,mpls_label=77,mpls_tc=3,mpls_bos=1',
  'mpls,mpls_ttl=9',
  'ip,nw_src=10.0.0.0/8,nw_dst=192.168.1.1,nw_tos=64,nw_ecn=2,nw_ttl=64',
  'ip,nw_src=1.0.0.3/255.0.0.255',
  'ip,nw_frag=later',
  'ip,nw_frag=not_later',
  'tcp,tp_src=80,tp_dst=0x1000/0xf000,tcp_flags=+syn-ack',
  'tcp,tcp_flags=0x12/0xfff',
  'udp,udp_src=53,udp_dst=67',
  'sctp,sctp_src=1,sctp_dst=2',
  'icmp,icmp_type=8,icmp_code=0',
  'ipv6,ipv6_src=2001:db8::/32,ipv6_dst=::1,ipv6_label=0x12345',
  'icmp6,icmpv6_type=135,icmpv6_code=0,nd_target=fe80::1,nd_sll=00:01:02:03:04:05',
  'icmp6,icmpv6_type=136,icmpv6_code=0,nd_target=fe80::1,nd_tll=00:01:02:03:04:05',
  'icmp6,icmpv6_type=136,icmpv6_code=0,nd_reserved=5,nd_options_type=2',
  'arp,arp_op=1,arp_spa=10.0.0.1,arp_tpa=10.0.0.2,arp_sha=00:01:02:03:04:05,arp_tha=00:00:00:00:00:00',
  'tun_id=0x123456/0xffffff,tun_src=1.2.3.4,tun_dst=5.6.7.0/24,tun_gbp_id=5,tun_gbp_flags=1',
  'tun_ipv6_src=::1,tun_ipv6_dst=fe80::/10,tun_flags=oam',
  'tun_erspan_idx=1,tun_erspan_ver=2,tun_erspan_dir=1,tun_erspan_hwid=3',
  'tun_gtpu_flags=1,tun_gtpu_msgtype=255',
  'metadata=0x123456789abcdef0',
  'metadata=0x5/0xff',
  'reg0=1,reg7=0x80000000/0x80000000,reg11=0/0x80000000,reg15=0xffffffff',
  'xreg1=0x123456789,xreg7=5/7',
  'xxreg0=0x1234567890abcdef1234567890abcdef',
  'pkt_mark=5/0xf,dp_hash=0x7/0xff',
  'recirc_id=0x12,conj_id=9,ip',
  'ct_state=+trk+est-new,ct_zone=5,ct_mark=0x1/0x1,ip',
  'ct_state=+trk,ct_label=0x1234,ct_nw_src=1.2.3.4,ct_nw_dst=1.2.3.0/24,ct_nw_proto=6,ct_tp_src=5,ct_tp_dst=6,ip',
  'ct_state=+trk,ct_ipv6_src=::5,ct_ipv6_dst=::6,ipv6',
  'actset_output=5',
  'packet_type=(1,0x894f)',
  'dl_type=0x894f,nsh_flags=1,nsh_mdtype=1,nsh_np=3,nsh_spi=0x123,nsh_si=255,nsh_ttl=63',
  'dl_type=0x894f,nsh_mdtype=1,nsh_c1=1,nsh_c2=2/3,nsh_c3=3,nsh_c4=4',
];

/** Actions, with their prerequisite match. */
export const ACTION_TEXTS: readonly (readonly [match: string, actions: string])[] = [
  ['', 'drop'],
  ['', 'output:1,output:65279,IN_PORT,LOCAL,NORMAL,FLOOD,ALL,output:TABLE'],
  ['', 'CONTROLLER:128'],
  ['', 'controller(max_len=64,id=5,reason=no_match)'],
  ['', 'controller(max_len=192,id=18768,userdata=01.02.03.04,meter_id=65000)'],
  ['', 'controller(userdata=01.02.03.04.05.06.07.08.09,pause,reason=invalid_ttl)'],
  ['', 'controller(meter_id=1)'],
  ['', 'sample(probability=655,collector_set_id=1,obs_domain_id=7,obs_point_id=9)'],
  [
    '',
    'sample(probability=65535,collector_set_id=4294967295,obs_domain_id=4294967295,obs_point_id=4294967295,sampling_port=3)',
  ],
  ['', 'sample(probability=1,collector_set_id=1,sampling_port=LOCAL,ingress)'],
  ['', 'sample(probability=1,collector_set_id=1,sampling_port=1,egress)'],
  ['', 'sample(probability=1,collector_set_id=1,egress)'],
  ['', 'clone(sample(probability=1,collector_set_id=1),output:2),clone(clone(output:3),NORMAL)'],
  ['', 'resubmit:3,resubmit(2,3),resubmit(,4),resubmit(5)'],
  ['ct_state=+trk+est,ip', 'resubmit(,4,ct)'],
  ['', 'load:1->NXM_NX_REG11[31],load:0x12345->NXM_OF_ETH_SRC[],load:7->OXM_OF_METADATA[3..9]'],
  ['', 'set_field:0x5->reg3,set_field:0x10/0xf0->reg4,set_field:0x7->metadata,set_field:0x1->xreg2'],
  ['', 'set_field:0x123456789abcdef0->xxreg1,set_field:1.2.3.4->tun_src,set_field:9->tun_erspan_idx'],
  ['', 'set_field:00:01:02:03:04:05->eth_src,set_field:5->pkt_mark'],
  ['ip', 'set_field:1.2.3.4->ip_src,set_field:1->nw_ecn'],
  ['ipv6', 'set_field:fe80::1->ipv6_src,load:3->NXM_NX_IPV6_DST[64..127]'],
  ['tcp', 'set_field:80->tcp_src,mod_tp_dst:81'],
  ['', 'move:NXM_NX_REG0[0..5]->NXM_NX_REG1[3..8],move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]'],
  ['', 'move:OXM_OF_METADATA[0..31]->NXM_NX_REG5[],move:NXM_NX_TUN_ID[0..15]->NXM_NX_XXREG0[100..115]'],
  ['', 'push:NXM_NX_REG2[],push:NXM_NX_REG2[3..7],pop:NXM_NX_REG3[0..4],pop:NXM_NX_REG4[]'],
  ['', 'set_queue:5,pop_queue,enqueue:1:2'],
  ['', 'note:01.02.03,note:01.02.03.04.05.06.07.08'],
  ['', 'write_metadata:0x3/0x7'],
  [
    'ip',
    'mod_nw_src:1.2.3.4,mod_nw_dst:5.6.7.8,mod_nw_tos:64,mod_nw_ecn:1,mod_nw_ttl:3,dec_ttl,dec_ttl(1,2,3)',
  ],
  ['', 'mod_dl_src:00:01:02:03:04:05,mod_dl_dst:00:01:02:03:04:06'],
  ['', 'mod_vlan_vid:5,mod_vlan_pcp:3,strip_vlan'],
  ['', 'push_vlan:0x8100,set_field:4101->vlan_vid'],
  ['ip', 'push_mpls:0x8847,set_mpls_label:4,set_mpls_tc:2,set_mpls_ttl:3,dec_mpls_ttl,pop_mpls:0x800'],
  ['', 'set_tunnel:5,set_tunnel64:0x123456789'],
  ['ip', 'ct(commit,zone=5,table=3,exec(set_field:1->ct_mark))'],
  ['tcp', 'ct(zone=NXM_NX_REG1[0..15]),ct_clear,ct(commit,force,alg=ftp)'],
  ['ip', 'ct(commit,nat(src=10.0.0.1-10.0.0.9:1000-2000,random)),ct(commit,table=1,nat)'],
  ['', 'conjunction(5,1/3),conjunction(6,2/2)'],
  [
    'tcp',
    'learn(table=1,idle_timeout=3,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15])',
  ],
  [
    'tcp',
    'learn(table=1,limit=5,result_dst=reg0[0],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])',
  ],
  ['tcp', 'fin_timeout(idle_timeout=3,hard_timeout=4)'],
  ['', 'group:5'],
  ['', 'output:NXM_NX_REG0[],output:NXM_NX_REG0[3..9],output:OXM_OF_METADATA[0..15]'],
  ['', 'output(port=3,max_len=100),check_pkt_larger(100)->NXM_NX_REG0[3]'],
  ['', 'delete_field:tun_metadata5'],
  ['', 'multipath(eth_src,50,hrw,12,0,NXM_NX_REG0[0..7])'],
  [
    '',
    'bundle(eth_src,0,hrw,ofport,members:4,8),bundle_load(eth_src,0,hrw,ofport,NXM_NX_REG0[],members:4,8)',
  ],
  ['', 'clear_actions,write_actions(output:3,group:1),write_metadata:0x4,goto_table:9'],
  ['', 'output:1,goto_table:200'],
  ['', 'meter:3,output:1'],
  ['dl_type=0x894f', 'dec_nsh_ttl,decap()'],
  ['', 'encap(nsh(md_type=1))'],
  ['', 'exit'],
  ['', 'debug_recirc,debug_slow'],
];

/** Whole flow mods: the command of ovs-ofctl, and the flow. */
export const FLOW_MOD_TEXTS: readonly (readonly [command: string, flow: string])[] = [
  [
    'add-flow',
    'table=3,priority=65535,cookie=0x1234,hard_timeout=30,idle_timeout=9,reg11=0/0x80000000,actions=drop',
  ],
  ['add-flow', 'importance=77,send_flow_rem,check_overlap,actions=drop'],
  ['add-flow', 'reset_counts,no_packet_counts,no_byte_counts,actions=drop'],
  ['mod-flows', 'cookie=0x12/0xff,table=2,tcp,actions=output:2'],
  ['mod-flows', 'table=2,tcp,actions=output:2'],
  ['--strict mod-flows', 'priority=7,tcp,actions=output:2'],
  ['--strict mod-flows', 'cookie=0x12/-1,priority=7,tcp,actions=output:2'],
  ['del-flows', 'table=2,out_port=3,ip'],
  ['del-flows', 'cookie=0x12/0xffff'],
  ['del-flows', 'out_group=3'],
  ['--strict del-flows', 'priority=7,table=9,reg0=5'],
];

/** Packet-outs. */
export const PACKET_OUT_TEXTS: readonly string[] = [
  'in_port=1 packet=0123456789abaaaaaaaaaaaa88cc0000 actions=output:2',
  'in_port=CONTROLLER packet=0123456789abaaaaaaaaaaaa88cc0000 actions=load:1->NXM_NX_REG0[],resubmit(,0)',
];

/** Dumps restricted to some flows. */
export const DUMP_TEXTS: readonly string[] = ['table=4,ip', 'cookie=0x5/0xff,table=3', 'out_port=1,tcp'];

/** Monitors restricted to some flows. */
export const WATCH_TEXTS: readonly string[] = [
  'table=5,out_port=2,udp,!initial,!delete',
  'reg11=0/0x80000000,!own,!actions',
];
