// The largest flows as a table of 80 columns: the lines of record-text.ts, with the ingress interface and what is attached to it
// in place of the end, which no flow in a cache has had.

import { counted, whole } from '../runtime/counted.ts';
import type { RecordRow } from './record-rows.ts';
import { lineText } from './record-text.ts';
import { interfaceLabel } from './record-words.ts';
import { TABLE_WIDTH } from './text-table.ts';
import type { TopFlows } from './top-flows.ts';

const HEAD = 'start         lasted proto  packets octets';
const RULE = '------------ ------- ------ ------- ------';
const ENDS_HEAD = 'from > to';
const INTERFACE_HEAD = 'interface';
/** Longest name that widens the column, in characters; the endpoints of a longer one are on the next line. */
const INTERFACE_WIDTH_MAX = 16;

/** The table, and each of its rows. */
export interface FlowTable {
  readonly text: string;
  /** In the order of the flows, with their line breaks. */
  readonly rows: readonly string[];
}

/** Formats the flows; without an interface, as in the format `original`, the table has no column for it. */
export function flowTable({ rows, matched, flows }: TopFlows): FlowTable {
  const labels = rows.map(({ values }) => interfaceLabel((name) => values[name]) ?? '');
  const longest = Math.max(0, ...labels.map((label) => label.length));
  const width = longest === 0 ? 0 : Math.min(Math.max(longest, INTERFACE_HEAD.length), INTERFACE_WIDTH_MAX);
  const texts = rows.map((row, index) => rowText(row, labels[index] ?? '', width));
  const head = `${rows.length} of ${counted(matched, 'flow that matches', 'flows that match')}, of ${whole(flows)} in the caches, by octets`;
  const [heads, rules] = [
    [HEAD, ...(width === 0 ? [] : [INTERFACE_HEAD.padEnd(width)]), ENDS_HEAD].join(' '),
    [RULE, ...(width === 0 ? [] : ['-'.repeat(width)]), ''].join(' ').padEnd(TABLE_WIDTH, '-'),
  ];
  return { text: `${head}\n${heads}\n${rules}\n${texts.join('')}`, rows: texts };
}

function rowText(row: RecordRow, label: string, width: number): string {
  const line = row.line();
  if (line === undefined) {
    return '';
  }
  const columns = line.columns.join(' ');
  if (width === 0) {
    return lineText(columns, line);
  }
  const front = `${columns} ${label.padEnd(width)}`;
  return front.length <= TABLE_WIDTH
    ? lineText(front, line)
    : `${columns}\n${lineText(`    ${label}`, line)}`;
}
