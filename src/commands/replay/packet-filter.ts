// `--filter` of replay: tests packets by the words of `ovs-appctl flows`, before they are counted.

import { UNKNOWN_INTERFACE } from '../../intake/ingress-interfaces.ts';
import type { RecordFormat } from '../../ipfix/record-layout.ts';
import { dissect } from '../../packet/dissect.ts';
import { dissectExtended } from '../../packet/dissect-extended.ts';
import { FlowKey } from '../../packet/flow-key.ts';
import type { FlowFilter } from '../../report/flow-filter.ts';

/** What the packets of a replay have in common. */
export interface PacketFilterOptions {
  readonly recordFormat: RecordFormat;
  readonly observationDomainId: number;
  readonly observationPointId: number;
}

/** See the head of the file. */
export class PacketFilter {
  readonly #options: PacketFilterOptions;
  readonly #test: ReturnType<FlowFilter['testFor']>;
  readonly #key = new FlowKey();
  readonly #flow;

  constructor(filter: FlowFilter, options: PacketFilterOptions) {
    this.#options = options;
    this.#test = filter.testFor([]);
    this.#flow = {
      keyBytes: this.#key.bytes,
      keyStart: 0,
      templateId: 0,
      observationDomainId: options.observationDomainId,
      ingressInterface: UNKNOWN_INTERFACE,
    };
  }

  /** Returns whether the flow of `frame[start, end)` matches all words. */
  matches(frame: Uint8Array, start: number, end: number): boolean {
    const { recordFormat, observationPointId } = this.#options;
    if (recordFormat === 'extended') {
      dissectExtended(frame, start, end, observationPointId, UNKNOWN_INTERFACE, this.#key);
    } else {
      dissect(frame, start, end, observationPointId, this.#key);
    }
    this.#flow.templateId = this.#key.templateId;
    return this.#test(this.#flow);
  }
}
