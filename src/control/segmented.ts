// The condition of a bridge from which more packets arrive than pass the meter: the kernel datapath counts a frame of segmentation
// offload (GSO) as one packet and sends one packet-in for each of its segments, so losses cannot be told in packets.

import type { Condition } from '../config/condition.ts';

/** Returns the condition of a bridge. */
export function segmentedCondition(bridge: string): Condition {
  return {
    code: 'packets-segmented',
    severity: 'warning',
    where: `Bridge ${bridge}`,
    message:
      'More packet-ins arrive than packets pass the meter: the kernel datapath counts a frame of segmentation offload as one ' +
      'packet and sends its segments, so losses cannot be counted in packets.',
    action:
      `Have the datapath sample: "ovs-vsctl set Bridge ${bridge} external_ids:ovs-ipfix-sampler=datapath". Packet-ins hold too few ` +
      'packets of TCP; their octets are compensated by the octets of the meter.',
  };
}
