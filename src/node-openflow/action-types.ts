// The actions of flows, independent of version; actions-table.ts has their codecs and the versions that have them. Port
// numbers have 32 bits, as in OpenFlow 1.1 and later (OFPP_CONTROLLER is 0xfffffffd).
import type { FieldTarget, MatchField } from './match.ts';

/** Bits `offset` to `offset + bitCount - 1` of a field, counted from its least significant bit. */
export interface FieldBits extends FieldTarget {
  readonly offset: number;
  readonly bitCount: number;
}

/** Actions without an argument. */
export type PlainActionType =
  | 'pop_vlan'
  | 'dec_mpls_ttl'
  | 'dec_ttl'
  | 'pop_queue'
  | 'exit'
  | 'ct_clear'
  | 'dec_nsh_ttl'
  | 'debug_slow'
  | 'debug_recirc';

/** Actions with one number, such as a VLAN id, an EtherType, an IPv4 address, a queue, a group or a meter. */
export type NumberActionType =
  | 'set_vlan_vid'
  | 'set_vlan_pcp'
  | 'push_vlan'
  | 'set_nw_src'
  | 'set_nw_dst'
  | 'set_nw_tos'
  | 'set_nw_ecn'
  | 'set_nw_ttl'
  | 'set_tp_src'
  | 'set_tp_dst'
  | 'set_mpls_label'
  | 'set_mpls_tc'
  | 'set_mpls_ttl'
  | 'push_mpls'
  | 'pop_mpls'
  | 'set_queue'
  | 'group'
  | 'meter'
  | 'set_tunnel';

/** OFPAT_OUTPUT. */
export interface OutputAction {
  readonly type: 'output';
  readonly port: number;
  /** Bytes to send to OFPP_CONTROLLER; 0 for other ports. */
  readonly maxLength: number;
}

/** NXAST_CONTROLLER: sends a packet-in to the connections with that controller id. */
export interface ControllerAction {
  readonly type: 'controller';
  readonly maxLength: number;
  readonly controllerId: number;
  readonly reason: number;
}

/** NXAST_CONTROLLER2; absent properties have their defaults. */
export interface Controller2Action {
  readonly type: 'controller2';
  /** Bytes to send; default: all. OVS always sends whole packets, as it no longer buffers any. */
  readonly maxLength?: number;
  readonly controllerId?: number;
  /** OFPR_*; default: OFPR_ACTION. */
  readonly reason?: number;
  /** Returned in each packet-in. */
  readonly userdata?: Buffer;
  readonly isPausing?: boolean;
  /** The meter of the packet-ins; a meter that does not exist limits nothing. */
  readonly meterId?: number;
}

/** NXAST_SAMPLE to NXAST_SAMPLE4: samples packets with a probability of `probability` / 65535 for a collector set. */
export interface SampleAction {
  /** `sample2` adds a sampling port, `sample3` a direction; `sample4` (OVS 3.4) may take the two ids from fields. */
  readonly type: 'sample' | 'sample2' | 'sample3' | 'sample4';
  readonly probability: number;
  readonly collectorSetId: number;
  readonly observationDomainId: number | FieldBits;
  readonly observationPointId: number | FieldBits;
  /** A 32-bit number, 16 bits on the wire; OFPP_NONE in the forms without it. */
  readonly samplingPort: number;
  /** 0: by port, 1: ingress, 2: egress. */
  readonly direction: number;
}

/** NXAST_RESUBMIT, NXAST_RESUBMIT_TABLE and NXAST_RESUBMIT_TABLE_CT. */
export interface ResubmitAction {
  readonly type: 'resubmit' | 'resubmit_table' | 'resubmit_table_ct';
  readonly port: number;
  /** 255: the current table; always so for `resubmit`. */
  readonly tableId: number;
}

/** NXAST_CT: connection tracking, with nested actions that apply to the connection. */
export interface ConntrackAction {
  readonly type: 'ct';
  readonly flags: number;
  readonly zone: number | FieldBits;
  /** 255: no recirculation. */
  readonly tableId: number;
  readonly alg: number;
  readonly actions: readonly Action[];
}

export type Action =
  | { readonly type: PlainActionType }
  | { readonly type: NumberActionType; readonly value: number }
  | { readonly type: 'set_tunnel64'; readonly value: bigint }
  | { readonly type: 'set_eth_src' | 'set_eth_dst'; readonly address: Buffer }
  | OutputAction
  | { readonly type: 'output_reg' | 'output_reg2'; readonly source: FieldBits; readonly maxLength: number }
  | { readonly type: 'output_trunc'; readonly port: number; readonly maxLength: number }
  | { readonly type: 'enqueue'; readonly port: number; readonly queueId: number }
  | ControllerAction
  | Controller2Action
  | SampleAction
  | ResubmitAction
  | ConntrackAction
  | { readonly type: 'clone'; readonly actions: readonly Action[] }
  | { readonly type: 'reg_load'; readonly target: FieldBits; readonly value: bigint }
  | { readonly type: 'reg_load2' | 'set_field'; readonly field: MatchField }
  | {
      readonly type: 'reg_move' | 'copy_field' | 'onf_copy_field';
      readonly bitCount: number;
      readonly source: FieldTarget;
      readonly sourceOffset: number;
      readonly target: FieldTarget;
      readonly targetOffset: number;
    }
  | { readonly type: 'stack_push' | 'stack_pop'; readonly target: FieldBits }
  | { readonly type: 'delete_field'; readonly target: FieldTarget }
  | {
      readonly type: 'check_pkt_larger';
      readonly size: number;
      readonly target: FieldTarget;
      readonly offset: number;
    }
  | { readonly type: 'write_metadata'; readonly metadata: bigint; readonly mask: bigint }
  | {
      readonly type: 'conjunction';
      readonly clause: number;
      readonly clauseCount: number;
      readonly id: number;
    }
  | { readonly type: 'note'; readonly data: Buffer }
  | { readonly type: 'fin_timeout'; readonly idleTimeout: number; readonly hardTimeout: number }
  | { readonly type: 'dec_ttl_ids'; readonly controllerIds: readonly number[] }
  /** Any other action, or one that this library would encode differently: its bytes, header included. */
  | { readonly type: 'unknown'; readonly bytes: Buffer };
