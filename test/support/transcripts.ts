// Replays the transcripts of the manual beside a private Open vSwitch: the commands of a page run in a shell as a reader types
// them, and what they print is compared with the page. A line `...` on a page stands in for any lines.

import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Daemon } from './daemon.ts';
import { indentedBlocks, page, type TranscriptStep, transcripts } from './manual.ts';
import { type Ovs, type OvsOptions, startOvs } from './ovs.ts';
import { BackgroundProgram } from './process.ts';
import { DAEMON_FILE } from './tiers.ts';
import { waitFor } from './wait.ts';

const LAUNCHER = join(DAEMON_FILE, '..', 'ovs-ipfix-pidfile');
const STEP_MS = 5_000;
const SWITCH_FOLDER = '/var/run/openvswitch';

/** What differs between two runs, and what the comparison replaces it by. */
const VOLATILE: readonly (readonly [RegExp, string])[] = [
  [/[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}/gu, '<uuid>'],
  [/duration([=:])[\d.]+s/gu, 'duration$1<time>'],
  [/(?:idle|hard)_age=\d+, ?/gu, ''],
  [/\d\d:\d\d:\d\d\.\d{3} +[\d.]+/gu, '<start> <lasted>'],
  [/since \d\d:\d\d:\d\d:/gu, 'since <time>:'],
  [/pid \d+, up [^\n]+/gu, 'pid <pid>, up <time>'],
  [/from 127\.0\.0\.1:\d+ \(udp\)/gu, 'from 127.0.0.1:<port> (udp)'],
  [/took +[\d.]+ s, [\d,]+ packets\/s/gu, 'took <time>'],
  [/^(?:NXST|OFPST)\w* reply.*\n/gmu, ''],
  [/[ \t]+$/gmu, ''],
];

/** What has been replayed, as `PAGE: COMMAND`. */
export const replayedSteps = new Set<string>();

/** How the output of a step is compared. */
export interface Comparison {
  /** Whether white space counts; pages break the lines of flows. Default true. */
  readonly hasSpace?: boolean;
  /** Whether digits count; not where the numbers are those of random samples. Default true. */
  readonly hasDigits?: boolean;
  /** Whether the command is repeated until it prints what the page has, as counters need a moment. Default true. */
  readonly isRepeated?: boolean;
}

/** A private Open vSwitch with a shell in which the manual's commands work. */
export class ManualShell {
  readonly ovs: Ovs;
  /** Words of the pages, and what they are in this shell: paths, ports, addresses of collectors. */
  readonly #substitutions: (readonly [string, string])[] = [];
  #daemon: Daemon | undefined;

  private constructor(ovs: Ovs) {
    this.ovs = ovs;
    this.substitute(SWITCH_FOLDER, ovs.rundir);
  }

  /** Starts it with a bridge br0 that has the ports p1 (1) and p2 (2). */
  static async open(t: TestContext, options: OvsOptions = {}): Promise<ManualShell> {
    const ovs = await startOvs(options);
    const shell = new ManualShell(ovs);
    t.after(async () => {
      await shell.#daemon?.kill();
      await ovs.stop();
    });
    const bin = join(ovs.rundir, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'ovs-ipfix'), `#!/bin/sh\nexec "${process.execPath}" "${DAEMON_FILE}" "$@"\n`);
    await chmod(join(bin, 'ovs-ipfix'), 0o755);
    await ovs.addBridge('br0');
    await ovs.addDummyPort('br0', 'p1', 1);
    await ovs.addDummyPort('br0', 'p2', 2);
    return shell;
  }

  /** Has the shell run with `here` wherever a page says `there`. */
  substitute(there: string, here: string): void {
    this.#substitutions.push([there, here]);
  }

  /** Starts the daemon as the service does, so that `ovs-appctl -t ovs-ipfix` finds it. */
  async startDaemon(): Promise<Daemon> {
    const { ovs } = this;
    const command = [LAUNCHER, join(ovs.rundir, 'ovs-ipfix.pid'), process.execPath, DAEMON_FILE];
    const program = await BackgroundProgram.start('perl', [...command, 'run', '--pidfile'], {
      environment: ovs.environment,
    });
    this.#daemon = new Daemon(ovs, program);
    await this.#daemon.waitForReady();
    return this.#daemon;
  }

  /** Runs a command of a page; returns what it prints, in the words of the page, whatever its exit code. */
  async run(command: string): Promise<string> {
    return this.inWordsOfPage(await this.ovs.run('sh', '-c', `${this.#script(command)}; true`));
  }

  /** Starts a command of a page; the function returns what it has printed when it has ended. */
  async start(command: string, firstWords: string): Promise<() => Promise<string>> {
    const { environment } = this.ovs;
    const program = await BackgroundProgram.start('sh', ['-c', this.#script(command)], { environment });
    await waitFor(() => program.stdout.includes(firstWords), { what: `${command} prints ${firstWords}` });
    return async () => {
      await program.exited;
      return this.inWordsOfPage(program.stdout);
    };
  }

  #script(command: string): string {
    const here = this.#substitutions.reduce((text, [page, shell]) => text.replaceAll(page, shell), command);
    const path = `${join(this.ovs.rundir, 'bin')}:$PATH`;
    return `cd "${this.ovs.rundir}" && PATH="${path}" && { ${here}\n} 2>&1`;
  }

  /** Returns a text with the paths and addresses that the pages have. */
  inWordsOfPage(output: string): string {
    return this.#substitutions.reduce((text, [page, shell]) => text.replaceAll(shell, page), output);
  }

  /** Runs the commands without a prompt of a page that have one of the beginnings; each has to succeed. */
  async runExamples(name: string, ...beginnings: readonly string[]): Promise<number> {
    const commands = indentedBlocks(page(name))
      .flatMap((block) => block.replaceAll(/\\\n\s*/gu, ' ').split('\n'))
      .filter((line) => beginnings.some((words) => line.startsWith(words)));
    for (const command of commands) {
      const output = await this.run(`${command} && echo done`);
      assert.match(output, /done\n$/u, `${name}: ${command}\n${output}`);
    }
    return commands.length;
  }

  /** Runs the steps of a page that begin with the words, and compares what they print. */
  async replay(name: string, words: string, comparison: Comparison = {}): Promise<void> {
    const steps = transcripts(page(name)).filter(({ command }) => command.startsWith(words));
    assert.ok(steps.length > 0, `${name} has a transcript of ${words}`);
    for (const step of steps) {
      await this.#compare(name, step, comparison);
    }
  }

  async #compare(name: string, step: TranscriptStep, comparison: Comparison): Promise<void> {
    replayedSteps.add(`${name}: ${step.command}`);
    let output = await this.run(step.command);
    if (comparison.isRepeated !== false && !isAsOnPage(step.output, output, comparison)) {
      await waitFor(
        async () => {
          output = await this.run(step.command);
          return isAsOnPage(step.output, output, comparison);
        },
        { what: `${name}: ${step.command}`, timeoutMs: STEP_MS, intervalMs: 100 },
      ).catch(() => {});
    }
    if (!isAsOnPage(step.output, output, comparison)) {
      assert.equal(
        normalised(output, comparison),
        normalised(step.output, comparison),
        `${name}: ${step.command}\n${output}`,
      );
    }
  }
}

/** Whether an output is that of the page, but for what differs between two runs. */
export function isAsOnPage(expected: string, actual: string, comparison: Comparison = {}): boolean {
  const parts = `\n${expected}\n`.split(/(?<=\n)\.\.\.\n/u).map((part) => normalised(part, comparison));
  const text = normalised(actual, comparison);
  const first = parts[0] ?? '';
  const last = parts.length > 1 ? (parts.at(-1) ?? '') : '';
  if (parts.length === 1) {
    return text === first;
  }
  let at = 0;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found < 0) {
      return false;
    }
    at = found + part.length;
  }
  return text.startsWith(first) && text.endsWith(last);
}

/** A text without what differs between two runs. */
export function normalised(text: string, { hasSpace = true, hasDigits = true }: Comparison = {}): string {
  const steady = VOLATILE.reduce((result, [pattern, by]) => result.replaceAll(pattern, by), text);
  const spaced = hasSpace ? steady.replaceAll(/^\n+|\n+$/gu, '') : steady.replaceAll(/\s+/gu, '');
  return hasDigits ? spaced : spaced.replaceAll(/\d+(?:,\d{3})*(?:\.\d+)?/gu, 'N').replaceAll(/ +/gu, ' ');
}
