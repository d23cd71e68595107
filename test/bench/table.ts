// The tables that the benchmark prints: a line for each row, and behind these, for rows with columns, a line for each figure with
// a cell for each column.

import type { Row } from './row.ts';

const FLAT_HEADER = ['part', 'what', 'median', 'unit', 'spread', 'goal', 'note'];
const GOAL = /^(<=|>=|<|>|) ?(\d+(?:\.\d+)?)$/u;

/** Returns the tables of all rows, as text that ends with a newline. */
export function tablesText(rows: readonly Row[]): string {
  const flat = rows.filter(({ column }) => column === undefined);
  const inColumns = rows.filter(({ column }) => column !== undefined);
  const parts = [...new Set(inColumns.map(({ part }) => part))];
  const texts = parts.map((part) => columnsText(inColumns.filter((row) => row.part === part)));
  return [...(flat.length === 0 ? [] : [flatText(flat)]), ...texts].join('\n');
}

/** Returns whether a value meets a goal such as `<= 1.1` or `0`; undefined for a text without a number. */
export function meetsGoal(value: number, goal: string): boolean | undefined {
  const [, relation, number] = GOAL.exec(goal) ?? [];
  switch (relation) {
    case '<=':
      return value <= Number(number);
    case '>=':
      return value >= Number(number);
    case '<':
      return value < Number(number);
    case '>':
      return value > Number(number);
    case '':
      return value === Number(number);
    default:
      return undefined;
  }
}

/** Returns a value with three or more digits. */
export function shown(value: number): string {
  const size = Math.abs(value);
  return size >= 1000 ? Math.round(value).toString() : value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

function flatText(rows: readonly Row[]): string {
  const cells = rows.map(({ part, what, value, unit, spread, goal, note }) => [
    part,
    what,
    shown(value),
    unit,
    spread === undefined ? '' : `${shown(spread[0])}..${shown(spread[1])}`,
    goal ?? '',
    note ?? '',
  ]);
  return aligned([FLAT_HEADER, ...cells], (column) => column === 2);
}

/** The table of one part. */
function columnsText(rows: readonly Row[]): string {
  const columns = [...new Set(rows.map(({ column }) => column))];
  const lines = [...new Set(rows.map(lineOf))].map((line) => [
    line,
    ...columns.map((column) => cellText(rows.find((row) => lineOf(row) === line && row.column === column))),
  ]);
  const header = [rows[0]?.part ?? '', ...columns.map((column) => column ?? '')];
  return aligned([header, ...lines], () => false);
}

function lineOf({ what, unit }: Row): string {
  return unit === 'ratio' ? what : `${what}, ${unit}`;
}

/** The median, its spread and the goal, which is called missed where it is. */
function cellText(row: Row | undefined): string {
  if (row === undefined) {
    return '';
  }
  const { value, spread, goal } = row;
  const range =
    spread === undefined || spread[0] === spread[1] ? '' : ` (${shown(spread[0])}..${shown(spread[1])})`;
  const verdict = goal === undefined ? '' : meetsGoal(value, goal) === false ? ` misses ${goal}` : ` ${goal}`;
  return `${shown(value)}${range}${verdict}`;
}

function aligned(table: readonly (readonly string[])[], isRight: (column: number) => boolean): string {
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length))) ?? [];
  const lines = table.map((row) =>
    row
      .map((cell, column) =>
        isRight(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}
