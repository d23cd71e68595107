// Runs `ovs-ipfix replay`, and reads the summary that it prints.

import { BackgroundProgram } from './process.ts';
import { DAEMON_FILE } from './tiers.ts';

/** Fields of the summary as JSON; docs/replay.md has all. */
export interface ReplaySummary {
  readonly packets: number;
  readonly octets: number;
  readonly octetsCaptured: number;
  readonly outOfOrder: number;
  readonly filteredOut: number;
  readonly skipped: readonly { readonly linkType: number; readonly packets: number }[];
  readonly packetsInFlows: number;
  readonly flows: number;
  readonly engine: string;
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
  readonly isInterrupted: boolean;
  readonly fileBytes?: number;
  readonly fileBytesRead: number;
  readonly malformed: Readonly<Record<string, number>>;
  readonly records: {
    readonly activeTimeout: number;
    readonly forcedEnd: number;
    readonly lackOfResources: number;
  };
  readonly collectors: readonly {
    readonly recordsSent: number;
    readonly recordsLost: number;
    readonly recordsDeliveryUnknown: number;
  }[];
  readonly shortfalls: readonly string[];
  readonly seconds: number;
}

/** How a replay ended. */
export interface ReplayEnd {
  readonly exitCode: number | null;
  readonly stderr: string;
  /** Undefined when it was refused before it began. */
  readonly summary: ReplaySummary | undefined;
}

/** Starts a replay whose summary is JSON; `via` is a command that runs it. */
export async function startReplay(
  args: readonly string[],
  via: readonly string[] = [],
): Promise<BackgroundProgram> {
  const command = [...via, process.execPath, DAEMON_FILE, 'replay', ...args, '--format', 'json'];
  const [program = '', ...rest] = command;
  return BackgroundProgram.start(program, rest);
}

/** Waits for its end. */
export async function replayEnd(program: BackgroundProgram): Promise<ReplayEnd> {
  const { exitCode } = await program.exited;
  const { stdout, stderr } = program;
  const summary = stdout === '' ? undefined : (JSON.parse(stdout) as ReplaySummary);
  return { exitCode, stderr, summary };
}

/** Runs a replay to its end, whatever that is. */
export async function runReplay(...args: readonly string[]): Promise<ReplayEnd> {
  return replayEnd(await startReplay(args));
}
