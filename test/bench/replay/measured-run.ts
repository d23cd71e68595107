// One run of an exporter of the replay benchmark, with its own sink: processor time, peak memory, and what it has sent.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { childSeconds } from '../processor-time.ts';
import { type Account, readAccount } from './account.ts';
import type { Exporter } from './exporters.ts';
import type { Scenario } from './scenarios.ts';
import type { SinkCounts } from './sink.ts';

/** Milliseconds between two readings of the peak memory. */
const MEMORY_PERIOD_MS = 20;

/** Figures of a run. */
export interface Run {
  /** User and system time of the whole process. */
  readonly cpuSeconds: number;
  readonly memoryMegabytes: number;
  /** What the sink has received: fewer messages than were sent, where it was too slow. */
  readonly counts: SinkCounts;
  /** What a build of this repository says it has sent. */
  readonly account: Account | undefined;
}

/** Runs an exporter to its end, with its own sink, and checks its account if it has one. */
export async function runExporter(
  exporter: Exporter,
  file: string,
  scenario: Scenario,
  packets: number,
): Promise<Run> {
  const sink = spawn(process.execPath, [process.argv[1] ?? '', 'sink'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  sink.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    while (!said.includes('\n')) {
      await once(sink.stdout, 'data');
    }
    const command = exporter.command(file, Number(said), scenario);
    const { stdout, ...figures } = await runMeasured(command);
    sink.kill('SIGTERM');
    await once(sink, 'exit');
    const counts = JSON.parse(said.slice(said.indexOf('\n'))) as SinkCounts;
    const account = exporter.hasAccount ? readAccount(stdout, packets, exporter.name) : undefined;
    return { ...figures, counts, account };
  } finally {
    sink.kill('SIGKILL');
  }
}

interface Measured {
  readonly cpuSeconds: number;
  readonly memoryMegabytes: number;
  readonly stdout: string;
}

/** Runs a command; returns its processor time from the shell, because a minimal Debian lacks GNU time. */
export async function runMeasured(command: readonly string[]): Promise<Measured> {
  const script = '"$@"; status=$?; times >&3; exit $status';
  const child = spawn('bash', ['-c', script, 'bench', ...command], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const texts = ['', '', '', ''];
  for (const index of [1, 2, 3]) {
    (child.stdio[index] as Readable).setEncoding('utf8').on('data', (text: string) => {
      texts[index] += text;
    });
  }
  let memoryMegabytes = 0;
  const poll = setInterval(() => {
    memoryMegabytes = Math.max(memoryMegabytes, peakMegabytesOfChild(child.pid ?? 0));
  }, MEMORY_PERIOD_MS);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  clearInterval(poll);
  if (exitCode !== 0) {
    throw new Error(`${command.join(' ')} has failed (exit ${exitCode}): ${texts[2]}`);
  }
  return { cpuSeconds: childSeconds(texts[3] ?? ''), memoryMegabytes, stdout: texts[1] ?? '' };
}

/** Returns the peak memory of the one child of a shell, from the kernel; 0 when it has ended. */
function peakMegabytesOfChild(shell: number): number {
  try {
    const [child = ''] = readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8').split(' ');
    return Number(/VmHWM:\s+(\d+)/u.exec(readFileSync(`/proc/${child}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    // It has ended between two readings, and the last one is used.
    return 0;
  }
}
