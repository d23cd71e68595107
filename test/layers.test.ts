// The house rules that a program can check: who imports whom, who asks the time, how long files and functions are.
// Each rule is also shown a tree that breaks it, so that a rule which sees nothing is found out.

import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { type ICruiseResult, cruise as runCruiser } from 'dependency-cruiser';
import extractOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import extractTypeScript from 'dependency-cruiser/config-utl/extract-ts-config';
import ts from 'typescript';
import { unusedExports } from './support/unused-exports.ts';

const ROOT = join(import.meta.dirname, '..');
const CONFIGURATION = '.dependency-cruiser.cjs';

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
/** Files that are one table of protocol numbers, and may be longer. */
const TABLES = new Set(['src/ipfix/elements.ts', 'src/node-openflow/fields.ts']);
/** Folders that must be seen for a run to count. */
const FOLDERS = [
  'commands',
  'config',
  'control',
  'engine',
  'export',
  'flow',
  'intake',
  'ipfix',
  'node-openflow',
  'ovsdb-client',
  'packet',
  'runtime',
  'report',
  'schema',
  'unixctl',
  'web',
];
const MODULES_MIN = 80;

/** Runs the configuration of a folder on its source, in this process: loading dependency-cruiser takes longer than a run. */
async function cruise(folder: string): Promise<ICruiseResult> {
  const options = await extractOptions(join(folder, CONFIGURATION));
  const tsConfig = extractTypeScript(join(folder, 'tsconfig.json'));
  const { output } = await runCruiser(['src'], { ...options, baseDir: folder }, {}, { tsConfig });
  assert.ok(typeof output === 'object');
  return output;
}

test('files import only from their own folder and from lower ranks, and none is unused', async () => {
  const { modules, summary } = await cruise(ROOT);
  const seen = modules.map((module) => module.source).filter((source) => source.startsWith('src/'));
  assert.ok(seen.length > MODULES_MIN, `only ${seen.length} modules were seen`);
  for (const folder of FOLDERS) {
    assert.ok(
      seen.some((source) => source.startsWith(`src/${folder}/`)),
      `nothing was seen of src/${folder}`,
    );
  }
  assert.deepEqual(
    summary.violations.map(({ from, to, rule }) => `${rule.name}: ${from} -> ${to}`),
    [],
  );
});

/** A tree in which each rule of the configuration is broken: path and text of its files. */
const BROKEN_TREE: Record<string, string> = {
  // Each rank reaches up, or sideways within rank 0.
  'src/runtime/up.ts': "import '../packet/leaf.ts';",
  'src/packet/up.ts': "import '../flow/leaf.ts';",
  'src/capture/up.ts': "import '../packet/leaf.ts';",
  'src/ipfix/up.ts': "import '../runtime/leaf.ts';",
  'src/flow/up.ts': "import '../export/leaf.ts';",
  'src/schema/up.ts': "import '../flow/leaf.ts';",
  'src/export/up.ts': "import '../config/leaf.ts';",
  'src/config/up.ts': "import '../control/leaf.ts';",
  'src/control/up.ts': "import '../report/leaf.ts';",
  'src/report/up.ts': "import '../web/leaf.ts';",
  'src/web/up.ts': "import '../unixctl/leaf.ts';",
  'src/unixctl/up.ts': "import '../commands/leaf.ts';",
  'src/commands/up.ts': "import '../main.ts';",
  'src/intake/up.ts': "import '../export/leaf.ts'; import '../control/leaf.ts';",
  'src/commands/late.ts': "export const late = () => import('./leaf.ts');",
  'src/daemon.ts': "import './commands/leaf.ts';",
  'src/node-openflow/up.ts': "import '../flow/leaf.ts'; import './index.ts'; import 'sonic-boom';",
  'src/ovsdb-client/up.ts': "import '../runtime/leaf.ts';",
  'src/node-openflow/index.ts': 'export const door = 1;',
  'src/commands/through-the-wall.ts': "import '../node-openflow/up.ts';",
  'src/flow/libraries.ts':
    "import 'zod'; import 'commander'; import 'sonic-boom'; import 'tsx'; import './nowhere.ts'; " +
    "import 'prom-client'; import 'ws'; import 'sirv'; import 'preact'; import 'uplot';",
  'src/flow/builtins.ts':
    "import 'node:net'; import 'node:tls'; import 'node:dgram'; import 'node:dns/promises'; import 'node:http'; " +
    "import 'node:https'; import 'node:child_process'; import 'node:fs'; import 'node:timers/promises'; import 'node:perf_hooks';",
  'src/flow/circle-one.ts': "import './circle-two.ts';",
  'src/flow/circle-two.ts': "import './circle-one.ts';",
  ...Object.fromEntries(
    [
      'runtime',
      'packet',
      'flow',
      'schema',
      'intake',
      'export',
      'config',
      'control',
      'report',
      'web',
      'unixctl',
      'commands',
    ].map((folder) => [`src/${folder}/leaf.ts`, 'export const leaf = 1;']),
  ),
  'src/web/page/main.tsx': 'export const page = 1;',
  'src/web/page/dead.ts': 'export const dead = 1;',
  'src/engine/main.ts': "import '../flow/leaf';",
  'src/engine/dead.ts': 'export const dead = 1;',
  'src/flow/engine-user.ts': "import '../engine/main.ts';",
  'src/commands/collect.ts': "import '../flow/libraries.ts';",
  'src/main.ts': "import './commands/leaf.ts';",
};

test('each rule about imports can fail', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'layers-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [file, text] of Object.entries(BROKEN_TREE)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), `${text}\n`);
  }
  for (const file of [CONFIGURATION, 'tsconfig.json', 'package.json']) {
    await cp(join(ROOT, file), join(folder, file));
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const { summary } = await cruise(folder);
  const broken = new Set(summary.violations.map(({ rule }) => rule.name));
  const configuration = createRequire(import.meta.url)(join(ROOT, CONFIGURATION)) as {
    forbidden: { name: string }[];
  };
  const rules = configuration.forbidden.map(({ name }) => name);
  assert.ok(rules.length > 20);
  assert.deepEqual(
    rules.filter((name) => !broken.has(name)),
    [],
    'rules that the broken tree does not break',
  );
});

async function sourceFiles(): Promise<string[]> {
  const entries = await readdir(join(ROOT, 'src'), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /\.tsx?$/u.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort();
}

/** The remarks of one check about one file. */
type Check = (file: string, source: ts.SourceFile) => string[];

function visit(source: ts.SourceFile, look: (node: ts.Node) => void): void {
  const walk = (node: ts.Node): void => {
    look(node);
    ts.forEachChild(node, walk);
  };
  walk(source);
}

function lineOf(source: ts.SourceFile, position: number): number {
  return source.getLineAndCharacterOfPosition(position).line + 1;
}

const checkLength: Check = (file, source) => {
  const lines = source.text.trimEnd().split('\n').length;
  return lines > FILE_LINES_MAX && !TABLES.has(file) ? [`${file} has ${lines} lines`] : [];
};

const checkFunctions: Check = (file, source) => {
  const remarks: string[] = [];
  visit(source, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) {
      return;
    }
    const first = lineOf(source, node.getStart(source));
    const lines = lineOf(source, node.getEnd()) - first + 1;
    if (lines > FUNCTION_LINES_MAX) {
      remarks.push(`${file}:${first} is a function of ${lines} lines`);
    }
  });
  return remarks;
};

/** Calls that ask for the time or wait for it; only the clock makes them. */
const TIME_CALLS =
  /^(globalThis\.)?(Date\.now|Date|performance\.now|process\.hrtime(\.bigint)?|setTimeout|setInterval)$/;

const checkTime: Check = (file, source) => {
  if (file === 'src/runtime/clock.ts') {
    return [];
  }
  const remarks: string[] = [];
  visit(source, (node) => {
    const asksDate =
      ts.isNewExpression(node) &&
      node.expression.getText(source) === 'Date' &&
      (node.arguments?.length ?? 0) === 0;
    const asks = ts.isCallExpression(node) && TIME_CALLS.test(node.expression.getText(source));
    if (asksDate || asks) {
      remarks.push(`${file}:${lineOf(source, node.getStart(source))} asks the time`);
    }
  });
  return remarks;
};

const checkHead: Check = (file, source) =>
  /^(?:#!.*\n)?\/\/ /u.test(source.text) ? [] : [`${file} does not open with what it is for`];

const checkName: Check = (file) => {
  const name = file.slice(file.lastIndexOf('/') + 1);
  const isDoor = /^src\/(node-openflow|ovsdb-client)\/index\.ts$/.test(file);
  if (name === 'index.ts' && !isDoor) {
    return [`${file} is a barrel`];
  }
  if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.d)?\.ts$/.test(name)) {
    return [`${file} is not in kebab-case`];
  }
  return /(^|-)(utils?|helpers?|common|manager)\b/.test(name) ? [`${file} has a name that says nothing`] : [];
};

/** RFC 7011, section 3.1: so it is cited everywhere. */
const ODD_CITATION = /RFC-?\d+|RFC \d+ \(?(?:sections?|sec\.|§)|RFC \d+,? §|RFC \d+, \d+\.\d/u;

const checkCitations: Check = (file, source) =>
  source.text
    .split('\n')
    .flatMap((line, index) =>
      ODD_CITATION.test(line) ? [`${file}:${index + 1} cites an RFC otherwise`] : [],
    );

/** Constants of a module that are one number, text, truth or pattern are written in capitals. */
const checkConstants: Check = (file, source) =>
  source.statements
    .filter(ts.isVariableStatement)
    .filter(({ declarationList }) => (declarationList.flags & ts.NodeFlags.Const) !== 0)
    .flatMap(({ declarationList }) => declarationList.declarations)
    .filter(({ initializer }) => initializer !== undefined && isPrimitive(initializer))
    .map(({ name }) => name.getText(source))
    .filter((name) => !/^[A-Z][A-Z0-9_]*$/u.test(name))
    .map((name) => `${file} has the constant ${name}, not in capitals`);

/** Whether an expression is a literal, or made of literals and names by operators. */
function isPrimitive(node: ts.Expression): boolean {
  if (ts.isBinaryExpression(node)) {
    return [node.left, node.right].every((side) => ts.isIdentifier(side) || isPrimitive(side));
  }
  if (ts.isPrefixUnaryExpression(node)) {
    return isPrimitive(node.operand);
  }
  if (ts.isParenthesizedExpression(node)) {
    return isPrimitive(node.expression);
  }
  return (
    ts.isLiteralExpression(node) ||
    ts.isTemplateExpression(node) ||
    node.kind === ts.SyntaxKind.TrueKeyword ||
    node.kind === ts.SyntaxKind.FalseKeyword
  );
}

/** Calls of a logger. */
const LOG_CALL = /(?:^|[.#])(?:log|logger)\??\.(?:debug|info|warn|error)$/iu;

/** Log lines begin in lower case, but for abbreviations, and have no full stop, as in Open vSwitch. */
const checkLogLines: Check = (file, source) => {
  const remarks: string[] = [];
  visit(source, (node) => {
    if (!ts.isCallExpression(node) || !LOG_CALL.test(node.expression.getText(source))) {
      return;
    }
    const [line] = node.arguments;
    const text = line?.getText(source).slice(1, -1) ?? '';
    if (line !== undefined && isText(line) && (/^[A-Z][a-z]/u.test(text) || text.endsWith('.'))) {
      remarks.push(`${file}:${lineOf(source, node.getStart(source))} logs "${text}"`);
    }
  });
  return remarks;
};

const isText = (node: ts.Expression) => ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);

const CHECKS: Record<string, Check> = {
  [`no file has more than ${FILE_LINES_MAX} lines, but for tables`]: checkLength,
  [`no function has more than ${FUNCTION_LINES_MAX} lines`]: checkFunctions,
  'only the clock asks the time': checkTime,
  'each file opens with a comment that says what it is for': checkHead,
  'names of files say something': checkName,
  'RFCs are cited in one form': checkCitations,
  'constants are in capitals': checkConstants,
  'log lines begin in lower case and have no full stop': checkLogLines,
};

const parse = (file: string, text: string) => ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true);

async function parseSources(): Promise<ReadonlyMap<string, ts.SourceFile>> {
  const sources = new Map<string, ts.SourceFile>();
  for (const file of await sourceFiles()) {
    sources.set(file, parse(file, await readFile(join(ROOT, file), 'utf8')));
  }
  return sources;
}

/** All source files, parsed once for all checks. */
const sourcesParsed = parseSources();

for (const [rule, check] of Object.entries(CHECKS)) {
  test(rule, async () => {
    const sources = [...(await sourcesParsed)].filter(([file]) => file.endsWith('.ts'));
    assert.ok(sources.length > MODULES_MIN);
    assert.deepEqual(
      sources.flatMap(([file, source]) => check(file, source)),
      [],
    );
  });
}

function remarks(check: Check, text: string, file = 'src/flow/x.ts'): number {
  return check(file, parse(file, text)).length;
}

test('each rule about files can fail', () => {
  assert.equal(remarks(checkLength, '\n'.repeat(FILE_LINES_MAX) + 'x'), 1);
  assert.equal(remarks(checkLength, '\n'.repeat(FILE_LINES_MAX - 1) + 'x'), 0);
  const long = `const f = () => {${'\n'.repeat(FUNCTION_LINES_MAX)}};`;
  assert.equal(remarks(checkFunctions, long), 1);
  assert.equal(remarks(checkFunctions, long.replace('\n', '')), 0);
  assert.equal(remarks(checkFunctions, `class A { m() {${'\n'.repeat(FUNCTION_LINES_MAX)}} }`), 1);
  const asking =
    'Date.now(); new Date(); setTimeout(f); setInterval(f); performance.now(); process.hrtime.bigint(); Date();';
  assert.equal(remarks(checkTime, asking), 7);
  assert.equal(remarks(checkTime, asking, 'src/runtime/clock.ts'), 0);
  assert.equal(remarks(checkTime, 'new Date(micros); this.setInterval(5); clock.setTimer(f, 1)'), 0);
  assert.equal(remarks(checkHead, 'import x;'), 1);
  assert.equal(remarks(checkHead, '#!/usr/bin/env node\nimport x;'), 1);
  assert.equal(remarks(checkHead, '#!/usr/bin/env node\n// What it is for.\n'), 0);
  assert.equal(remarks(checkName, '', 'src/flow/index.ts'), 1);
  assert.equal(remarks(checkName, '', 'src/ovsdb-client/index.ts'), 0);
  assert.equal(remarks(checkName, '', 'src/flow/flowCache.ts'), 1);
  assert.equal(remarks(checkName, '', 'src/flow/packet-utils.ts'), 1);
  for (const odd of ['RFC 7011 section 3.1', 'RFC7011', 'RFC 7011, 3.1', 'RFC 7011 § 3.1']) {
    assert.equal(remarks(checkCitations, `// ${odd}`), 1, odd);
  }
  assert.equal(remarks(checkCitations, '// RFC 7011, section 3.1; RFC 826, 791 and 8200'), 0);
  assert.equal(
    remarks(checkLogLines, "log.info('Hook installed'); this.#log?.warn(`bridge ${x}: gone.`)"),
    2,
  );
  assert.equal(remarks(checkLogLines, "log.info('IPFIX row: adopted'); command.error('A sentence.')"), 0);
  const constants =
    "const one = 1; const two = ONE * (2 + 3), three = -1n; const text = 'x'; const like = /x/u;";
  assert.equal(remarks(checkConstants, constants), 5);
  assert.equal(remarks(checkConstants, constants.toUpperCase().replaceAll('CONST', 'const')), 0);
  assert.equal(
    remarks(checkConstants, 'const f = () => 1; let count = 0; const sum = of(1); const o = { a: 1 };'),
    0,
  );
});

/** Front doors of the libraries: what they export is for users. */
const DOORS = ['src/engine/main.ts', 'src/node-openflow/index.ts', 'src/ovsdb-client/index.ts'];
/** Closed lists that only their own file uses, and that tests compare with the manual or with a registry of numbers. */
const CLOSED_LISTS = new Set([
  'src/commands/doctor/finding.ts FINDING_CODES',
  'src/config/condition.ts CONDITION_CODES',
  'src/ipfix/elements.ts ELEMENTS',
  'src/node-openflow/fields.ts FIELDS',
  'src/report/metrics.ts METRICS',
  'src/schema/cache-columns.ts cacheColumns',
]);

test('each exported value is imported by another file of the program, or is a limit of the manual', async () => {
  const manual = await readFile(join(ROOT, 'docs', 'limits.md'), 'utf8');
  const limits = new Set(
    [...manual.matchAll(/^\| `(\w+)[\w.]*` \| [^|]+ \| ([^| ]+) \|/gmu)].map(
      ([, name, file]) => `src/${file} ${name}`,
    ),
  );
  assert.ok(limits.size > 40);
  const unused = unusedExports(await sourcesParsed, DOORS);
  assert.ok(
    [...CLOSED_LISTS].every((each) => unused.includes(each)),
    'a closed list that is used elsewhere',
  );
  assert.deepEqual(
    unused.filter((each) => !limits.has(each) && !CLOSED_LISTS.has(each)),
    [],
  );
});

test('an exported value that no file of the program imports is found, however others are imported', () => {
  const texts: [string, string][] = [
    ['src/a.ts', 'export const one = 1, two = 2; export function f() {} export class C {} const own = 3;'],
    ['src/b/b.ts', "import { one as first, type f } from '../a.ts'; export { C } from '../a.ts';"],
    ['src/c.ts', 'export const x = 1; export interface Options {} export type T = 1;'],
    ['src/d.ts', "const y = async () => (await import('./e.ts')).y; import * as all from './b/b.ts';"],
    ['src/e.ts', 'export const y = 1; export const z = 2; export async function g() {}'],
    ['src/door.ts', 'export const door = 1;'],
  ];
  const sources = new Map(texts.map(([file, text]) => [file, parse(file, text)]));
  assert.deepEqual(unusedExports(sources, ['src/door.ts']), [
    'src/a.ts two',
    'src/c.ts x',
    'src/e.ts z',
    'src/e.ts g',
  ]);
});

/** Files of `.ci/run-tests unit`: not those of these folders, and no counting of allocations. */
const NOT_UNIT = /^(?:fuzz|integration|oracle|package)\/|allocation\.test\.ts$/u;
/** What such a file may not have: a need of more than the npm packages and man, and hooks, for it shares its process. */
const NEEDS = /\btier\((?!'man'\))|\b(?:startOvs|startDaemon|openBrowser)\(|^(?:before|after)(?:Each)?\(/mu;

test('unit tests need no Open vSwitch, no browser and no process of their own', async () => {
  const folder = join(ROOT, 'test');
  const files = (await readdir(folder, { recursive: true })).filter(
    (file) => file.endsWith('.test.ts') && !NOT_UNIT.test(file),
  );
  assert.ok(files.length > 60);
  const needy: string[] = [];
  for (const file of files) {
    if (file !== 'layers.test.ts' && NEEDS.test(await readFile(join(folder, file), 'utf8'))) {
      needy.push(file);
    }
  }
  assert.deepEqual(needy, []);
  for (const text of ["test('x', tier('ovs'), f)", 'await startOvs();', 'x;\nbefore(async () => {})']) {
    assert.match(text, NEEDS);
  }
  assert.doesNotMatch("test('x', tier('man'), (t) => t.after(f))", NEEDS);
});
