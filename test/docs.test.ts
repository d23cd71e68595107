// The manual against the program: links lead to headings, every flag, condition and finding is explained, each page opens with
// its question, and each number that a constant decides has the constant's value.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { collectCommand } from '../src/commands/collect.ts';
import { demoCommand } from '../src/commands/demo.ts';
import { FINDING_CODES } from '../src/commands/doctor/finding.ts';
import { doctorCommand } from '../src/commands/doctor.ts';
import { migrateCommand } from '../src/commands/migrate.ts';
import { releaseCommand } from '../src/commands/release.ts';
import { replayCommand } from '../src/commands/replay.ts';
import { runCommand } from '../src/commands/run.ts';
import { statusCommand } from '../src/commands/status.ts';
import { topCommand } from '../src/commands/top.ts';
import { CONDITION_CODES } from '../src/config/condition.ts';
import { findElement } from '../src/ipfix/elements.ts';
import { encodeOptionsSets } from '../src/ipfix/options-sets.ts';
import { type RecordTemplate, TEMPLATES } from '../src/ipfix/record-layout.ts';
import {
  DOCS,
  numbersWithUnit,
  page,
  pagePaths,
  prose,
  ROOT,
  transcripts,
  valueInSource,
  writtenForms,
} from './support/manual.ts';
import { ALLOWED_NUMBERS, CHECKED_NUMBERS } from './support/manual-numbers.ts';
import { tier } from './support/tiers.ts';

const LINE_LENGTH_MAX = 130;
const OPENING_LINES_MAX = 4;

/** Exported names in `_MAX` that are facts of a format or of a table, and bound nothing that grows. */
const FACTS = new Set(['KEY_WORD_COUNT_MAX', 'RECORD_SIZE_MAX', 'METER_MAX', 'SMALL_MAX']);

/** Pages whose numbers with a unit are all in a table of test/support/manual-numbers.ts. */
const NUMBERED_PAGES = [
  'collectors.md',
  'command-line.md',
  'configuration.md',
  'doctor.md',
  'flow-rewriting.md',
  'install.md',
  'limits.md',
  'operation.md',
  'conditions.md',
  'records.md',
  'replay.md',
  'sampling.md',
  'status.md',
  'takeover.md',
  'web.md',
];

/** Where the transcripts of a page are replayed. */
const REPLAYED_BY: Readonly<Record<string, string>> = {
  'command-line.md': 'integration/transcripts.test.ts',
  'configuration.md': 'integration/transcripts.test.ts',
  'demo.md': 'docker/demo.ts',
  'doctor.md': 'integration/transcripts.test.ts',
  'flow-rewriting.md': 'integration/transcripts.test.ts',
  'migration.md': 'integration/migrate-manual.test.ts',
  'operation.md': 'integration/transcripts.test.ts',
  'replay.md': 'integration/transcripts.test.ts',
  'sampling.md': 'integration/transcripts.test.ts',
  'status.md': 'integration/transcripts.test.ts',
  'takeover.md': 'integration/transcripts.test.ts',
};

const COMMANDS: readonly Command[] = [
  runCommand(),
  migrateCommand(),
  releaseCommand(),
  collectCommand(),
  replayCommand(),
  demoCommand(),
  statusCommand(),
  topCommand(),
  doctorCommand(),
];

/** The name that a heading has in links, as GitHub makes it. */
function anchors(markdown: string): Set<string> {
  const headings = [...markdown.matchAll(/^#+ (.+)$/gmu)].map(([, text = '']) => text);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replace(/[^\w\- ]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** The links of a page that lead nowhere. */
function brokenLinks(path: string, markdown: string): string[] {
  const links = [...markdown.matchAll(/\]\((?<to>[^)\s]+)\)/gu)].map((match) => match.groups?.['to'] ?? '');
  return links.filter((to) => {
    if (/^[a-z]+:/u.test(to)) {
      return false;
    }
    const [file = '', anchor] = to.split('#');
    const target = file === '' ? path : join(dirname(path), file);
    if (!existsSync(target)) {
      return true;
    }
    return anchor !== undefined && !anchors(readFileSync(target, 'utf8')).has(anchor);
  });
}

interface Limit {
  readonly name: string;
  readonly value: number;
  readonly source: string;
}

/** Rows of the tables in limits.md: the name in backquotes, a number with its unit, and the file below src. */
function limits(): Limit[] {
  const rows = [...page('limits.md').matchAll(/^\| `([\w.]+)` \| ([\d,]+)[^|]*\| ([^|]+) \|/gmu)];
  return rows.map(([, name = '', value = '', source = '']) => ({
    name,
    value: Number(value.replaceAll(',', '')),
    source: source.trim(),
  }));
}

test('every relative link of README.md and the manual leads to a file, and to a heading where it names one', () => {
  for (const path of pagePaths()) {
    assert.deepEqual(brokenLinks(path, readFileSync(path, 'utf8')), [], relative(ROOT, path));
  }
  const bad = '[a](no-such.md) [b](limits.md#no-such) [c](limits.md#limits) [d](https://example.org/)';
  assert.deepEqual(brokenLinks(join(DOCS, 'limits.md'), bad), ['no-such.md', 'limits.md#no-such']);
});

test('every flag of every command, and its environment variable, is on the page about the command line', () => {
  const text = page('command-line.md');
  for (const command of COMMANDS) {
    const section = command.name() === 'release' ? text : sectionOf(text, command.name());
    for (const option of command.options) {
      assert.ok(section.includes(`${option.long}`), `${command.name()} ${option.long}`);
      if (option.short !== undefined) {
        assert.ok(section.includes(`\`${option.short}\``), option.short);
      }
      assert.ok(option.envVar !== undefined && section.includes(`\`${option.envVar}\``), option.envVar);
    }
  }
});

test('every condition code is explained in the page about conditions, and no other is', () => {
  const rows = [...page('conditions.md').matchAll(/^\| `([a-z-]+)` \| (?:warning|error) \|/gmu)];
  assert.deepEqual(new Set(rows.map(([, code]) => code)), new Set<string | undefined>(CONDITION_CODES));
});

test('every finding of the doctor is explained in its page, and no other is', () => {
  const rows = [...page('doctor.md').matchAll(/^\| `([a-z-]+)` \| (?:error|warning|note) \|/gmu)];
  assert.deepEqual(
    rows.map(([, code]) => code),
    [...FINDING_CODES],
  );
});

test('every limit in the tables has the value that the source gives it', () => {
  const all = limits();
  assert.ok(all.length > 40, `only ${all.length} limits were found in the tables`);
  for (const { name, value, source } of all) {
    const text = readFileSync(join(ROOT, 'src', source), 'utf8');
    assert.equal(valueInSource(text, name), value, `${name} in src/${source}`);
  }
});

test('every exported limit of the source is in the tables', () => {
  const documented = new Set(limits().map(({ name }) => name));
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  const missing: string[] = [];
  for (const file of files.filter((name) => name.endsWith('.ts'))) {
    const text = readFileSync(join(ROOT, 'src', file), 'utf8');
    for (const [, name = ''] of text.matchAll(/^export const (\w+_MAX)\b/gmu)) {
      if (!documented.has(name) && !FACTS.has(name)) {
        missing.push(`${name} in src/${file}`);
      }
    }
  }
  assert.deepEqual(missing, []);
});

test('no page has a long line outside of tables and transcripts, nor a path of the machine that it was written on', () => {
  for (const path of pagePaths()) {
    const lines = readFileSync(path, 'utf8').split('\n');
    const long = lines.filter((line) => line.length > LINE_LENGTH_MAX && !/^(?:\||    )/u.test(line));
    assert.deepEqual(long, [], relative(ROOT, path));
    assert.deepEqual(
      lines.filter((line) => /\/(?:tmp|work|root|home)\//u.test(line)),
      [],
      relative(ROOT, path),
    );
  }
});

function sectionOf(text: string, command: string): string {
  const start = text.indexOf(`## \`ovs-ipfix ${command}`);
  assert.ok(start >= 0, `command-line.md has a section about ${command}`);
  const end = text.indexOf('\n## ', start);
  return text.slice(start, end < 0 ? undefined : end);
}

test('every page opens with the question that it answers, and a short answer', () => {
  for (const path of pagePaths().slice(1)) {
    const name = relative(DOCS, path);
    if (name !== 'CHANGELOG.md') {
      const [heading = '', opening = ''] = readFileSync(path, 'utf8').split('\n\n');
      assert.match(heading, /^# .+$/u, name);
      assert.match(opening, /^\*[^*]+\?\* /u, name);
      const lines = opening.split('\n').length;
      assert.ok(lines <= OPENING_LINES_MAX, `${name} opens with ${lines} lines`);
    }
  }
});

test('every page that source, scripts or containers name exists', () => {
  const named = ['src', '.ci', 'docker', 'schema', 'findings'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .flatMap((entry) => {
        const text = readFileSync(join(entry.parentPath, entry.name), 'utf8');
        return [...text.matchAll(/\bdocs\/[\w-]+\.(?:md|8)\b/gu)].map(([path]) => path);
      }),
  );
  assert.ok(named.length > 30, `only ${named.length} pages are named`);
  assert.deepEqual(
    named.filter((path) => !existsSync(join(ROOT, path))),
    [],
  );
});

test('every file that the page about the architecture names exists', () => {
  const named = [...page('architecture.md').matchAll(/`(?<file>[\w/-]+\.ts)`/gu)].map(
    (match) => match.groups?.['file'] ?? '',
  );
  assert.ok(named.length > 50, `only ${named.length} files are named`);
  assert.deepEqual(
    named.filter((file) => !existsSync(join(ROOT, 'src', file)) && !existsSync(join(ROOT, file))),
    [],
  );
});

test('every number of the manual that a constant decides has its value', () => {
  for (const { page: name, text, source, name: constant, divisor = 1 } of CHECKED_NUMBERS) {
    const value = valueInSource(readFileSync(join(ROOT, 'src', source), 'utf8'), constant);
    assert.ok(value !== undefined, `src/${source} has a number ${constant}`);
    const expected = writtenForms(value / divisor).map((form) => text.replace('{}', form));
    const isThere = expected.some((sentence) => prose(page(name)).includes(sentence));
    assert.ok(isThere, `docs/${name} has "${expected[0]}" (${constant} in src/${source})`);
  }
});

test('no page has a number with a unit that is neither compared with the source nor allowed for a reason', () => {
  const unknown = NUMBERED_PAGES.flatMap((name) => {
    const text = prose(page(name).replaceAll(/^\| `[\w.]+` \| [\d,]+/gmu, '|'));
    const known = knownRanges(name, text);
    return numbersWithUnit(text)
      .filter(({ start, end }) => !known.some((range) => range.start < end && start < range.end))
      .map((number) => `${name}: ${text.slice(number.start - 30, number.end + 20)}`);
  });
  assert.deepEqual(unknown, []);
  assert.deepEqual(
    ALLOWED_NUMBERS.filter(({ page: name, text }) => !prose(page(name)).includes(text)),
    [],
    'allowed, and not found any more',
  );
});

/** Where the fragments of both tables are in a text. */
function knownRanges(name: string, text: string): { readonly start: number; readonly end: number }[] {
  const number = '[\\d,.]*\\d';
  const fragments = [
    ...CHECKED_NUMBERS.filter((each) => each.page === name).map(({ text: fragment }) => fragment),
    ...ALLOWED_NUMBERS.filter((each) => each.page === name).map(({ text: fragment }) => fragment),
  ];
  return fragments.flatMap((fragment) => {
    const escaped = fragment.replaceAll(/[.*+?^${}()|[\]\\]/gu, '\\$&').replace('\\{\\}', number);
    return [...text.matchAll(new RegExp(escaped, 'gu'))].map((match) => ({
      start: match.index,
      end: match.index + match[0].length,
    }));
  });
}

test('a number with a unit is found in a sentence, and not in a transcript', () => {
  const found = (text: string) => numbersWithUnit(prose(text)).map(({ text: number }) => number);
  assert.deepEqual(found('after 2.5 s, or 5,000 packets/s\nand 1 to 8 s\n\n    took 3 s\n'), [
    '2.5 s',
    '5,000 packets/s',
    '1 to 8 s',
  ]);
  assert.deepEqual(found('Open vSwitch 3.2 sends 1-in-N, RFC 7011 says so'), []);
});

test('every page with transcripts has a test that replays them', () => {
  const names = pagePaths()
    .filter((path) => transcripts(readFileSync(path, 'utf8')).length > 0)
    .map((path) => relative(DOCS, path));
  assert.deepEqual(names, Object.keys(REPLAYED_BY));
  for (const [name, file] of Object.entries(REPLAYED_BY)) {
    assert.ok(readFileSync(join(ROOT, 'test', file), 'utf8').includes(name), `test/${file} reads ${name}`);
  }
});

test(
  'man accepts the manual page without a warning, and it has every flag and variable of every command',
  tier('man'),
  async () => {
    const text = await renderedManual();
    for (const command of COMMANDS) {
      const section = manualSection(text, command.name());
      for (const option of command.options) {
        assert.ok(section.includes(String(option.long)), `${command.name()} ${option.long}`);
        const isShared = section.includes('As for run.');
        assert.ok(isShared || section.includes(String(option.envVar)), `${command.name()} ${option.envVar}`);
      }
      assert.match(section, /--help/u, command.name());
    }
    const names = new Set(COMMANDS.map((command) => command.name()));
    const titles = [...text.matchAll(/^ {3}(\w+)$/gmu)].map(([, title]) => title);
    assert.deepEqual(new Set(titles), names);
    assert.match(text, /^ {7}-V, --version$/mu);
  },
);

/** The manual page as text; fails on a warning. */
async function renderedManual(): Promise<string> {
  const file = join(DOCS, 'ovs-ipfix.8');
  const { stdout, stderr } = await promisify(execFile)(
    'man',
    ['--warnings', '-E', 'UTF-8', '-l', '-Tutf8', file],
    {
      env: { ...process.env, LC_ALL: 'C.UTF-8', MANROFFOPT: '-c', MANPAGER: 'cat', MANWIDTH: '80' },
    },
  );
  assert.equal(stderr, '');
  // Bold is a letter, a backspace and the letter again; a word may be hyphenated over lines.
  const parts = stdout.split('\b');
  return parts
    .map((part, index) => (index < parts.length - 1 ? part.slice(0, -1) : part))
    .join('')
    .replaceAll('‐', '-')
    .replaceAll('−', '-');
}

/** The part of a command in the manual page. */
function manualSection(text: string, command: string): string {
  const start = text.search(new RegExp(`^ {3}${command}$`, 'mu'));
  assert.ok(start >= 0, `the manual page has a section about ${command}`);
  const rest = text.slice(start + 1);
  const end = rest.search(/^(?: {3})?\w/mu);
  return rest.slice(0, end < 0 ? undefined : end);
}

test('records.md has the options templates with their elements', () => {
  const page = readFileSync(join(ROOT, 'docs', 'records.md'), 'utf8');
  const templates = encodeOptionsSets({ samplingPopulation: 1, interfaces: [] }).filter(
    ({ recordCount }) => recordCount === 0,
  );
  assert.equal(templates.length, 2);
  for (const { bytes } of templates) {
    const fields = Array.from({ length: bytes.readUInt16BE(6) }, (_, index) => {
      const id = bytes.readUInt16BE(10 + 4 * index);
      return `${findElement(id)?.name} ${id}/${bytes.readUInt16BE(12 + 4 * index)}${index === 0 ? ' (scope)' : ''}`;
    });
    assert.ok(page.includes(`| ${bytes.readUInt16BE(4)} | ${fields.join(', ')} |`), fields.join(', '));
  }
});

test('records.md has the templates of both formats with their fields and bytes', () => {
  const page = readFileSync(join(ROOT, 'docs', 'records.md'), 'utf8');
  const rows = [...page.matchAll(/^\| (\d{3}) \| [^|]+ \| (\d+) \| (\d+) \| (\d+) \|$/gmu)];
  const trailingBytes = (template: RecordTemplate) =>
    // The interface has 4 bytes, type and code of ICMP have 2.
    [0, 4, 6][template.trailingKeyFieldCount] ?? Number.NaN;
  assert.deepEqual(
    rows.map(([, ...numbers]) => numbers.map(Number)),
    [...TEMPLATES.original, ...TEMPLATES.extended].map((template) => [
      template.id,
      template.fields.length,
      template.keySize + trailingBytes(template),
      template.recordSize,
    ]),
  );
  const elements = new Set(
    [...page.matchAll(/^\| (\w+) \| (\d+) \| (\d+) \|/gmu)].map(([, ...cells]) => cells.join(' ')),
  );
  for (const { fields } of TEMPLATES.extended) {
    for (const { element, size } of fields) {
      assert.ok(elements.has(`${element.name} ${element.id} ${size}`), element.name);
    }
  }
});
