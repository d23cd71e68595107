// `ovs-ipfix doctor` as an operator runs it, and what it finds.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Finding } from '../../src/commands/doctor/finding.ts';
import { ProgramError, runProgram } from './process.ts';
import { DAEMON_FILE } from './tiers.ts';

/** What it said. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  readonly exitCode: number;
}

/** Runs it in an environment, such as that of a test's Open vSwitch. */
export async function diagnose(
  environment: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<Diagnosis> {
  const command = [DAEMON_FILE, 'doctor', '--format', 'json', ...args];
  const options = { environment, timeoutMs: 20_000 };
  const { stdout, exitCode } = await runProgram(process.execPath, command, options).then(
    (said) => ({ stdout: said, exitCode: 0 }),
    (error: unknown) => {
      if (!(error instanceof ProgramError) || error.stdout === '') {
        throw error;
      }
      return { stdout: error.stdout, exitCode: error.exitCode ?? -1 };
    },
  );
  const { schema, version, findings } = JSON.parse(stdout) as {
    schema: string;
    version: number;
    findings: Finding[];
  };
  assert.deepEqual([schema, version], ['ovs-ipfix/doctor', 1]);
  return { findings, exitCode };
}

/** The finding of a code about a place; it must be there, and have something to say and to do. */
export function found({ findings }: Diagnosis, code: string, where: RegExp): Finding {
  const one = findings.find((each) => each.code === code && where.test(each.where));
  assert.ok(one, `${code} about ${where} among ${JSON.stringify(findings, undefined, 1)}`);
  assert.match(one.message, /\.$/u);
  assert.match(one.action, /\.$/u);
  return one;
}

/** No finding has the code. */
export function lacks({ findings }: Diagnosis, code: string): void {
  assert.deepEqual(
    findings.filter((each) => each.code === code),
    [],
  );
}

/** A folder for the time of a test. */
export async function emptyFolder(t: { after: (end: () => Promise<void>) => void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'doctor-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
