// Tables for a terminal of 80 columns.

/** The width that tables keep to, in characters. */
export const TABLE_WIDTH = 80;

/** One column. */
export interface TableColumn {
  readonly head: string;
  /** Numbers stand at the right. */
  readonly align: 'left' | 'right';
}

/**
 * Lines with a head and one row each. A row that is too long for the width continues, indented, on a second line from its
 * last column on.
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

/** Text that is too long in lines of at most the width, each but the first one indented by `indent` more than the text. */
export function foldText(text: string, indent = '    '): string[] {
  if (text.length <= TABLE_WIDTH) {
    return [text];
  }
  const lead = /^ */u.exec(text)?.[0] ?? '';
  const lines: string[] = [];
  let line = '';
  for (const word of text.trim().split(/ +/u)) {
    const start = lines.length === 0 ? lead : lead + indent;
    if (line === '') {
      line = start + word;
    } else if (line.length + 1 + word.length <= TABLE_WIDTH) {
      line += ` ${word}`;
    } else {
      lines.push(line);
      line = lead + indent + word;
    }
  }
  return [...lines, line];
}

/** Bytes in few characters: 999 B, 12.3 MiB. */
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

/** A number that is rarely not whole, in few characters. */
export function numberText(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}

function pad(text: string, width: number, align: TableColumn['align']): string {
  return align === 'left' ? text.padEnd(width) : text.padStart(width);
}
