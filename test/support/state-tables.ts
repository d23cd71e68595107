// Reads the tables of states in the heads of files in src/control, so that tests can compare the transitions of a state machine
// with its table.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The allowed next states of each state. */
export type StateTable = ReadonlyMap<string, readonly string[]>;

const CONTROL = join(import.meta.dirname, '..', '..', 'src', 'control');

/** Reads the table of a file such as `hook-reconciler.ts`; throws if the file has none. */
export function readStateTable(file: string): StateTable {
  const lines = readFileSync(join(CONTROL, file), 'utf8').split('\n');
  const start = lines.findIndex((line) => /^\/\/ {3}state +meaning +next states$/u.test(line));
  const rule = lines[start + 1];
  if (start < 0 || rule === undefined) {
    throw new Error(`src/control/${file} has no table of states.`);
  }
  const nextColumn = rule.lastIndexOf('  ') + 2;
  const table = new Map<string, readonly string[]>();
  let state = '';
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('//   ')) {
      break;
    }
    state = /^\/\/ {3}(\w+)/u.exec(line)?.[1] ?? state;
    const next = line
      .slice(nextColumn)
      .split(',')
      .map((name) => name.trim());
    table.set(state, [...(table.get(state) ?? []), ...next.filter((name) => name !== '')]);
  }
  return table;
}

/** Records the transitions of a state machine that its table does not have. */
export class StateTrace {
  readonly states: string[] = [];
  readonly undocumented: string[] = [];
  readonly #table: StateTable;

  constructor(file: string) {
    this.#table = readStateTable(file);
  }

  /** Records the current state; the same state again is not a transition. */
  note(state: string): void {
    const before = this.states.at(-1);
    if (state === before) {
      return;
    }
    this.states.push(state);
    if (!this.#table.has(state)) {
      this.undocumented.push(state);
    }
    if (before !== undefined && !(this.#table.get(before) ?? []).includes(state)) {
      this.undocumented.push(`${before} -> ${state}`);
    }
  }
}
