// Formats the results of all suites as the table of docs/compatibility.md, with the list of differences below it.

import type { Check } from './checks.ts';
import { isBefore, OVS_DIFFERENCES, type OvsDifferenceName, type OvsVersion } from './differences.ts';
import type { ResultLine } from './results-reporter.ts';

/** The result of one suite. */
export interface SuiteResult {
  readonly suite: string;
  /** Such as 3.5.0; undefined if nothing could be unpacked. */
  readonly version?: string;
  /** Why the suite was not run. */
  readonly skipped?: string;
  readonly lines: readonly ResultLine[];
}

const DIFFERENCE = /^OVS difference: ([\w-]+)/u;

/** Returns the table and its notes, in Markdown. */
export function compatibilityTable(checks: readonly Check[], results: readonly SuiteResult[]): string {
  const notes: string[] = [];
  const noteOf = (text: string) => {
    if (!notes.includes(text)) {
      notes.push(text);
    }
    return `[${notes.indexOf(text) + 1}]`;
  };
  const rows = checks.map((check) => [check.title, ...results.map((result) => cell(check, result, noteOf))]);
  const heads = results.map(({ suite, version }) => `${version ?? '?'} (${suite})`);
  const lines = [['', ...heads], heads.map(() => '---').concat('---'), ...rows];
  const table = lines.map((columns) => `| ${columns.join(' | ')} |`).join('\n');
  if (notes.length === 0) {
    return `${table}\n`;
  }
  const list = notes.map((text, index) => `| [${index + 1}] | ${text} |`).join('\n');
  return `${table}\n\n| note | |\n| --- | --- |\n${list}\n`;
}

function cell(check: Check, result: SuiteResult, noteOf: (text: string) => string): string {
  if (result.skipped !== undefined) {
    return `not run ${noteOf(`${result.suite}: ${result.skipped}`)}`;
  }
  if (check.only !== undefined && !check.only.suites.includes(result.suite)) {
    return `not run ${noteOf(`${check.only.reason}.`)}`;
  }
  const lines = linesOf(check, result);
  const tests = lines.filter((line) => line.kind === 'test');
  if (tests.length === 0 || tests.some((line) => line.result === 'failed')) {
    return '**fails**';
  }
  const names = differencesIn(lines);
  const skipped = tests.flatMap((line) =>
    line.result === 'skipped' && !DIFFERENCE.test(line.reason)
      ? [noteOf(`A test was skipped: ${line.reason}.`)]
      : [],
  );
  const differing = [...names].map((name) => {
    const { before, what, reason } = OVS_DIFFERENCES[name];
    return noteOf(`Before OVS ${before.join('.')}: ${what} ${reason}`);
  });
  return ['passes', ...new Set([...differing, ...skipped])].join(' ');
}

function linesOf(check: Check, { lines }: SuiteResult): readonly ResultLine[] {
  return lines.filter(({ file }) => check.files.some((each) => file.endsWith(`/${each}`)));
}

/** Returns the differences that tests have used. */
export function differencesIn(lines: readonly ResultLine[]): Set<OvsDifferenceName> {
  const found = new Set<OvsDifferenceName>();
  for (const line of lines) {
    const text = line.kind === 'note' ? line.text : line.result === 'skipped' ? line.reason : '';
    const name = DIFFERENCE.exec(text)?.[1];
    if (name !== undefined) {
      found.add(name as OvsDifferenceName);
    }
  }
  return found;
}

/** Returns the differences that apply to the version and that no test has used. */
export function unusedDifferences({ version, lines }: SuiteResult): string[] {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  const installed: OvsVersion = [major, minor];
  const used = differencesIn(lines);
  return Object.entries(OVS_DIFFERENCES)
    .filter(([name, { before }]) => isBefore(installed, before) && !used.has(name as OvsDifferenceName))
    .map(([name]) => name);
}
