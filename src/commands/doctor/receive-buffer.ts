// Whether the kernel has granted the sockets for samples of the datapath the receive buffer that bursts need.

import type { SampledBridgeStatus } from '../../control/sampled-bridge-status.ts';
import { counted } from '../../runtime/counted.ts';
import { RECEIVE_BUFFER_BYTES } from '../../runtime/loopback-receiver.ts';
import { type Finding, finding } from './finding.ts';

/** What is checked of a bridge. */
export type ReceivingBridge = Pick<SampledBridgeStatus, 'ownRows'> & {
  readonly sampling:
    | {
        readonly datapath: { readonly packets: { readonly lost: number } } | undefined;
      }
    | undefined;
};

/** Returns a note if a buffer is too small, or a warning once samples were lost: at low rates any buffer holds them. */
export function checkReceiveBuffer(bridges: readonly ReceivingBridge[]): Finding[] {
  const receiving = bridges.flatMap(({ ownRows, sampling }) =>
    ownRows?.port === undefined ? [] : [{ receiver: ownRows.receiver, sampling }],
  );
  const granted = Math.min(...receiving.map(({ receiver }) => receiver.receiveBufferBytes));
  if (receiving.length === 0 || granted >= RECEIVE_BUFFER_BYTES) {
    return [];
  }
  const lost = receiving.reduce((sum, { sampling }) => sum + (sampling?.datapath?.packets.lost ?? 0), 0);
  return [
    finding(
      lost > 0 ? 'warning' : 'note',
      'receive-buffer-small',
      'net.core.rmem_max',
      `The sockets for samples of the datapath have a buffer of ${granted} bytes, not ${RECEIVE_BUFFER_BYTES}; ${counted(lost, 'packet was', 'packets were')} lost on the way.`,
      `Bursts need the larger one: "sysctl -w net.core.rmem_max=${RECEIVE_BUFFER_BYTES / 2}", the same in /etc/sysctl.d, and a restart of the daemon.`,
    ),
  ];
}
