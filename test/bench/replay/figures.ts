// The rows of a scenario of the replay benchmark, from the runs of all exporters.

import { type Row, ratioSummary, type Summary, summary } from '../row.ts';
import type { Exporter, RecordFormat } from './exporters.ts';
import type { Run } from './measured-run.ts';
import { MEMORY_GOAL, type Scenario } from './scenarios.ts';

/** The exporters of a run of the benchmark, in the order of their turns. */
export interface Contestants {
  /** This build in each format, as its users run it. */
  readonly ours: ReadonlyMap<RecordFormat, Exporter>;
  /** What each of them is compared with: the earlier build in the same format, or in the only one that it has. */
  readonly earlier: ReadonlyMap<RecordFormat, Exporter>;
  /** This build in the format `extended` with each engine; undefined if it has only one. */
  readonly engines: { readonly wasm: Exporter; readonly typescript: Exporter } | undefined;
  readonly peers: readonly Exporter[];
  /** For this build in each format, what its messages take to be sent: see `senderOf`. */
  readonly senders: ReadonlyMap<RecordFormat, Exporter>;
  /** Whether the goals of processor time are for the earlier build. */
  readonly isGoalsCommit: boolean;
}

/** Returns all exporters once. */
export function allOf({ ours, earlier, engines, peers, senders }: Contestants): readonly Exporter[] {
  const both = engines === undefined ? [] : [engines.wasm, engines.typescript];
  return [...new Set([...ours.values(), ...earlier.values(), ...both, ...peers, ...senders.values()])];
}

/** Returns the rows of a scenario; `runs` has a run of each exporter for each round. */
export function scenarioRows(
  contestants: Contestants,
  scenario: Scenario,
  packets: number,
  runs: ReadonlyMap<Exporter, readonly Run[]>,
): readonly Row[] {
  const figures = new Figures(scenario, runs);
  const nanos = ({ cpuSeconds }: Run) => (cpuSeconds * 1e9) / packets;
  const seconds = ({ cpuSeconds }: Run) => cpuSeconds;
  const memory = ({ memoryMegabytes }: Run) => memoryMegabytes;
  const all = allOf(contestants);
  figures.addEach(all, '', 'ns/packet', nanos);
  addToEarlier(figures, contestants, 'processor time', seconds);
  for (const [format, sender] of contestants.senders) {
    const other = contestants.earlier.get(format);
    if (other !== undefined) {
      figures.addRatio(`${sender.name} / ${other.name}, processor time`, sender, other, seconds);
    }
  }
  for (const peer of contestants.peers) {
    for (const ours of contestants.ours.values()) {
      const goal = scenario.goals.peers[peer.name];
      figures.addRatio(`${peer.name} / ${ours.name}, processor time`, peer, ours, seconds, goal);
    }
  }
  const { engines } = contestants;
  if (engines !== undefined) {
    figures.addRatio('wasm / typescript, processor time', engines.wasm, engines.typescript, seconds);
    figures.addRatio('wasm / typescript, peak memory', engines.wasm, engines.typescript, memory);
  }
  addFormats(figures, contestants);
  const senders = new Set(contestants.senders.values());
  const exporters = all.filter((each) => !senders.has(each));
  figures.addEach(exporters, 'peak memory of ', 'MB', memory);
  addToEarlier(figures, contestants, 'peak memory', memory);
  figures.addEach(exporters, 'messages of ', 'count', ({ account, counts }) => (account ?? counts).messages);
  return figures.rows;
}

/** Compares this build with the earlier one in each format. */
function addToEarlier(
  figures: Figures,
  { ours, earlier, isGoalsCommit }: Contestants,
  what: 'processor time' | 'peak memory',
  pick: (run: Run) => number,
): void {
  for (const [format, exporter] of ours) {
    const other = earlier.get(format);
    if (other !== undefined) {
      const timeGoal = isGoalsCommit ? figures.scenario.goals.earlier : undefined;
      const goal = what === 'peak memory' ? MEMORY_GOAL : timeGoal;
      figures.addRatio(`${exporter.name} / ${other.name}, ${what}`, exporter, other, pick, goal);
    }
  }
}

function addFormats(figures: Figures, { ours }: Contestants): void {
  const extended = ours.get('extended');
  const original = ours.get('original');
  if (extended !== undefined && original !== undefined) {
    const seconds = ({ cpuSeconds }: Run) => cpuSeconds;
    const octets = ({ account, counts }: Run) => (account ?? counts).octets;
    figures.addRatio('extended / original, processor time', extended, original, seconds, '<= 1.1');
    figures.addRatio('extended / original, octets', extended, original, octets, '<= 1.5');
  }
}

/** Gathers rows of one scenario. */
class Figures {
  readonly scenario: Scenario;
  readonly rows: Row[] = [];
  readonly #runs: ReadonlyMap<Exporter, readonly Run[]>;

  constructor(scenario: Scenario, runs: ReadonlyMap<Exporter, readonly Run[]>) {
    this.scenario = scenario;
    this.#runs = runs;
  }

  addEach(exporters: readonly Exporter[], prefix: string, unit: string, pick: (run: Run) => number): void {
    for (const exporter of exporters) {
      this.#add(`${prefix}${exporter.name}`, unit, summary(this.#of(exporter, pick)));
    }
  }

  addRatio(what: string, of: Exporter, to: Exporter, pick: (run: Run) => number, goal?: string): void {
    this.#add(what, 'ratio', ratioSummary(this.#of(of, pick), this.#of(to, pick)), goal);
  }

  #of(exporter: Exporter, pick: (run: Run) => number): number[] {
    return (this.#runs.get(exporter) ?? []).map(pick);
  }

  #add(what: string, unit: string, figures: Summary, goal?: string): void {
    const { name: column } = this.scenario;
    this.rows.push({
      part: 'replay',
      what,
      column,
      unit,
      ...figures,
      ...(goal === undefined ? {} : { goal }),
    });
  }
}
