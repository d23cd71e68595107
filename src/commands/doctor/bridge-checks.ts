// What a daemon would meet in a bridge, and what one has left there. Only for when none runs: a running one says itself what
// a bridge has refused, and what is in a bridge is then in use.

import { HOOK_COOKIE } from '../../control/hook.ts';
import { isForeignMeter } from '../../control/meter.ts';
import { hasOurActions } from '../../control/translation.ts';
import type { FlowUpdate, MeterConfig } from '../../node-openflow/index.ts';
import type { BridgeLook } from './bridge-look.ts';
import { type Finding, finding } from './finding.ts';

/** Findings about one bridge; `isExported` says whether rows want its packets. */
export function checkBridge(look: BridgeLook, isExported: boolean): Finding[] {
  return [...(isExported ? [...checkMeters(look), ...checkHookSlot(look)] : []), ...checkLeftovers(look)];
}

function checkMeters({ bridge, protocol, hasMeters, observed }: BridgeLook): Finding[] {
  const where = `Bridge ${bridge}`;
  if (!hasMeters) {
    return [
      finding(
        'error',
        'bridge-without-meters',
        where,
        `It speaks ${protocol} at most or its datapath has no meters, so nothing would bound the packets sent to the daemon.`,
        `Allow more with "ovs-vsctl set Bridge ${bridge} protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15", or give ` +
          'the daemon --unmetered=allow.',
      ),
    ];
  }
  return metersOf(observed)
    .filter((meter) => isForeignMeter(meter))
    .map(({ meterId }) =>
      finding(
        'error',
        'bridge-meter-taken',
        where,
        `The meter ${meterId} is somebody else's, and the daemon needs that id.`,
        `Move the meter to another id; "ovs-ofctl -O OpenFlow13 dump-meters ${bridge}" shows it.`,
      ),
    );
}

function checkHookSlot({ bridge, observed: { hook } }: BridgeLook): Finding[] {
  if (hook === undefined || hook.cookie === HOOK_COOKIE) {
    return [];
  }
  return [
    finding(
      'warning',
      'hook-place-taken',
      `Bridge ${bridge}`,
      `A flow of somebody else, with cookie 0x${hook.cookie.toString(16)}, is where the daemon puts its hook, and would be replaced.`,
      'Give that flow another priority than 65535, or the daemon another --mark.',
    ),
  ];
}

function checkLeftovers({ bridge, flows, observed }: BridgeLook): Finding[] {
  const rewritten = flows.filter((flow) => flow.cookie !== HOOK_COOKIE && bearsOurs(flow)).length;
  const parts = [
    ...(observed.hook?.cookie === HOOK_COOKIE ? ['the hook'] : []),
    ...(rewritten === 0 ? [] : [`actions in ${rewritten} flows`]),
    ...metersOf(observed)
      .filter((meter) => !isForeignMeter(meter))
      .map(({ meterId }) => `meter ${meterId}`),
  ];
  if (parts.length === 0) {
    return [];
  }
  return [
    finding(
      'warning',
      'left-in-bridge',
      `Bridge ${bridge}`,
      `A daemon that was killed has left this there: ${parts.join(', ')}.`,
      'Start the daemon again, which takes it over, or take it out with "ovs-ipfix release".',
    ),
  ];
}

function metersOf({ hookMeter, sampleMeter }: BridgeLook['observed']): readonly MeterConfig[] {
  return [hookMeter, sampleMeter].filter((meter) => meter !== undefined);
}

function bearsOurs({ instructions }: FlowUpdate): boolean {
  return instructions.some((each) => 'actions' in each && hasOurActions(each.actions));
}
