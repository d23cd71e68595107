// `npm run test:versions [-- SUITE... | --failed]`: unpacks Open vSwitch and OVN of each suite, runs the checks against it, one file at
// a time, prints a table, and keeps it in docs/compatibility.md when all suites were run and nothing failed. Results are in
// .cache/versions: a suite that is not named counts with those of its last run, if that was of the same `src`. A suite that
// cannot be fetched is skipped with its reason, which is a failure when CI=true. `--failed` runs only those files again
// that had a failed test in the last run of the same `src`.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { ProgramError, runProgram } from '../support/process.ts';
import { CHECKS, SUITES, type Suite } from './checks.ts';
import type { ResultLine } from './results-reporter.ts';
import { compatibilityTable, type SuiteResult, unusedDifferences } from './table.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const PAGE = join(ROOT, 'docs', 'compatibility.md');
const RESULTS = join(ROOT, '.cache', 'versions');
const BEGIN = '<!-- The table that npm run test:versions writes begins here. -->';
const END = '<!-- It ends here. -->';
const UNPACK_TIMEOUT_MS = 600_000;
/** The exit code of .ci/unpack-suite when the mirror lacks the suite or a package. */
const EXIT_NOT_THERE = 3;

const say = (text: string) => void process.stdout.write(`test-versions: ${text}\n`);

async function unpack(suite: Suite): Promise<{ folder: string } | { reason: string }> {
  const command = [join(ROOT, '.ci', 'unpack-suite'), suite.name, ...suite.packages];
  try {
    const folder = await runProgram('bash', command, { timeoutMs: UNPACK_TIMEOUT_MS });
    return { folder: folder.trim() };
  } catch (error) {
    if (!(error instanceof ProgramError) || error.exitCode !== EXIT_NOT_THERE) {
      throw error;
    }
    const reason = await readFile(join(ROOT, '.cache', 'suites', `${suite.name}.reason`), 'utf8');
    return { reason: reason.trim() };
  }
}

/** Runs test files with an unpacked suite; prints each failure as it comes. */
async function runFiles(folder: string, files: readonly string[]): Promise<ResultLine[]> {
  const child = spawn(join(ROOT, '.ci', 'run-tests'), [...files], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      TEST_CONCURRENCY: '1',
      TEST_TIMEOUT_MS: '600000',
      ...process.env,
      OVS_IPFIX_TEST_OVS: folder,
      TEST_REPORTER: join(RESULTS, 'results-reporter.mjs'),
    },
  });
  const lines: ResultLine[] = [];
  let lastFile = '';
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as ResultLine;
    lines.push(line);
    if (line.file !== lastFile) {
      say(relative(ROOT, line.file));
    }
    lastFile = line.file;
    if (line.kind === 'test' && line.result === 'failed') {
      say(`FAILED: ${line.name}\n${line.reason}`);
    }
    if (line.kind === 'test' && line.result === 'skipped') {
      say(`SKIPPED: ${line.name}: ${line.reason}`);
    }
  }
  const exitCode = child.exitCode ?? (await once(child, 'close'))[0];
  const hasFailed = lines.some((line) => line.kind === 'test' && line.result === 'failed');
  if (exitCode !== 0 && !hasFailed) {
    throw new Error(`The test runner ended with ${exitCode}, and no test has failed.`);
  }
  return lines;
}

async function runSuite(suite: Suite): Promise<SuiteResult> {
  const unpacked = await unpack(suite);
  if ('reason' in unpacked) {
    say(`SKIPPED: ${suite.name}: ${unpacked.reason}`);
    return { suite: suite.name, skipped: unpacked.reason, lines: [] };
  }
  const checks = CHECKS.filter(({ only }) => only === undefined || only.suites.includes(suite.name));
  say(`${suite.name}: ${checks.length} checks in ${unpacked.folder}`);
  const [first, ...others] = checks;
  const lines = await runFiles(unpacked.folder, first?.files ?? []);
  // With programs other than those of the suite, its other checks would be meaningless.
  if (lines.every((line) => line.kind === 'note' || line.result !== 'failed')) {
    const files = others.flatMap((check) => check.files);
    lines.push(...(await runFiles(unpacked.folder, files)));
  }
  const version = lines
    .map((line) => (line.kind === 'note' ? /^OVS version: (\S+)$/u.exec(line.text)?.[1] : undefined))
    .find((each) => each !== undefined);
  const result = { suite: suite.name, ...(version === undefined ? {} : { version }), lines };
  await keepResult(suite, result);
  return result;
}

/** Runs the files of a kept result again that have a failed test; all lines of such a file are replaced. */
async function runFailed(suite: Suite): Promise<SuiteResult | undefined> {
  const kept = await keptResult(suite);
  const unpacked = await unpack(suite);
  if (kept === undefined || 'reason' in unpacked) {
    return undefined;
  }
  const failed = kept.lines.filter((line) => line.kind === 'test' && line.result === 'failed');
  const files = new Set(failed.map(({ file }) => file));
  if (files.size === 0) {
    return kept;
  }
  const others = kept.lines.filter(({ file }) => !files.has(file));
  const again = await runFiles(
    unpacked.folder,
    [...files].map((file) => relative(ROOT, file)),
  );
  const result = { ...kept, lines: [...others, ...again] };
  await keepResult(suite, result);
  return result;
}

async function keepResult(suite: Suite, result: SuiteResult): Promise<void> {
  const kept: KeptResult = { source: await sourceHash(), result };
  await writeFile(join(RESULTS, `${suite.name}.json`), JSON.stringify(kept, undefined, 1));
}

/** What a run of a suite keeps for later runs of other suites. */
interface KeptResult {
  /** See `sourceHash`. */
  readonly source: string;
  readonly result: SuiteResult;
}

/** Identifies the committed program that the tests ran with; a working tree with changes in `src` has no equal. */
async function sourceHash(): Promise<string> {
  const changes = await runProgram('git', ['status', '--porcelain', 'src'], { cwd: ROOT });
  const hash = await runProgram('git', ['rev-parse', 'HEAD:src'], { cwd: ROOT });
  return changes === '' ? hash.trim() : `${hash.trim()} and changes at ${new Date().toISOString()}`;
}

/** The result of a suite that is not run now, if it was run with the same program. */
async function keptResult(suite: Suite): Promise<SuiteResult | undefined> {
  let text: string;
  try {
    text = await readFile(join(RESULTS, `${suite.name}.json`), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw error;
    }
    return undefined;
  }
  const { source, result } = JSON.parse(text) as KeptResult;
  if (source !== (await sourceHash())) {
    return undefined;
  }
  say(`${suite.name}: the results of the last run, which was of the same program`);
  return result;
}

/** Returns why the run failed, as sentences. */
function faults(results: readonly SuiteResult[]): string[] {
  return results.flatMap((result) => {
    const { suite, skipped, lines } = result;
    if (skipped !== undefined) {
      return process.env['CI'] === 'true' ? [`${suite}: With CI=true nothing may be skipped.`] : [];
    }
    const failed = lines.filter((line) => line.kind === 'test' && line.result === 'failed');
    return [
      ...(result.version === undefined ? [`${suite}: No test has told the version.`] : []),
      ...(failed.length > 0 ? [`${suite}: ${failed.length} tests failed.`] : []),
      ...unusedDifferences(result).map((name) => `${suite}: No test uses the difference "${name}".`),
    ];
  });
}

async function keepTable(table: string): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const [head, rest] = page.split(BEGIN);
  const tail = rest?.split(END)[1];
  if (head === undefined || tail === undefined) {
    throw new Error(`${PAGE} has no place for the table.`);
  }
  const text = `${head}${BEGIN}\n\n${table}\n${END}${tail}`;
  if (text === page) {
    return;
  }
  await writeFile(PAGE, text);
  say('docs/compatibility.md has a new table: look at it, and commit it.');
}

async function main(words: readonly string[]): Promise<boolean> {
  const onlyFailed = words.includes('--failed');
  const names = words.filter((word) => word !== '--failed');
  const unknown = names.filter((name) => !SUITES.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    throw new Error(`There is no suite ${unknown.join(', ')} in test/versions/checks.ts.`);
  }
  await mkdir(RESULTS, { recursive: true });
  const results: SuiteResult[] = [];
  for (const suite of SUITES) {
    const isNamed = names.length === 0 || names.includes(suite.name);
    const run = onlyFailed ? runFailed : runSuite;
    const result = await (isNamed ? run(suite) : keptResult(suite));
    if (result !== undefined) {
      results.push(result);
    }
  }
  const table = compatibilityTable(CHECKS, results);
  process.stdout.write(`\n${table}\n`);
  const found = faults(results);
  for (const fault of found) {
    say(fault);
  }
  const isWhole = results.length === SUITES.length && results.every(({ skipped }) => skipped === undefined);
  if (found.length === 0 && isWhole) {
    await keepTable(table);
  }
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const line of results.flatMap(({ lines }) => lines)) {
    if (line.kind === 'test') {
      counts[line.result] += 1;
    }
  }
  say(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return found.length === 0;
}

process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
