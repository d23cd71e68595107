// Tables for a terminal of 80 columns.

/** Width of tables, in characters. */
export const TABLE_WIDTH = 80;

/** One column. */
export interface TableColumn {
  readonly head: string;
  /** Numbers are aligned right. */
  readonly align: 'left' | 'right';
}

/**
 * Returns the lines of a table: the head and the rows. The last column of a row that is too long for the width is indented on a
 * second line.
 */
export function textTable(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ head }, index) =>
    Math.max(head.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const lead = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
  const isFolded = lead + (widths.at(-1) ?? 0) > TABLE_WIDTH;
  return [columns.map(({ head }) => head), ...rows].flatMap((row) => {
    const cells = row.map((cell, index) => pad(cell, widths[index] ?? 0, columns[index]?.align ?? 'left'));
    const last = row.at(-1) ?? '';
    if (!isFolded || lead + last.length <= TABLE_WIDTH) {
      return [cells.join('  ').trimEnd()];
    }
    return [cells.slice(0, -1).join('  ').trimEnd(), `    ${last}`];
  });
}

/** Folds text into lines of at most `width` characters; all but the first are indented by `indent` more than the text. */
export function foldText(text: string, indent = '    ', width = TABLE_WIDTH): string[] {
  if (text.length <= width) {
    return [text];
  }
  const lead = /^ */u.exec(text)?.[0] ?? '';
  const lines: string[] = [];
  let line = '';
  for (const word of text.trim().split(/ +/u)) {
    const start = lines.length === 0 ? lead : lead + indent;
    if (line === '') {
      line = start + word;
    } else if (line.length + 1 + word.length <= width) {
      line += ` ${word}`;
    } else {
      lines.push(line);
      line = lead + indent + word;
    }
  }
  return [...lines, line];
}

/** Formats bytes: 999 B, 12.3 MiB. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

const SUFFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'];

/** Formats a count in at most 6 characters: 99999, 1.23M. */
export function countText(count: number | bigint): string {
  let number = Number(count);
  if (number < 100_000) {
    return number.toString();
  }
  let power = 0;
  while (number >= 999.5 && power < SUFFIXES.length - 1) {
    number /= 1000;
    power += 1;
  }
  return `${number.toPrecision(3)}${SUFFIXES[power]}`;
}

/** Formats a number with at most two decimals. */
export function numberText(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}

function pad(text: string, width: number, align: TableColumn['align']): string {
  return align === 'left' ? text.padEnd(width) : text.padStart(width);
}
