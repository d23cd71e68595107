// The exporters of the replay benchmark and their commands: this build and an earlier one in each record format that they have,
// and the exporters in C and C++ that read captures.

import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import type { EngineName } from '../../../src/flow/flow-engine.ts';
import type { EarlierVersion } from '../row.ts';
import type { Scenario } from './scenarios.ts';

export const RECORD_FORMATS = ['extended', 'original'] as const;
export type RecordFormat = (typeof RECORD_FORMATS)[number];

/** A program that exports the flows of a capture. */
export interface Exporter {
  readonly name: string;
  /** Whether the program is a build of this repository, which prints its own account. */
  readonly hasAccount: boolean;
  command(file: string, port: number, scenario: Scenario): readonly string[];
}

/** A build of this repository, with the options of its `replay`. */
export interface Build {
  /** The name of this build's earlier commit; empty for the working tree. */
  readonly commit: string;
  readonly program: string;
  readonly hasFormats: boolean;
  readonly hasEngines: boolean;
}

/** Reads from the help of `replay` which options a build has. */
export function optionsOfHelp(help: string): Pick<Build, 'hasFormats' | 'hasEngines'> {
  const has = (option: string) => new RegExp(`^\\s+${option}\\b`, 'mu').test(help);
  return { hasFormats: has('--record-format'), hasEngines: has('--engine') };
}

/** Returns the build of the working tree, or that of an earlier commit. */
export function buildOf(earlier?: EarlierVersion): Build {
  const program = earlier?.program ?? join(process.cwd(), 'dist', 'ovs-ipfix.cjs');
  const help = execFileSync(process.execPath, [program, 'replay', '--help'], { encoding: 'utf8' });
  return { commit: earlier?.name ?? '', program, ...optionsOfHelp(help) };
}

/** Returns the formats that a build can be compared in: without the option, it has the records of `original`. */
export function formatsOf(build: Build): readonly RecordFormat[] {
  return build.hasFormats ? RECORD_FORMATS : ['original'];
}

/** Returns the command of a replay to a target such as `127.0.0.1:4739`. */
export function replayCommand(
  build: Build,
  file: string,
  target: string,
  {
    format,
    engine,
    activeTimeout,
  }: { format: RecordFormat; engine?: EngineName | undefined; activeTimeout: number },
): readonly string[] {
  return [
    process.execPath,
    build.program,
    ...words(`replay ${file} --to ${target} --format json`),
    ...words(`--cache-active-timeout ${activeTimeout} --cache-max-flows 2000000`),
    ...(build.hasFormats ? words(`--record-format ${format}`) : []),
    ...(engine === undefined ? [] : words(`--engine ${engine}`)),
  ];
}

/** Returns the exporter of a build in a format, with an engine if it has several; by default, as its users run it. */
export function exporterOf(build: Build, format: RecordFormat, engine?: EngineName): Exporter {
  const name = build.commit === '' ? `ovs-ipfix, ${format}` : `${build.commit}, ${format}`;
  return {
    name: engine === undefined ? name : `${name}, ${engine}`,
    hasAccount: true,
    command: (file, port, { activeTimeout }) =>
      replayCommand(build, file, `127.0.0.1:${port}`, { format, engine, activeTimeout }),
  };
}

/** The messages of a run: how many, and the octets of all. */
export interface SentMessages {
  readonly messages: number;
  readonly octets: number;
}

/** Returns a program (`datagrams.ts`) that only sends as many messages as an exporter has sent before, of the same size on average. */
export function senderOf(exporter: Exporter, sentBefore: () => SentMessages): Exporter {
  const program = join(dirname(process.argv[1] ?? ''), 'datagrams.mjs');
  return {
    name: `sending alone, the messages of ${exporter.name}`,
    hasAccount: false,
    command: (_, port) => {
      const { messages, octets } = sentBefore();
      return [process.execPath, program, ...words(`${port} ${messages} ${Math.round(octets / messages)}`)];
    },
  };
}

export const PEERS: readonly Exporter[] = [
  {
    name: 'softflowd',
    hasAccount: false,
    command: (file, port, { activeTimeout }) =>
      words(
        `softflowd -r ${file} -n 127.0.0.1:${port} -v 10 -d -c none -m 2000000 -t maxlife=${activeTimeout}`,
      ),
  },
  {
    name: 'yaf',
    hasAccount: false,
    command: (file, port, { activeTimeout }) =>
      words(
        `yaf --in ${file} --out 127.0.0.1 --ipfix udp --ipfix-port ${port} --silent --idle-timeout 4200 ` +
          `--active-timeout ${activeTimeout}`,
      ),
  },
  {
    name: 'ipfixprobe',
    hasAccount: false,
    command: (file, port, { activeTimeout }) =>
      words(
        `ipfixprobe -i pcap-file;file=${file} -s cache;s=21;a=${activeTimeout};i=4200 ` +
          `-o ipfix;host=127.0.0.1;port=${port};udp`,
      ),
  },
];

/** Splits a command at its spaces; no word has one. */
function words(command: string): readonly string[] {
  return command.split(' ');
}
