// Measures the processor time of a program with bash's `times`, because a minimal Debian lacks GNU time.

import { spawnSync } from 'node:child_process';

/** Runs a command to its end and returns its user and system time, in seconds. Throws when it fails. */
export function processorSeconds(command: readonly string[]): number {
  const script = '"$@" >/dev/null; status=$?; times; exit $status';
  const { stdout, stderr, status } = spawnSync('bash', ['-c', script, 'bench', ...command], {
    encoding: 'utf8',
  });
  if (status !== 0) {
    throw new Error(`${command.join(' ')} has failed (exit ${status}): ${stderr}`);
  }
  return childSeconds(stdout);
}

/** Reads the second line of `times`: user and system time of the children, as 0m1.234s. */
export function childSeconds(text: string): number {
  const [, line = ''] = text.split('\n');
  return [...line.matchAll(/(\d+)m([\d.]+)s/gu)].reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  );
}
