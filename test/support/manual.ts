// The pages of the manual as tests read them: prose without transcripts, the numbers in it, and the transcripts.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');
export const DOCS = join(ROOT, 'docs');

/** The paths of README.md and of all pages. */
export function pagePaths(): string[] {
  const names = readdirSync(DOCS).filter((name) => name.endsWith('.md'));
  return [join(ROOT, 'README.md'), ...names.sort().map((name) => join(DOCS, name))];
}

/** A page by its name in docs/. */
export function page(name: string): string {
  return readFileSync(join(DOCS, name), 'utf8');
}

/** The text of a page on one line, without indented blocks. */
export function prose(markdown: string): string {
  return markdown.replaceAll(/^ {4}.*\n/gmu, '\n').replaceAll(/\s+/gu, ' ');
}

const UNITS =
  'ms|s|seconds?|milliseconds?|minutes?|hours?|µs|packets/s|packets|samples|bytes|octets|bits|kB|MB|GB|GiB|flows|messages|records|columns|characters|lines|readings|%';
const WITH_UNIT = new RegExp(
  `(?<![\\w.,-])\\d[\\d,.]*(?: (?:to|of) \\d[\\d,.]*)? ?(?:${UNITS})(?![\\w])`,
  'gu',
);

/** A number with a unit, and where it is. */
export interface FoundNumber {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** The numbers with a unit in a text. */
export function numbersWithUnit(text: string): FoundNumber[] {
  return [...text.matchAll(WITH_UNIT)].map((match) => ({
    text: match[0],
    start: match.index,
    end: match.index + match[0].length,
  }));
}

/** The number that the source gives to a constant, to a member of a constant object (`OBJECT.member`), or to the only
 * property of a name in the file (`.member`). */
export function valueInSource(source: string, name: string): number | undefined {
  const [constant = '', member] = name.split('.');
  const text = expressionOf(source, constant, member);
  return text === undefined ? undefined : product(text);
}

function expressionOf(source: string, constant: string, member: string | undefined): string | undefined {
  if (member === undefined) {
    return new RegExp(`^(?:export )?const ${constant}(?:: \\w+)? = ([^;]+);`, 'mu').exec(source)?.[1];
  }
  if (constant !== '') {
    const inObject = `^export const ${constant}\\b[^{]*\\{[^}]*?\\b${member}: ([^,}]+?)\\s*[,}]`;
    return new RegExp(inObject, 'mu').exec(source)?.[1];
  }
  const found = [...source.matchAll(new RegExp(`\\b${member}: ([\\d_]+)\\b`, 'gu'))];
  return found.length === 1 ? found[0]?.[1] : undefined;
}

/** A whole number in decimal or hexadecimal, or a product of such. */
function product(text: string): number {
  return text.split('*').reduce((result, factor) => result * Number(factor.trim().replaceAll('_', '')), 1);
}

/** A number as the manual writes it: from 10,000 on, and where the page does so, with commas. */
export function writtenForms(value: number): readonly string[] {
  return [String(value), value.toLocaleString('en-US')];
}

/** A command of a transcript with what follows it. */
export interface TranscriptStep {
  readonly command: string;
  readonly output: string;
}

/** The indented blocks of a page, without the indentation. */
export function indentedBlocks(markdown: string): string[] {
  return [...markdown.matchAll(/(?:^ {4}.*\n(?:\n(?= {4}))?)+/gmu)].map(([block]) =>
    block.replaceAll(/^ {4}/gmu, ''),
  );
}

/** The steps of all blocks that begin with a prompt, `# ` or `$ `, in the order of the page. */
export function transcripts(markdown: string): TranscriptStep[] {
  return indentedBlocks(markdown).flatMap((block) => {
    const prompt = /^[#$] /u.exec(block)?.[0];
    if (prompt === undefined) {
      return [];
    }
    return `\n${block}`
      .split(`\n${prompt}`)
      .slice(1)
      .map((text) => {
        const [command = '', ...output] = text.split('\n');
        return { command, output: output.join('\n').trimEnd() };
      });
  });
}
