// The manual against the program: links lead somewhere, every flag and condition is explained, and each limit in the table
// has the value that the source gives it. What the sentences say is not checked here.

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
import { CONDITION_CODES } from '../src/config/condition.ts';
import { tier } from './support/tiers.ts';

const ROOT = join(import.meta.dirname, '..');
const DOCS = join(ROOT, 'docs');
const LINE_LENGTH_MAX = 130;

/** Exported names in `_MAX` that are facts of a format or of a table, and bound nothing that grows. */
const FACTS = new Set(['KEY_SIZE_MAX', 'RECORD_SIZE_MAX', 'METER_MAX', 'SMALL_MAX']);

const COMMANDS: readonly Command[] = [
  runCommand(),
  migrateCommand(),
  releaseCommand(),
  collectCommand(),
  replayCommand(),
  demoCommand(),
  statusCommand(),
  doctorCommand(),
];

function pages(): string[] {
  const names = readdirSync(DOCS).filter((name) => name.endsWith('.md'));
  return [join(ROOT, 'README.md'), ...names.map((name) => join(DOCS, name))];
}

function page(name: string): string {
  return readFileSync(join(DOCS, name), 'utf8');
}

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

/** The number that the source gives to a constant, or to a member of a constant object (`OBJECT.member`). */
function valueInSource(source: string, name: string): number | undefined {
  const [constant = '', member] = name.split('.');
  const text =
    member === undefined
      ? new RegExp(`^(?:export )?const ${constant}(?:: \\w+)? = ([^;]+);`, 'mu').exec(source)?.[1]
      : new RegExp(`^export const ${constant}\\b[^{]*\\{[^}]*?\\b${member}: ([^,}]+?)\\s*[,}]`, 'mu').exec(
          source,
        )?.[1];
  return text === undefined ? undefined : product(text);
}

/** A whole number in decimal or hexadecimal, or a product of such. */
function product(text: string): number {
  return text.split('*').reduce((result, factor) => result * Number(factor.trim().replaceAll('_', '')), 1);
}

test('every relative link of README.md and the manual leads to a file, and to a heading where it names one', () => {
  for (const path of pages()) {
    assert.deepEqual(brokenLinks(path, readFileSync(path, 'utf8')), [], relative(ROOT, path));
  }
  const bad = '[a](no-such.md) [b](limits.md#no-such) [c](limits.md#limits) [d](https://example.org/)';
  assert.deepEqual(brokenLinks(join(DOCS, 'limits.md'), bad), ['no-such.md', 'limits.md#no-such']);
});

test('every flag of every command, and its environment twin, is in the page about configuration', () => {
  const text = page('configuration.md');
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
  for (const path of pages()) {
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
  const start = text.indexOf(`### \`ovs-ipfix ${command}`);
  assert.ok(start >= 0, `configuration.md has a section about ${command}`);
  const end = text.indexOf('\n### ', start);
  return text.slice(start, end < 0 ? undefined : end);
}

test(
  'man accepts the manual page without a warning, and it names every command and every flag of run',
  tier('man'),
  async () => {
    const file = join(DOCS, 'ovs-ipfix.8');
    const { stdout, stderr } = await promisify(execFile)(
      'man',
      ['--warnings', '-E', 'UTF-8', '-l', '-Tutf8', file],
      {
        env: { ...process.env, LC_ALL: 'C.UTF-8', MANROFFOPT: '-c', MANPAGER: 'cat', MANWIDTH: '80' },
      },
    );
    assert.equal(stderr, '');
    // Bold is a letter, a backspace and the letter again.
    const parts = stdout.split('\b');
    const text = parts
      .map((part, index) => (index < parts.length - 1 ? part.slice(0, -1) : part))
      .join('')
      .replaceAll('‐', '-')
      .replaceAll('−', '-');
    for (const command of COMMANDS) {
      assert.match(text, new RegExp(`^ {7}${command.name()}$|^ {7}${command.name()} `, 'mu'));
    }
    for (const { long } of runCommand().options) {
      assert.ok(text.includes(String(long)), String(long));
    }
  },
);
