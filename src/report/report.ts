// The daemon's state for the control socket and the live page: the status document, the largest flows and the last records.
// Read-only.

import type { Control } from '../control/control.ts';
import type { ControlStatus } from '../control/control-parts.ts';
import type { BridgeInterfaces, RunningExporter } from '../control/sampled-bridge-parts.ts';
import type { SendBudgetStatus } from '../export/send-budget.ts';
import type { Clock } from '../runtime/clock.ts';
import type { SystemFaults } from '../runtime/system-faults.ts';
import { FlowFilter } from './flow-filter.ts';
import type { RecentLossesStatus } from './recent-losses.ts';
import { RecordDecoder, type RecordRow } from './record-rows.ts';
import {
  type DatapathUpcalls,
  type ProgramStatus,
  STATUS_SCHEMA,
  STATUS_VERSION,
  type StatusDocument,
  type WebStatus,
} from './status-document.ts';
import { findTopFlows, type TopFlows } from './top-flows.ts';
import type { History } from './traffic/history.ts';
import { overviewOf } from './traffic/overview.ts';
import type { OverviewDocument } from './traffic/overview-document.ts';
import { TrafficAnswers } from './traffic/traffic-answers.ts';
import type { TrafficDocument } from './traffic/traffic-document.ts';
import type { TrafficRequest } from './traffic/traffic-view.ts';
import { UnknownWord } from './unknown-word.ts';

/** The sources of a report. */
export interface ReportParts {
  readonly clock: Clock;
  readonly control: Pick<Control, 'status' | 'exporters' | 'interfaces'>;
  readonly version: string;
  readonly logLinesLost: () => number;
  readonly systemFaults: SystemFaults;
  readonly sending: () => SendBudgetStatus;
  readonly upcalls: () => readonly DatapathUpcalls[];
  readonly web: () => WebStatus | undefined;
  /** What was lost in the last minutes, given the status of now. */
  readonly recentLosses: (now: ControlStatus) => RecentLossesStatus;
  readonly history: History;
  /** The name of this host. */
  readonly host: string;
  /** Secret 32 bits for tables of what senders choose. */
  readonly hashSeed: number;
}

/** Selects flows. */
export interface FlowRequest {
  /** Number of flows, at most `TOP_FLOWS_MAX`. */
  readonly count: number;
  /** Only those of this bridge, and of this collector set. */
  readonly bridge?: string | undefined;
  readonly collectorSetId?: number | undefined;
  readonly filter?: FlowFilter;
}

export class Report {
  readonly #parts: ReportParts;
  readonly #startMicros: number;
  readonly #startTime: string;
  #memory = { rss: 0, heapUsed: 0 };
  readonly #traffic: TrafficAnswers;

  constructor(parts: ReportParts) {
    this.#parts = parts;
    this.#traffic = new TrafficAnswers(parts.history, parts.hashSeed, parts.clock);
    this.#startMicros = parts.clock.monotonicMicros();
    this.#startTime = isoTime(parts.clock.wallMicros());
  }

  /** Returns the status; `bridges` are those that the caller has read already. */
  status(bridges?: ControlStatus['bridges']): StatusDocument {
    const { clock, control, sending, upcalls, web, recentLosses, history } = this.#parts;
    const ofControl = control.status(bridges);
    return {
      schema: STATUS_SCHEMA,
      version: STATUS_VERSION,
      time: isoTime(clock.wallMicros()),
      program: this.#program(),
      sending: sending(),
      upcalls: upcalls(),
      web: web(),
      recentLosses: recentLosses(ofControl),
      history: { ...history.status(), viewsRefused: this.#traffic.refused },
      ...ofControl,
    };
  }

  /** Returns the top of the page, with the bridges as they were at the end of the last second. */
  overview(): OverviewDocument {
    const { history, host } = this.#parts;
    return overviewOf(this.status(history.newestBridges), history, host);
  }

  /** Returns the traffic of a window; undefined when too many different views have been asked for since the last second began. */
  traffic(request: TrafficRequest): TrafficDocument | undefined {
    return this.#traffic.find(request);
  }

  /** Calls back when the history has another second; undefined: does not any more. */
  onSecond(callback: (() => void) | undefined): void {
    this.#parts.history.onSlot = callback;
  }

  /** Finds the largest flows in the caches; rejects with `UnknownWord` for a bridge or set that is not exported, and an unknown interface. */
  async topFlows(request: FlowRequest): Promise<TopFlows> {
    const exporters = this.exporters(request.bridge, request.collectorSetId);
    const filter = request.filter ?? FlowFilter.parse([]);
    const unknown = filter.unknownInterface(exporters.flatMap(({ interfaces }) => interfaces.list));
    if (unknown !== undefined) {
      throw new UnknownWord(
        `No interface is named "${unknown}", and none has it attached; the command interfaces shows all.`,
      );
    }
    const sources = exporters.map((running) => ({
      origin: originOf(running),
      walk: running.exporter.walkFlows(),
    }));
    return findTopFlows(sources, filter, request.count, this.#parts.clock);
  }

  /** Returns the last records of each exporter, at most `countMax` each, newest message first. */
  lastRecords(countMax: number): readonly RecordRow[] {
    const decoder = new RecordDecoder();
    return this.exporters().flatMap((running) => {
      const rows: RecordRow[] = [];
      for (const message of running.exporter.recentMessages()) {
        rows.push(...decoder.rows(message, originOf(running)));
        if (rows.length >= countMax) {
          break;
        }
      }
      return rows.slice(0, countMax);
    });
  }

  /** Returns the interfaces of all bridges that are exported, or of one; throws `UnknownWord` for another one. */
  interfaces(bridge?: string): readonly BridgeInterfaces[] {
    const all = this.#parts.control.interfaces();
    const some = all.filter((each) => bridge === undefined || each.bridge === bridge);
    if (some.length === 0 && bridge !== undefined) {
      const names = all.map((each) => each.bridge).join(', ');
      throw new UnknownWord(
        `Nothing is exported for bridge ${bridge}; ${names === '' ? 'no bridge is exported' : `exported are: ${names}`}.`,
      );
    }
    return some;
  }

  /** Returns the exporters, or those of one bridge or set; throws `UnknownWord` when there are none of it. */
  exporters(bridge?: string, collectorSetId?: number): readonly RunningExporter[] {
    const all = this.#parts.control.exporters();
    const some = all.filter(
      (running) =>
        (bridge === undefined || running.bridge === bridge) &&
        (collectorSetId === undefined || running.collectorSetId === collectorSetId),
    );
    if (some.length === 0 && (bridge !== undefined || collectorSetId !== undefined)) {
      const names = all.map(({ exporter }) => exporter.name).join(', ');
      const where = [
        ...(bridge === undefined ? [] : [`bridge ${bridge}`]),
        ...(collectorSetId === undefined ? [] : [`collector set ${collectorSetId}`]),
      ];
      throw new UnknownWord(
        `Nothing is exported for ${where.join(', ')}; exporters: ${names === '' ? 'none' : names}.`,
      );
    }
    return some;
  }

  #program(): ProgramStatus {
    const { clock, version, logLinesLost, systemFaults } = this.#parts;
    // The resident memory is read from a file, which needs a file descriptor.
    this.#memory = systemFaults.attempt(() => process.memoryUsage(), this.#memory);
    const { rss, heapUsed } = this.#memory;
    const { user, system } = process.cpuUsage();
    return {
      version,
      pid: process.pid,
      startTime: this.#startTime,
      upSeconds: Math.floor((clock.monotonicMicros() - this.#startMicros) / 1_000_000),
      cpuSeconds: (user + system) / 1_000_000,
      eventLoopBusySeconds: performance.eventLoopUtilization().active / 1000,
      residentBytes: rss,
      heapBytes: heapUsed,
      logLinesLost: logLinesLost(),
      systemErrors: systemFaults.status(),
    };
  }
}

function originOf({ bridge, collectorSetId, interfaces }: RunningExporter) {
  return { values: collectorSetId === undefined ? { bridge } : { bridge, collectorSetId }, interfaces };
}

function isoTime(wallMicros: number): string {
  return new Date(wallMicros / 1000).toISOString();
}
