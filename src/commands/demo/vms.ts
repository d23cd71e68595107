// The VMs of the demo: names, as a cloud would write them into the database, ports of the switch, and who talks to whom.

import { BRIDGE } from './traffic.ts';

/** A VM and the port that it is attached to. */
export interface Vm {
  readonly name: string;
  readonly port: string;
  /** The last byte of its addresses. */
  readonly number: number;
}

const vm = (name: string, number: number): Vm => ({ name, port: `p${number}`, number });

export const CLIENT = vm('client-1', 1);
export const WEB = vm('web-1', 2);
const DATABASE = vm('db-1', 3);
const NAME_SERVER = vm('dns-1', 4);
export const VMS: readonly Vm[] = [CLIENT, WEB, DATABASE, NAME_SERVER];

/** Traffic between two VMs that rises and falls. */
export interface Conversation {
  readonly from: Vm;
  readonly to: Vm;
  readonly protocol: 'tcp' | 'udp';
  /** Port of the server. */
  readonly port: number;
  /** Seconds from one maximum to the next. */
  readonly period: number;
}

/** What goes on until the demo ends, with periods that let the shares change. */
export const CONVERSATIONS: readonly Conversation[] = [
  { from: CLIENT, to: WEB, protocol: 'tcp', port: 80, period: 60 },
  { from: WEB, to: DATABASE, protocol: 'tcp', port: 5432, period: 45 },
  { from: CLIENT, to: NAME_SERVER, protocol: 'udp', port: 53, period: 35 },
  { from: DATABASE, to: CLIENT, protocol: 'tcp', port: 22, period: 100 },
];

/** Returns how strong a conversation is after so many seconds, from 0 to 1. */
export function levelAt(seconds: number, period: number): number {
  return (1 - Math.cos((2 * Math.PI * seconds) / period)) / 2;
}

/** Returns the arguments of ovs-vsctl that add the ports, each with the name of its VM and a type. */
export function portArguments(type: readonly string[] = []): readonly string[] {
  return VMS.flatMap(({ name, port }) => {
    const add = ['--', 'add-port', BRIDGE, port];
    return [...add, '--', 'set', 'Interface', port, ...type, `external_ids:vm-name=${name}`];
  });
}
