// The series that name interfaces, for joining numbers of records, and values of other exporters, with VMs: at most a fixed
// number, because a port of each pod or VM that ever ran on a host would become one.

import type { BridgeInterfaces } from '../control/sampled-bridge-parts.ts';
import type { Metric, MetricValue } from './metric.ts';

/** Largest number of interfaces that have a series, of all bridges together. */
export const INTERFACE_SERIES_MAX = 1000;

/** The interfaces by name, and how many have no series. */
export const INTERFACE_METRICS: readonly Metric[] = [
  {
    name: 'ovs_ipfix_interface_info',
    type: 'gauge',
    unit: '1 or 0',
    labels: ['bridge', 'interface', 'ifindex', 'vm'],
    help: 'Always 1; the labels are an interface, its number in records, and what is attached to it',
    read: (_document, bridges) =>
      withShares(bridges).flatMap(({ bridge, interfaces, share }) =>
        interfaces.slice(0, share).map(
          ({ name, number, description }): MetricValue => ({
            labels: {
              bridge,
              interface: name,
              ifindex: String(number),
              vm: description === name ? '' : description,
            },
            value: 1,
          }),
        ),
      ),
  },
  {
    name: 'ovs_ipfix_interfaces_without_info',
    type: 'gauge',
    unit: 'interfaces',
    labels: ['bridge'],
    help: 'Interfaces without a series of ovs_ipfix_interface_info, because there are too many',
    read: (_document, bridges) =>
      withShares(bridges).map(({ bridge, interfaces, share }) => ({
        labels: { bridge },
        value: interfaces.length - share,
      })),
  },
];

/** Returns the bridges with how many of their interfaces have a series: they share the limit in the order of their names. */
function withShares(bridges: readonly BridgeInterfaces[]) {
  let left = INTERFACE_SERIES_MAX;
  return bridges
    .toSorted((a, b) => (a.bridge < b.bridge ? -1 : 1))
    .map(({ bridge, interfaces }) => {
      const share = Math.min(left, interfaces.length);
      left -= share;
      return { bridge, interfaces, share };
    });
}
