// Wraps the demo's text for a terminal of 80 columns.

import { TABLE_WIDTH } from '../../report/text-table.ts';

/** Longest part of a command that is not wrapped at its spaces. */
const PART_LENGTH_MAX = 60;

/** Writes text. */
export type Write = (text: string) => void;

/** Wraps a paragraph at spaces. */
export function paragraph(text: string): string {
  return `${wrap(text.split(' '), TABLE_WIDTH, '', '').join('\n')}\n`;
}

/** Wraps a command as a user would type it, with a backslash at the end of continued lines; a part that begins with `--` stays together. */
export function commandText(words: readonly string[]): string {
  const typed = words.map((word) => word.replaceAll('"', '\\"')).join(' ');
  const parts = typed
    .split(/ (?=-- )/)
    .flatMap((part) => (part.length < PART_LENGTH_MAX ? [part] : part.split(' ')));
  return `  $ ${wrap(parts, TABLE_WIDTH - 4, '      ', ' \\').join('\n')}\n`;
}

function wrap(words: readonly string[], width: number, indent: string, continuation: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    if (line.trim() !== '' && line.length + 1 + word.length + continuation.length > width) {
      lines.push(line + continuation);
      line = indent + word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
