// Traffic for tests of the history: frames that the real dissector reads, counted in a real table, and a clock that the test advances.

import type { RunningExporter } from '../../src/control/sampled-bridge-parts.ts';
import { TrafficTable } from '../../src/flow/traffic-table.ts';
import { type BridgeInterface, IngressInterfaces } from '../../src/intake/ingress-interfaces.ts';
import { dissectExtended } from '../../src/packet/dissect-extended.ts';
import { FlowKey } from '../../src/packet/flow-key.ts';
import type { StatusDocument } from '../../src/report/status-document.ts';
import { History } from '../../src/report/traffic/history.ts';
import { readTrafficRequest } from '../../src/report/traffic/traffic-request.ts';
import { TrafficView } from '../../src/report/traffic/traffic-view.ts';
import { ManualClock } from '../support/manual-clock.ts';

const SECOND = 1_000_000;

/** An exporter of the source: its number in the table, and the interfaces of its bridge. */
interface SourceExporter {
  readonly running: RunningExporter;
  readonly number: number;
}

export class TrafficSource {
  readonly clock = new ManualClock();
  readonly table = new TrafficTable(1);
  readonly history: History;
  readonly #exporters: SourceExporter[] = [];
  readonly #key = new FlowKey();
  /** What the status says of bridges. */
  bridges: unknown[] = [];

  constructor() {
    this.history = new History({
      clock: this.clock,
      table: this.table,
      hashSeed: 2,
      control: {
        bridges: () => this.bridges as StatusDocument['bridges'],
        exporters: () => this.#exporters.map(({ running }) => running),
      },
    });
    this.history.start();
  }

  /** Adds an exporter of a bridge, or of one of its collector sets; interfaces are numbered from 1. */
  addExporter(bridge: string, interfaces: readonly string[] = [], collectorSetId?: number): SourceExporter {
    const list = new IngressInterfaces();
    list.replace(
      interfaces.map(
        (name, index): BridgeInterface => ({
          ofport: index + 1,
          number: index + 1,
          name: `tap${index}`,
          type: '',
          description: name,
        }),
      ),
    );
    const number = this.table.register();
    const running = {
      bridge,
      collectorSetId,
      ipfixRow: '',
      exporter: { trafficNumber: number },
      interfaces: list,
    } as unknown as RunningExporter;
    const made = { running, number };
    this.#exporters.push(made);
    return made;
  }

  remove(exporter: SourceExporter): void {
    this.table.release(exporter.number);
    this.#exporters.splice(this.#exporters.indexOf(exporter), 1);
  }

  /** Counts a sample that represents `packets` of the frame, from the interface with that number. */
  sample({ number }: SourceExporter, frame: Buffer, packets: number, ingress = 1): void {
    dissectExtended(frame, 0, frame.length, 0, ingress, this.#key);
    const sample = Object.assign(this.#key, { weight: packets, octets: packets * frame.length });
    this.table.add(number, sample);
  }

  /** Advances by seconds, and calls back in the middle of each. */
  run(seconds: number, each: (second: number) => void = () => {}): void {
    for (let second = 0; second < seconds; second += 1) {
      this.clock.advance(SECOND / 2);
      each(second);
      this.clock.advance(SECOND / 2);
    }
  }

  /** Finds the traffic that words ask for. */
  find(...words: readonly string[]) {
    return new TrafficView(this.history, 3).find(readTrafficRequest(words));
  }
}
