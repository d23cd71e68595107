// Runs `ovs-ipfix doctor` as an operator does, and checks its findings.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Finding } from '../../src/commands/doctor/finding.ts';
import { ProgramError, runProgram } from './process.ts';
import { DAEMON_FILE } from './tiers.ts';

/** The output of the doctor. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  readonly exitCode: number;
}

/** Runs the doctor in an environment, such as that of a test's Open vSwitch. */
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

/** Returns the finding of a code at a place; fails if it is missing, or lacks a message or an action. */
export function found({ findings }: Diagnosis, code: string, where: RegExp): Finding {
  const one = findings.find((each) => each.code === code && where.test(each.where));
  assert.ok(one, `${code} about ${where} among ${JSON.stringify(findings, undefined, 1)}`);
  assert.match(one.message, /\.$/u);
  assert.match(one.action, /\.$/u);
  return one;
}

/** Fails if a finding has the code. */
export function lacks({ findings }: Diagnosis, code: string): void {
  assert.deepEqual(
    findings.filter((each) => each.code === code),
    [],
  );
}

/** Makes a folder that is removed after the test. */
export async function emptyFolder(t: { after: (end: () => Promise<void>) => void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'doctor-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
