// The collector sets of one bridge: chooses for each whether its flows are rewritten or its row is redirected, and has an exporter for
// each whose row is adopted, redirected or native. An exporter gets the samples of one of the two ways only: of packet-ins unless
// the row is redirected.

import type { Condition } from '../config/condition.ts';
import type { BridgeConfig, FlowSampling } from '../config/configuration.ts';
import { isRedirected } from '../config/ipfix-row.ts';
import type { Exporter } from '../export/exporter.ts';
import type { BridgeIntake } from '../intake/bridge-intake.ts';
import { counted } from '../runtime/counted.ts';
import type { BridgeSessionStatus } from './bridge-session-status.ts';
import type { Leaving } from './gap-record.ts';
import { unreachableCondition } from './own-rows-watch.ts';
import type { Redirection } from './ownership.ts';
import { PreparedExporters } from './prepared-exporters.ts';
import { RedirectedSets, type RedirectedSetsParts } from './redirected-sets.ts';
import type { RunningExporter, SampledBridgeParts } from './sampled-bridge-parts.ts';
import type { FlowSamplingStatus } from './sampled-bridge-status.ts';
import type { PathState } from './sampler-choice.ts';
import { isToBeRedirected } from './set-choice.ts';
import { type ExportedSet, SetGaps } from './set-gaps.ts';

/** The dependencies of `BridgeSets`. */
export interface BridgeSetsParts
  extends Omit<RedirectedSetsParts, 'onOpen'>,
    Pick<SampledBridgeParts, 'rowWrites' | 'previousEndMicros'> {
  readonly intake: BridgeIntake;
  /** Makes an exporter and starts it; `name` is for its log lines. */
  readonly makeExporter: (name: string, sampling: FlowSampling) => Exporter;
  /** Ends an exporter, which flushes its cache. */
  readonly retire: (exporter: Exporter) => void;
  /** Called when `redirections` may have changed. */
  readonly onRedirections: () => void;
}

/** What is desired of a bridge for its sets. */
export interface SetsDesired {
  /** Those whose flows are rewritten. */
  readonly collectorSets: ReadonlySet<number>;
  /** Those whose flows are read. */
  readonly followedSets: ReadonlySet<number>;
}

/** A set whose row is redirected, or may be. */
interface ChosenSet {
  readonly sampling: FlowSampling;
  /** Whether that is decided; otherwise it is when the bridge is connected. */
  readonly isChosen: boolean;
}

interface SetExporter {
  row: FlowSampling;
  readonly exporter: Exporter;
  hasPacketIns: boolean;
}

export class BridgeSets {
  readonly #parts: BridgeSetsParts;
  readonly #sockets: RedirectedSets;
  readonly #exporters = new Map<number, SetExporter>();
  readonly #prepared: PreparedExporters;
  readonly #gaps: SetGaps;
  /** Whether exporters were made since the last `configure`. */
  #isPrepared = false;
  /** The sets that are desired and whose rows are, or may be, redirected. */
  #redirected: ReadonlyMap<number, ChosenSet> = new Map();
  #config: BridgeConfig | undefined;
  #desiredSets: readonly FlowSampling[] = [];
  /** The rows of sets that were to be taken over at the last `configure`, by `adoptionKey`. */
  #adopting: ReadonlySet<string> = new Set();
  #hasMeters: boolean | undefined;
  #path: PathState = 'untested';
  #pathFault: string | undefined;
  #needsPath = false;

  constructor(parts: BridgeSetsParts) {
    this.#parts = parts;
    const { bridge, makeExporter, retire, onRedirections, rowWrites } = parts;
    this.#gaps = new SetGaps({ ...parts, writtenMicros: () => rowWrites.writtenMicros });
    this.#sockets = new RedirectedSets({ ...parts, onOpen: onRedirections });
    this.#prepared = new PreparedExporters({
      make: (sampling) => makeExporter(`bridge ${bridge} collector set ${sampling.collectorSetId}`, sampling),
      retire,
      onPrepared: () => {
        this.#isPrepared = true;
        onRedirections();
      },
    });
  }

  /** Applies changed rows; `isDesired` says for which IPFIX rows, by uuid, the switch should be programmed. */
  configure(config: BridgeConfig, isDesired: (row: string) => boolean): SetsDesired {
    this.#config = config;
    const sets = [...config.flowSampling.values()];
    this.#desiredSets = sets.filter(({ ipfixRow }) => isDesired(ipfixRow));
    const desired = this.#choose(config);
    this.#isPrepared = false;
    this.#prepared.prepare(
      sets.filter(
        ({ isOurs, ipfixRow, collectorSetId }) =>
          (isOurs || isDesired(ipfixRow)) && !this.#exporters.has(collectorSetId),
      ),
    );
    for (const sampling of sets) {
      if (sampling.isOurs) {
        this.#configureSet(sampling);
      }
    }
    for (const [id, set] of this.#exporters) {
      if (config.flowSampling.get(id)?.isOurs !== true) {
        this.#exporters.delete(id);
        this.#parts.intake.removeSet(id);
        this.#sockets.setSink(id, undefined);
        this.#parts.retire(set.exporter);
      }
    }
    this.#gaps.configure(sets.filter(({ isOurs }) => isOurs).map((set) => this.#exportedSet(set)));
    this.#adopting = new Set(this.#desiredSets.filter(({ isOurs }) => !isOurs).map(adoptionKey));
    return desired;
  }

  #exportedSet(set: FlowSampling): ExportedSet {
    const { collectorSetId, row } = set;
    const port = this.#sockets.portOf(collectorSetId);
    const isOwnTarget = port !== undefined && row.redirectedTo === targetOf(port);
    const isRowRedirected = isRedirected(row);
    return {
      collectorSetId,
      isRedirected: isRowRedirected,
      isReachable: this.#exporters.has(collectorSetId) && (!isRowRedirected || isOwnTarget),
      isTakenOver: this.#adopting.has(adoptionKey(set)),
    };
  }

  /** Everything is installed on the bridge. */
  installed(): void {
    this.#gaps.installed();
  }

  /** The bridge is left: see `SetGaps.leave`. */
  leave(leaving: Leaving): void {
    this.#gaps.leave(leaving);
  }

  /** Whether something could not be opened, or was not made yet, so that `configure` is to be called again. */
  get isIncomplete(): boolean {
    return this.#isPrepared || this.#sockets.isIncomplete;
  }

  /** Returns a sentence about sets whose rows are not adopted before they have an exporter; undefined if all have one. */
  missingExporters(): string | undefined {
    const { waiting } = this.#prepared;
    return waiting === 0
      ? undefined
      : `Bridge ${this.#parts.bridge}: exporters of ${counted(waiting, 'collector set')} are still being made.`;
  }

  /** Whether samples of the datapath have to reach the daemon for a set. */
  get needsPath(): boolean {
    return this.#needsPath;
  }

  /** Sets whether the bridge has meters; undefined while it is not connected. Returns what is desired then. */
  setMeters(hasMeters: boolean | undefined): SetsDesired | undefined {
    this.#hasMeters = hasMeters ?? this.#hasMeters;
    if (hasMeters === undefined) {
      this.#sockets.disconnected();
      this.#gaps.disconnected();
    }
    return this.#config && this.#choose(this.#config);
  }

  /** Sets whether samples of the datapath reach the daemon; `fault` is as in `OwnRowsWatch`. */
  setPath(path: PathState, fault: string | undefined): void {
    this.#pathFault = fault;
    if (path !== this.#path) {
      this.#path = path;
      this.#parts.onRedirections();
    }
  }

  /** How the samples of each set get to the daemon, by the UUID of its IPFIX row; a set without an entry has packet-ins. */
  redirections(): ReadonlyMap<string, Redirection> {
    const redirections = new Map<string, Redirection>();
    const hasFailed = this.#path === 'failed';
    for (const [id, { sampling }] of this.#redirected) {
      redirections.set(sampling.ipfixRow, { target: this.#targetOf(id), hasFailed });
    }
    return redirections;
  }

  /** Returns a sentence about a row that is not redirected yet; undefined if there is none. */
  missing(): string | undefined {
    const { bridge } = this.#parts;
    for (const [id, { sampling }] of this.#redirected) {
      if (sampling.row.redirectedTo !== this.#targetOf(id)) {
        return `IPFIX row ${sampling.ipfixRow} of collector set ${id} of bridge ${bridge} is not redirected yet.`;
      }
    }
    return undefined;
  }

  conditions(): readonly Condition[] {
    if (this.#path !== 'failed') {
      return [];
    }
    const left = [...this.#redirected.values()].filter(({ isChosen }) => isChosen);
    if (left.length === 0) {
      return [];
    }
    const { bridge } = this.#parts;
    return [
      unreachableCondition(bridge, {
        where: `Bridge ${bridge}, ${left.length} collector ${left.length === 1 ? 'set' : 'sets'}`,
        fault: this.#pathFault,
        severity: 'warning',
        consequence: 'so ovs-vswitchd exports for these sets.',
      }),
    ];
  }

  /** Starts the exporters that were made before the bridge was started. */
  start(): void {
    for (const { exporter } of this.#exporters.values()) {
      exporter.start();
    }
    this.#prepared.start();
  }

  /** The exporters with their sets and rows. */
  exporters(): readonly RunningExporter[] {
    const { bridge, interfaces } = this.#parts;
    // Spreading a thousand objects would take a tenth of a second.
    return [...this.#exporters].map(
      ([
        collectorSetId,
        {
          row: { ipfixRow, targetsPlace },
          exporter,
        },
      ]) => ({
        bridge,
        interfaces,
        collectorSetId,
        ipfixRow,
        targetsPlace,
        exporter,
      }),
    );
  }

  status({ translation }: BridgeSessionStatus): readonly FlowSamplingStatus[] {
    const { intake } = this.#parts;
    return [...this.#exporters]
      .sort(([a], [b]) => a - b)
      .flatMap(([collectorSetId, { row, exporter, hasPacketIns }]) => {
        const datapath = this.#sockets.status(collectorSetId);
        const sampler = hasPacketIns
          ? intake.setStatus(collectorSetId)
          : datapath && { received: datapath.received, selected: datapath.selected };
        const { ipfixRow, rowSetsFormat } = row;
        const flows = translation.flowsBySet.get(collectorSetId) ?? 0;
        const groups = translation.groupsBySet.get(collectorSetId) ?? 0;
        const status = {
          collectorSetId,
          gaps: this.#gaps.status(collectorSetId),
          ipfixRow,
          rowSetsFormat,
          exporter: exporter.status(),
          flows,
          groups,
        };
        return sampler === undefined
          ? []
          : [{ ...status, sampler, datapath: hasPacketIns ? undefined : datapath }];
      });
  }

  /** Receives what is on its way to the sockets, and closes them. `isHandedBack`: the rows were handed back. */
  stop(isHandedBack: boolean): Promise<void> {
    if (isHandedBack) {
      this.#gaps.endNow();
    }
    this.#prepared.prepare([]);
    return this.#sockets.stop();
  }

  /** Chooses the way of each set, and opens the sockets of those that may need one. */
  #choose(config: BridgeConfig): SetsDesired {
    const collectorSets = new Set<number>();
    const redirected = new Map<number, ChosenSet>();
    const open = new Map<number, FlowSampling>();
    this.#needsPath = false;
    for (const sampling of this.#desiredSets) {
      const id = sampling.collectorSetId;
      const choice = this.#choiceOf(config, sampling);
      if (choice === false) {
        collectorSets.add(id);
      } else {
        redirected.set(id, { sampling, isChosen: choice === true });
        this.#needsPath ||= choice === true;
      }
      // A set that has packet-ins from now on keeps its socket until its row is adopted.
      if (choice === true || (isRedirected(sampling.row) && this.#isOpen(sampling))) {
        open.set(id, sampling);
      }
    }
    this.#redirected = redirected;
    this.#sockets.configure(open);
    this.#parts.intake.setExpectedSets(collectorSets);
    return { collectorSets, followedSets: new Set(redirected.keys()) };
  }

  #isOpen({ collectorSetId }: FlowSampling): boolean {
    return this.#sockets.portOf(collectorSetId) !== undefined;
  }

  #choiceOf({ samplerPolicy, hasKernelDatapath }: BridgeConfig, { ownsRow }: FlowSampling) {
    return isToBeRedirected({
      policy: samplerPolicy,
      hasKernelDatapath,
      hasMeters: this.#hasMeters,
      ownsRow,
    });
  }

  #targetOf(id: number): string | undefined {
    // Not before all sets have a socket and an exporter, so that their rows are redirected together.
    const isReady = this.#path === 'good' && this.#prepared.waiting === 0 && !this.#sockets.isOpening;
    const port = isReady ? this.#sockets.portOf(id) : undefined;
    return port === undefined ? undefined : targetOf(port);
  }

  #configureSet(sampling: FlowSampling): void {
    const { collectorSetId } = sampling;
    const { intake } = this.#parts;
    const hasPacketIns = !isRedirected(sampling.row);
    const set = this.#exporters.get(collectorSetId) ?? this.#useExporter(sampling);
    if (set === undefined) {
      return;
    }
    if (set.row !== sampling) {
      set.row = sampling;
      set.exporter.configure(sampling.exporter);
    }
    if (hasPacketIns && !set.hasPacketIns) {
      intake.addSet(collectorSetId, set.exporter);
    } else if (!hasPacketIns && set.hasPacketIns) {
      intake.removeSet(collectorSetId);
    }
    set.hasPacketIns = hasPacketIns;
    this.#sockets.setSink(collectorSetId, hasPacketIns ? undefined : set.exporter);
  }

  /** Takes the exporter of a set whose row is adopted, redirected or native; undefined if it is not made yet. */
  #useExporter(sampling: FlowSampling): SetExporter | undefined {
    const exporter = this.#prepared.take(sampling.collectorSetId);
    if (exporter === undefined) {
      return undefined;
    }
    // It may have been made for an earlier version of the row, and before a change of interfaces.
    exporter.configure(sampling.exporter);
    exporter.setInterfaces(this.#parts.interfaces.described());
    const set = { row: sampling, exporter, hasPacketIns: false };
    this.#exporters.set(sampling.collectorSetId, set);
    return set;
  }
}

function targetOf(port: number): string {
  return `127.0.0.1:${port}`;
}

function adoptionKey({ collectorSetId, ipfixRow }: FlowSampling): string {
  return `${collectorSetId} ${ipfixRow}`;
}
